package trust

import (
	"sort"
	"time"
)

// Set is metadata that was verified together. It grows by the Update methods,
// each one step of TUF 5.3 to 5.6; a step that returns an error leaves the Set
// as it was (for one exception see UpdateTimestamp). A Set is not safe for use by several goroutines while it grows.
type Set struct {
	mode      Mode
	now       time.Time // zero: expiry is not judged
	engine    engine
	root      *document
	timestamp *document
	snapshot  *document
	final     bool // snapshot is the one timestamp means, not merely an older one
	targets   map[string]*document
	edges     map[edge]bool     // which delegator's keys each role was verified with
	parents   map[string]string // delegated role to the role that delegates it
	roles     map[string]Role
	atLeast   map[string]int64
}

// edge is one delegation; a role counts only through an edge that was verified.
type edge struct{ delegator, role string }

// New starts with the anchor, a root one already trusts (5.2). Its expiry does
// not matter: the newest root's does. With a zero now expiry is not judged.
func New(anchor []byte, mode Mode, now time.Time) (*Set, error) {
	d, err := parse(Root, anchor, mode)
	if err != nil {
		return nil, err
	}
	s := &Set{mode: mode, root: d, targets: map[string]*document{}, edges: map[edge]bool{},
		parents: map[string]string{}, roles: map[string]Role{}, atLeast: map[string]int64{}}
	signers, err := d.roles[Root].check(d)
	if err != nil {
		return nil, err
	}
	if err := s.engine.start(anchor); err != nil {
		return nil, err
	}
	if !now.IsZero() {
		s.now = now.UTC()
	}
	s.engine.at(s.now)
	s.accept(d, d.roles[Root], signers)
	return s, nil
}

// Restart returns a Set that trusts the same root and has loaded nothing else,
// for another walk at another time; the root is not verified again.
func (s *Set) Restart(now time.Time) *Set {
	r := &Set{mode: s.mode, root: s.root, targets: map[string]*document{}, edges: map[edge]bool{},
		parents: map[string]string{}, roles: map[string]Role{Root: s.roles[Root]}, atLeast: map[string]int64{}}
	if !now.IsZero() {
		r.now = now.UTC()
	}
	if made := r.root.made; !r.now.IsZero() && made.After(r.now) {
		r.now = made
	}
	r.engine = s.engine.restart()
	r.engine.at(r.now)
	return r
}

// AtLeast makes the Set refuse versions of role below version: what a device
// remembers holds even where the file it was read from is gone.
func (s *Set) AtLeast(role string, version int64) {
	s.atLeast[role] = max(s.atLeast[role], version)
}

// Now is the time expiry is judged by: the clock's, or the latest time that a
// root says it was made, whichever is later. It stands still from the
// timestamp on (the fixed start time of 5.1); what targets and channels say of
// their making is for callers to remember and to bring next time. A clock set
// back then cannot make old metadata fresh, and online keys cannot move it.
func (s *Set) Now() time.Time { return s.now }

// accept records a verified role. It is the last act of every step.
func (s *Set) accept(d *document, by delegation, signers []Key) {
	s.roles[d.role] = Role{
		Name: d.role, Version: d.version, Expires: d.expires, Made: d.made, Event: d.event,
		Quorum: by.quorum, Authorised: by.authorised(), Signers: signers,
	}
	if d.role == Root && !s.now.IsZero() && d.made.After(s.now) {
		s.now = d.made
		s.engine.at(s.now)
	}
}

func (s *Set) expired(d *document) error {
	if !s.now.IsZero() && s.now.After(d.expires) {
		return &ExpiredError{Role: d.role, Expires: d.expires, Now: s.now}
	}
	return nil
}

func (s *Set) notBelow(role string, version int64) error {
	if have := s.atLeast[role]; version < have {
		return &RollbackError{Role: role, Got: version, Have: have}
	}
	return nil
}

// Role returns one verified role.
func (s *Set) Role(name string) (Role, bool) {
	r, ok := s.roles[name]
	return r, ok
}

// Roles returns all verified roles: root, timestamp, snapshot, targets, then
// the others by name.
func (s *Set) Roles() []Role {
	order := map[string]int{Root: 1, Timestamp: 2, Snapshot: 3, Targets: 4}
	list := make([]Role, 0, len(s.roles))
	for _, r := range s.roles {
		list = append(list, r)
	}
	rank := func(name string) int {
		if n, ok := order[name]; ok {
			return n
		}
		return len(order) + 1
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i].Name, list[j].Name
		if rank(a) != rank(b) {
			return rank(a) < rank(b)
		}
		return a < b
	})
	return list
}

// Root returns the newest root's bytes.
func (s *Set) Root() []byte { return s.root.raw }

// Authorised returns the keys that the newest root lists for a top-level role.
func (s *Set) Authorised(role string) []Key { return s.root.roles[role].authorised() }

// Delegated returns the keys its delegator lists for a delegated role.
func (s *Set) Delegated(role string) []Key {
	if above := s.targets[s.parents[role]]; above != nil {
		by, _ := above.delegation(role)
		return by.authorised()
	}
	return nil
}

// Consistent reports whether file names carry versions and hashes (6.2).
func (s *Set) Consistent() bool { return s.root.consistent }

// Delegator returns the role that delegates the given one, as far as loaded
// roles tell.
func (s *Set) Delegator(role string) (string, bool) {
	p, ok := s.parents[role]
	return p, ok
}

// Expected says which version of a role is meant, and its length in bytes when
// that is known (0 when not). ok is false until the role above is loaded.
func (s *Set) Expected(role string) (version, length int64, ok bool) {
	above := s.snapshot
	if role == Snapshot {
		above = s.timestamp
	} else if !s.final {
		return 0, 0, false
	}
	if above == nil {
		return 0, 0, false
	}
	f, ok := above.meta[role+".json"]
	return f.version, f.length, ok
}
