package trust

import (
	"fmt"
	"sort"
)

// Missing says that a search needs a role that is not loaded yet.
type Missing struct {
	Role      string
	Delegator string
}

func (m *Missing) Error() string {
	return fmt.Sprintf("role %q, delegated by %s, is needed and not loaded", m.Role, m.Delegator)
}

// Target finds the file that the delegation rules give for path (5.6.7):
// depth first, in the order of each delegator, not beyond a terminating role.
// ErrNoTarget when nobody names it, *Missing when a role on the way is not
// loaded: it might name another file, so skipping it would be wrong.
func (s *Set) Target(path string) (Target, error) {
	stack := []edge{{Root, Targets}}
	visited := map[string]bool{}
	for len(stack) > 0 && len(visited) < maxWalk {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if visited[e.role] {
			continue
		}
		if !s.edges[e] {
			return Target{}, &Missing{Role: e.role, Delegator: e.delegator}
		}
		visited[e.role] = true
		d := s.targets[e.role]
		if f, ok := d.targets[path]; ok {
			return f.target(path, e.role), nil
		}
		var next []edge
		for _, child := range d.delegationsFor(path) {
			next = append(next, edge{e.role, child.name})
			if child.terminating {
				stack = nil
				break
			}
		}
		for i := len(next) - 1; i >= 0; i-- {
			stack = append(stack, next[i])
		}
	}
	return Target{}, fmt.Errorf("%q: %w", path, ErrNoTarget)
}

func (f targetFile) target(path, role string) Target {
	t := Target{Path: path, Length: f.length, Custom: f.custom, Role: role, hashes: f.hashes}
	copy(t.SHA256[:], f.hashes["sha256"])
	return t
}

// Targets returns the files one role names, sorted by path. In Standard mode
// that may include files which Target gives to another role or to nobody.
func (s *Set) Targets(role string) []Target {
	d := s.targets[role]
	if d == nil {
		return nil
	}
	list := make([]Target, 0, len(d.targets))
	for path, f := range d.targets {
		list = append(list, f.target(path, role))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list
}

// Match checks bytes in hand against the target's length and every hash.
func (t Target) Match(b []byte) error {
	if int64(len(b)) != t.Length {
		return &MismatchError{Role: t.Path, What: "length", Got: number(int64(len(b))), Want: number(t.Length)}
	}
	return matchHashes(t.Path, t.hashes, b)
}

// Hashes returns the names in which a repository with consistent snapshots may
// keep the file, "sha256" first: hexadecimal hashes of its bytes.
func (t Target) Hashes() []string {
	var list []string
	for _, name := range []string{"sha256", "sha512"} {
		if h, ok := t.hashes[name]; ok {
			list = append(list, fmt.Sprintf("%x", h))
		}
	}
	return list
}
