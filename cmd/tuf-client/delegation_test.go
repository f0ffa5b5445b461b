package main

import (
	"fmt"
	"sort"
	"strings"
	"testing"
)

func sorted(list ...string) []string {
	sort.Strings(list)
	return list
}

// TestGraphTraversal asks for a target nobody has and looks at the order in
// which roles are fetched. A graph is lines of "delegator > role paths…"; "!"
// before the role makes the delegation terminating.
func TestGraphTraversal(t *testing.T) {
	for name, c := range map[string]struct{ graph, order string }{
		"basic-delegation":                                          {"targets > A *", "A"},
		"single-level-delegations":                                  {"targets > A *; targets > B *", "A B"},
		"two-level-delegations":                                     {"targets > A *; targets > B *; B > C *", "A B C"},
		"two-level-test-DFS-order-of-traversal":                     {"targets > A *; targets > B *; A > C *; A > D *", "A C D B"},
		"three-level-delegation-test-DFS-order-of-traversal":        {"targets > A *; targets > B *; A > C *; C > D *", "A C D B"},
		"two-level-terminating-ignores-all-but-roles-descendants":   {"targets > A *; targets > B *; A > !C *; A > D *", "A C"},
		"three-level-terminating-ignores-all-but-roles-descendants": {"targets > A *; targets > B *; A > !C *; C > D *", "A C D"},
		"two-level-ignores-all-branches-not-matching-paths":         {"targets > A *.py; targets > B *; A > C *", "B"},
		"three-level-ignores-all-branches-not-matching-paths":       {"targets > A *; targets > B *; A > C *.py; C > D *", "A B"},
		"cyclic-graph":                                    {"targets > A *; targets > B *; B > C *; C > D *; D > B *", "A B C D"},
		"two-roles-delegating-to-a-third":                 {"targets > A *; targets > B *; B > C *; A > C *", "A C B"},
		"two-roles-delegating-to-a-third-different-paths": {"targets > A *; targets > B *; B > C *; A > C *.py", "A B C"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(t)
			d := start(s)
			s.build(c.graph)
			d.download(1, "missingpath")
			want := strings.Fields(c.order)
			for i := range want {
				want[i] += " 1"
			}
			equal(t, "order", s.asked[4:], want)
		})
	}
}

// build delegates along the lines of a graph and publishes every role once.
func (s *simulator) build(graph string) {
	roles := map[string]bool{}
	for _, line := range strings.Split(graph, ";") {
		f := strings.Fields(line)
		role, terminating := strings.CutPrefix(f[2], "!")
		s.delegate(f[0], role, terminating, f[3:]...)
		roles[role], roles[f[0]] = true, true
	}
	s.publishAll(roles)
}

func (s *simulator) publishAll(roles map[string]bool) {
	var list []string
	for role := range roles {
		list = append(list, role)
	}
	s.publish(sorted(list...)...)
	s.publish("snapshot", "timestamp")
}

const tree = "targets > A *.doc *.md; targets > B releases/*/*; B > C releases/x/*; B > D releases/y/*.zip"

func TestTargetfileSearch(t *testing.T) {
	for target, c := range map[string]struct {
		found bool
		order string
	}{
		"targetfile":          {true, ""},
		"README.md":           {true, "A"},
		"releases/x/x_v1":     {true, "B C"},
		"releases/y/y_v1.zip": {true, "B D"},
		"releases/z/z_v1.zip": {false, "B"},
	} {
		t.Run(target, func(t *testing.T) {
			s := newSimulator(t)
			d := start(s)
			for _, role := range []string{"A", "B", "C", "D"} {
				s.signed[role] = s.common("targets", object{"targets": object{}})
			}
			s.addArtifact("targets", "targetfile", "by targets")
			s.addArtifact("A", "README.md", "by A")
			s.addArtifact("C", "releases/x/x_v1", "by C")
			s.addArtifact("D", "releases/y/y_v1.zip", "by D")
			s.addArtifact("D", "releases/z/z_v1.zip", "not D's to give")
			s.build(tree)
			if c.found {
				d.download(0, target)
				d.holds(string(s.artifacts[target].data))
			} else {
				d.download(1, target)
				d.holds()
			}
			want := strings.Fields(c.order)
			for i := range want {
				want[i] += " 1"
			}
			equal(t, "order", s.asked[4:], want)
		})
	}
}

// TestCachedRoleIsVerifiedAgainstCurrentDelegator: A and B both delegate C,
// with different keys. What A's keys signed is good for A's paths only, also
// when the same process has loaded it before.
func TestCachedRoleIsVerifiedAgainstCurrentDelegator(t *testing.T) {
	for _, signedByB := range []bool{false, true} {
		t.Run(fmt.Sprint("signed by B too: ", signedByB), func(t *testing.T) {
			s := newSimulator(t)
			d := start(s)
			s.signed["C"] = s.common("targets", object{"targets": object{}})
			s.addArtifact("C", "path-a", "for A")
			s.addArtifact("C", "path-b", "for B")
			s.delegate("targets", "A", false, "path-a")
			s.delegate("targets", "B", false, "path-b")
			s.delegate("A", "C", false, "path-a")
			s.delegate("B", "C", false, "path-b")
			if !signedByB {
				s.keys["C"] = s.keys["C"][:1]
			}
			s.publishAll(map[string]bool{"A": true, "B": true, "C": true, "targets": true})
			if signedByB {
				d.download(0, "path-a", "path-b")
				d.holds("for A", "for B")
				return
			}
			d.download(1, "path-a", "path-b")
			d.holds("for A")
			d.download(1, "path-b") // nor from the copy on disk
			d.download(0, "path-a")
			d.holds("for A")
		})
	}
}
