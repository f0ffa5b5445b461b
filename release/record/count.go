package record

import (
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// SameBytes is the number of people who got exactly this release.
func (r Release) SameBytes() int {
	return people(r.Rebuilds, func(b Rebuild) (genuine.Person, bool) { return b.Person, b.Same() })
}

// OtherBytes is the number of people who got something else.
func (r Release) OtherBytes() int {
	return people(r.Rebuilds, func(b Rebuild) (genuine.Person, bool) { return b.Person, !b.Same() })
}

// Reviewers is the number of people who read the change, or some of it, and found nothing against it.
func (r Release) Reviewers() int {
	return people(r.Reviews, func(v Review) (genuine.Person, bool) {
		return v.Person, v.Verdict == statement.VerdictPass || v.Verdict == statement.VerdictPartial
	})
}

// Withdrawers is the number of people whose last word is that it should not be used.
func (r Release) Withdrawers() int {
	return people(r.Withdrawals, func(w Withdrawal) (genuine.Person, bool) {
		return w.Person, w.Latest && w.State == statement.StateWithdrawn
	})
}

// people counts the distinct people of the entries that are chosen.
func people[T any](list []T, of func(T) (genuine.Person, bool)) int {
	seen := map[genuine.Person]bool{}
	for _, x := range list {
		if p, ok := of(x); ok {
			seen[p] = true
		}
	}
	return len(seen)
}
