package proof

import (
	"fmt"
	"slices"
	"strings"
)

// QuorumError says that too few witnesses cosigned a head, and who is missing.
type QuorumError struct {
	Signed  []string // witnesses whose cosignatures are there, in the order of the policy
	Missing []string // witnesses whose cosignatures are not
	Want    string   // the first group that is not satisfied: "eu: 1 of 2, has 0"
}

func (e *QuorumError) Error() string {
	return fmt.Sprintf("too few witnesses cosigned (%s); signed: %s; missing: %s", e.Want, listed(e.Signed), listed(e.Missing))
}

// Refused says that something was checked and found wrong.
func (e *QuorumError) Refused() bool { return true }

func listed(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// satisfied says whether these witnesses are a quorum, or returns a *QuorumError.
func (p Policy) satisfied(signed []Cosigned) error {
	has := map[string]bool{}
	for _, c := range signed {
		has[c.Name] = true
	}
	if p.quorum.Satisfied(func(w Witness) bool { return has[w.Name] }) {
		return nil
	}
	e := &QuorumError{Want: p.quorum.lacking(has)}
	for _, w := range p.witnesses {
		if has[w.Name] {
			e.Signed = append(e.Signed, w.Name)
		} else {
			e.Missing = append(e.Missing, w.Name)
		}
	}
	return e
}

// Satisfied reports whether the witnesses for whom signed is true satisfy this node.
func (n Node) Satisfied(signed func(Witness) bool) bool {
	if n.Witness != nil {
		return signed(*n.Witness)
	}
	count := 0
	for _, m := range n.Members {
		if m.Satisfied(signed) {
			count++
		}
	}
	return n.Need > 0 && count >= n.Need // a group that needs nobody is no group: see ParsePolicy
}

// lacking describes the first unsatisfied node.
func (n Node) lacking(has map[string]bool) string {
	if n.Witness != nil {
		return fmt.Sprintf("%s has not", n.Name)
	}
	count := 0
	for _, m := range n.Members {
		if m.Satisfied(func(w Witness) bool { return has[w.Name] }) {
			count++
		}
	}
	return fmt.Sprintf("group %s needs %d of %d, has %d", n.Name, n.Need, len(n.Members), count)
}

// CountsOnce refuses a policy in which one person counts more than once: keys are those of one person,
// and the smallest group around all of them must need one member only. A key is the same under any
// name. Keys that the policy does not have are no matter.
func (p Policy) CountsOnce(keys []Key) error {
	if len(keys) < 2 {
		return nil
	}
	var names []string
	for _, w := range p.witnesses {
		for _, k := range keys {
			if w.Key.Same(k) {
				names = append(names, w.Name)
			}
		}
	}
	if around := p.quorum.around(names); len(names) > 1 && around.Need > 1 {
		return fmt.Errorf("log policy: group %q needs %d members and can count %s, who are one person; put them into a group of their own that needs any", around.Name, around.Need, strings.Join(names, " and "))
	}
	return nil
}

// around returns the smallest node that has all these witnesses below it.
func (n Node) around(names []string) Node {
	for _, m := range n.Members {
		if m.has(names) {
			return m.around(names)
		}
	}
	return n
}

func (n Node) has(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !n.holds(name) })
}

// holds reports whether a witness of that name is below this node.
func (n Node) holds(name string) bool {
	if n.Witness != nil {
		return n.Name == name
	}
	for _, m := range n.Members {
		if m.holds(name) {
			return true
		}
	}
	return false
}

// String says in words who must have cosigned: "2 of (Ana, any of (Bo, Chen))".
func (n Node) String() string {
	if n.Witness != nil {
		return n.Name
	}
	var members []string
	for _, m := range n.Members {
		members = append(members, m.String())
	}
	in := "(" + strings.Join(members, ", ") + ")"
	switch n.Need {
	case len(n.Members):
		return "all of " + in
	case 1:
		return "any of " + in
	}
	return fmt.Sprintf("%d of %s", n.Need, in)
}
