package trust

import (
	"fmt"
	"time"
)

// Set is metadata that was verified together.
type Set struct {
	root []byte
}

// Verify walks TUF 5.3 to 5.6 over bytes in hand. A zero now leaves expiry unjudged.
func Verify(anchor []byte, m Metadata, now time.Time) (*Set, error) {
	return nil, fmt.Errorf("tuf/trust: being written")
}

// Role returns one verified role.
func (s *Set) Role(name string) (Role, bool) { return Role{}, false }

// Roles returns all verified roles: root, timestamp, snapshot, targets, then channels by name.
func (s *Set) Roles() []Role { return nil }

// Targets returns the files one role names, sorted by path.
func (s *Set) Targets(role string) []Target { return nil }

// Target finds the file that the delegation rules give for path.
func (s *Set) Target(path string) (Target, error) { return Target{}, ErrNoTarget }

// Root returns the newest root's bytes.
func (s *Set) Root() []byte { return s.root }
