package genuine

import (
	"fmt"
	"slices"
	"strings"
)

// quorum is reason 1. That the metadata verified already means that TUF's threshold of distinct keys
// was met. Here persons are counted: each signing key must be one that the policy gives to an auditor,
// under the same name, organisation and country, and a person counts once whatever keys they hold.
func (b believed) quorum(r *Reason) {
	var signers []Person
	for _, k := range b.role.Signers {
		m, ok := b.policy.byAuditorKey(k.Raw)
		if !ok {
			r.State, r.Text = Failed, fmt.Sprintf("a key of %q signed channel %s but the policy gives it to no auditor", k.Holder, b.role.Name)
			return
		}
		if m.Person != (Person{k.Holder, k.Organisation, k.Jurisdiction}) {
			r.State, r.Text = Failed, fmt.Sprintf("a key is held by %s in the metadata and by %s in the policy", Person{k.Holder, k.Organisation, k.Jurisdiction}, m.Person)
			return
		}
		signers = append(signers, m.Person)
	}
	r.People = distinct(signers)
	need := max(b.rule.Quorum, b.role.Quorum)
	r.State = Held
	if len(r.People) < need {
		r.State = Failed
	}
	r.Text = fmt.Sprintf("%d of %d auditors signed, %d needed: %s", len(r.People), len(b.role.Authorised), need, names(r.People))
}

// distinct sorts persons by name and drops repetitions.
func distinct(list []Person) []Person {
	slices.SortFunc(list, func(a, b Person) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.String(), b.String())
	})
	return slices.Compact(list)
}

// names prints persons for a sentence.
func names(list []Person) string {
	if len(list) == 0 {
		return "nobody"
	}
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, ", ")
}
