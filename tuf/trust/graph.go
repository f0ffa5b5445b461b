package trust

import "fmt"

// delegated finds how delegator, a loaded role, describes role.
func (s *Set) delegated(role, delegator string) (delegation, error) {
	above := s.targets[delegator]
	if delegator == Root {
		above = s.root
	}
	if above == nil || (delegator == Root) != (role == Targets) {
		return delegation{}, errOrder
	}
	by, ok := above.delegation(role)
	if !ok {
		return delegation{}, &MismatchError{Role: role, What: "delegation by " + delegator, Got: "none", Want: "one"}
	}
	return by, nil
}

// graph holds, in Strict mode, that every role has one delegator and names
// only files its delegator lets it speak for.
func (s *Set) graph(d *document, by delegation, delegator string) error {
	if s.mode != Strict {
		return nil
	}
	for _, child := range d.delegated {
		if p, ok := s.parents[child.name]; ok && p != d.role {
			return &FormatError{Role: d.role, Where: "signed.delegations.roles", Reason: fmt.Sprintf("role %q is delegated by %s already", child.name, p)}
		}
		if child.name == d.role {
			return &FormatError{Role: d.role, Where: "signed.delegations.roles", Reason: "role delegates itself"}
		}
	}
	if d.role == Targets {
		return nil
	}
	for name := range d.targets {
		if !by.covers(name) {
			return &FormatError{Role: d.role, Where: "signed.targets." + name, Reason: "outside the paths that " + delegator + " delegates"}
		}
	}
	return nil
}
