package trust

import "errors"

var errOrder = errors.New("internal error: metadata loaded out of order")

// UpdateRoot takes the next root: signed by the quorum of the root trusted so
// far (5.3.4), its version one higher (5.3.5), and signed by its own quorum.
// Expiry of a root on the way does not matter.
func (s *Set) UpdateRoot(b []byte) error {
	if s.timestamp != nil {
		return errOrder
	}
	d, err := parse(Root, b, s.mode)
	if err != nil {
		return err
	}
	old, own := s.root.roles[Root], d.roles[Root]
	if _, err := old.check(d); err != nil {
		return err
	}
	if d.version != s.root.version+1 {
		if d.version <= s.root.version {
			return &RollbackError{Role: Root, Got: d.version, Have: s.root.version}
		}
		return &MismatchError{Role: Root, What: "version", Got: number(d.version), Want: number(s.root.version + 1)}
	}
	signers, err := own.check(d)
	if err != nil {
		return err
	}
	if s.mode == Strict {
		if err := strangers(d, old, own); err != nil {
			return err
		}
	}
	if err := s.engine.root(b); err != nil {
		return err
	}
	s.root = d
	s.accept(d, own, signers)
	return nil
}

// verify parses b as role and counts its signatures against by.
func (s *Set) verify(role string, b []byte, by delegation) (*document, []Key, error) {
	d, err := parse(role, b, s.mode)
	if err != nil {
		return nil, nil, err
	}
	signers, err := by.check(d)
	if err != nil {
		return nil, nil, err
	}
	if s.mode == Strict {
		err = strangers(d, by)
	}
	return d, signers, err
}

// UpdateTimestamp takes a timestamp, from disk or from a courier (5.4). newer
// is false when it has the version already held; that one is then kept
// (5.4.3). An expired one is reported with ExpiredError and yet held, so that
// it guards against rollback by the next.
func (s *Set) UpdateTimestamp(b []byte) (newer bool, err error) {
	if s.snapshot != nil {
		return false, errOrder
	}
	if s.root.version < s.atLeast[Root] {
		return false, &RollbackError{Role: Root, Got: s.root.version, Have: s.atLeast[Root]}
	}
	if err := s.expired(s.root); err != nil { // 5.3.10
		return false, err
	}
	by := s.root.roles[Timestamp]
	d, signers, err := s.verify(Timestamp, b, by)
	if err != nil {
		return false, err
	}
	same, err := s.olderTimestamp(d)
	if err != nil {
		return false, err
	}
	if same {
		return false, s.expired(s.timestamp)
	}
	if err := s.engine.timestamp(b); err != nil {
		return false, err
	}
	s.timestamp = d
	if err := s.expired(d); err != nil { // 5.4.4
		return true, err
	}
	s.accept(d, by, signers)
	return true, nil
}

// olderTimestamp is 5.4.3.
func (s *Set) olderTimestamp(d *document) (same bool, err error) {
	if err := s.notBelow(Timestamp, d.version); err != nil {
		return false, err
	}
	meant := d.meta[Snapshot+".json"].version
	if err := s.notBelow(Snapshot, meant); err != nil {
		return false, err
	}
	if s.timestamp == nil {
		return false, nil
	}
	if d.version < s.timestamp.version {
		return false, &RollbackError{Role: Timestamp, Got: d.version, Have: s.timestamp.version}
	}
	if d.version == s.timestamp.version {
		return true, nil
	}
	if have := s.timestamp.meta[Snapshot+".json"].version; meant < have {
		return false, &RollbackError{Role: Snapshot, Got: meant, Have: have}
	}
	return false, nil
}

// LoadSnapshot takes the snapshot this device kept. It may be an older one,
// which then guards against rollback only; final says whether it is the one
// the timestamp means.
func (s *Set) LoadSnapshot(b []byte) (final bool, err error) {
	if s.timestamp == nil || s.snapshot != nil {
		return false, errOrder
	}
	by := s.root.roles[Snapshot]
	d, signers, err := s.verify(Snapshot, b, by)
	if err != nil {
		return false, err
	}
	if err := s.engine.snapshot(b, true); err != nil {
		return false, err
	}
	s.snapshot = d
	meant := s.timestamp.meta[Snapshot+".json"]
	if d.version != meant.version || meant.match(Snapshot, b) != nil || s.expired(d) != nil {
		return false, nil
	}
	for name, f := range d.meta {
		if s.notBelow(roleOf(name), f.version) != nil {
			return false, nil
		}
	}
	if s.stillWithdrawn(d) != nil {
		return false, nil
	}
	s.final = true
	s.accept(d, by, signers)
	return true, nil
}

// UpdateSnapshot takes the snapshot that the timestamp means (5.5).
func (s *Set) UpdateSnapshot(b []byte) error {
	if s.timestamp == nil || s.final {
		return errOrder
	}
	meant := s.timestamp.meta[Snapshot+".json"]
	if err := meant.match(Snapshot, b); err != nil { // 5.5.2
		return err
	}
	by := s.root.roles[Snapshot]
	d, signers, err := s.verify(Snapshot, b, by)
	if err != nil {
		return err
	}
	if d.version != meant.version { // 5.5.4
		return &MismatchError{Role: Snapshot, What: "version", Got: number(d.version), Want: number(meant.version)}
	}
	if err := s.olderSnapshot(d); err != nil {
		return err
	}
	if err := s.expired(d); err != nil { // 5.5.6
		return err
	}
	if err := s.engine.snapshot(b, false); err != nil {
		return err
	}
	s.snapshot, s.final = d, true
	s.accept(d, by, signers)
	return nil
}

// olderSnapshot is 5.5.5: no role may vanish or go back.
func (s *Set) olderSnapshot(d *document) error {
	for name, f := range d.meta {
		if err := s.notBelow(roleOf(name), f.version); err != nil {
			return err
		}
	}
	if err := s.stillWithdrawn(d); err != nil {
		return err
	}
	if s.snapshot == nil {
		return nil
	}
	for name, old := range s.snapshot.meta {
		f, ok := d.meta[name]
		if !ok {
			return &MismatchError{Role: Snapshot, What: "entry for " + name, Got: "gone", Want: "version " + number(old.version) + " or newer"}
		}
		if f.version < old.version {
			return &RollbackError{Role: roleOf(name), Got: f.version, Have: old.version}
		}
	}
	return nil
}

func roleOf(file string) string { return file[:max(0, len(file)-len(".json"))] }

// UpdateTargets takes the top-level targets (5.6).
func (s *Set) UpdateTargets(b []byte) error { return s.UpdateDelegated(Targets, Root, b) }

// UpdateDelegated takes the file of a delegated role, verified with the keys of
// that delegator. A role that two roles delegate must be given once for each.
func (s *Set) UpdateDelegated(role, delegator string, b []byte) error {
	by, err := s.delegated(role, delegator)
	if err != nil {
		return err
	}
	if !s.final {
		return errOrder
	}
	meant, ok := s.snapshot.meta[role+".json"]
	if !ok {
		return &MismatchError{Role: role, What: "entry in snapshot", Got: "none", Want: role + ".json"}
	}
	if err := meant.match(role, b); err != nil { // 5.6.2
		return err
	}
	d, signers, err := s.verify(role, b, by) // 5.6.3
	if err != nil {
		return err
	}
	if d.version != meant.version { // 5.6.4
		return &MismatchError{Role: role, What: "version", Got: number(d.version), Want: number(meant.version)}
	}
	if err := s.notBelow(role, d.version); err != nil {
		return err
	}
	if err := s.expired(d); err != nil { // 5.6.5
		return err
	}
	if err := s.graph(d, by, delegator); err != nil {
		return err
	}
	if err := s.engine.targets(b, role, delegator); err != nil {
		return err
	}
	s.targets[role] = d
	s.edges[edge{delegator, role}] = true
	for _, child := range d.delegated {
		if _, ok := s.parents[child.name]; !ok {
			s.parents[child.name] = role
		}
	}
	s.accept(d, by, signers)
	return nil
}
