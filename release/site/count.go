package site

import (
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

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

func reviewers(r Release) int {
	return people(r.Reviews, func(v Review) (genuine.Person, bool) {
		return v.Person, v.Verdict == statement.VerdictPass || v.Verdict == statement.VerdictPartial
	})
}

func withdrawers(r Release) int {
	return people(r.Withdrawals, func(w Withdrawal) (genuine.Person, bool) {
		return w.Person, w.Latest && w.State == statement.StateWithdrawn
	})
}

func signers(list []Auditor) int {
	n := 0
	for _, a := range list {
		if a.Signs {
			n++
		}
	}
	return n
}

func seenBy(l *Log) int {
	n := 0
	for _, w := range l.Witnesses {
		if !w.Time.IsZero() {
			n++
		}
	}
	return n
}
