package trust

import (
	"errors"
	"sort"
	"time"
)

// Verify walks TUF 5.3 to 5.6 over bytes in hand, Strict. A zero now leaves
// expiry unjudged.
//
// When root, timestamp, snapshot or targets are refused there is no Set. When
// only a delegated role is, the Set holds everything else and the error tells
// of the role; with several, of each (errors.Join).
func Verify(anchor []byte, m Metadata, now time.Time) (*Set, error) {
	s, err := New(anchor, Strict, now)
	if err != nil {
		return nil, err
	}
	for _, b := range m.Roots {
		if err := s.UpdateRoot(b); err != nil {
			return nil, err
		}
	}
	if _, err := s.UpdateTimestamp(m.Timestamp); err != nil {
		return nil, err
	}
	if err := s.UpdateSnapshot(m.Snapshot); err != nil {
		return nil, err
	}
	if err := s.UpdateTargets(m.Targets); err != nil {
		return nil, err
	}
	return s, s.updateAll(m.Delegated)
}

// updateAll loads delegated roles, each after its delegator.
func (s *Set) updateAll(files map[string][]byte) error {
	left := make([]string, 0, len(files))
	for role := range files {
		left = append(left, role)
	}
	sort.Strings(left)
	var errs []error
	for len(left) > 0 {
		var later []string
		for _, role := range left {
			delegator, ok := s.Delegator(role)
			if !ok {
				later = append(later, role)
				continue
			}
			errs = append(errs, s.UpdateDelegated(role, delegator, files[role]))
		}
		if len(later) == len(left) {
			for _, role := range later {
				errs = append(errs, &MismatchError{Role: role, What: "delegation", Got: "none", Want: "one by a verified role"})
			}
			break
		}
		left = later
	}
	return errors.Join(errs...)
}
