package group_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/countersign-project/countersign/messenger/group"
)

// members is the list with who is an admin and who was removed.
func members(s *group.State) (out string) {
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		m := s.Members[name]
		out += fmt.Sprintf("%s%s%s@%d by %s; ", name, map[bool]string{true: "*"}[m.Admin], map[bool]string{true: "-"}[m.Removed], m.Clock, m.By)
	}
	return out
}

// Everybody who has heard of it sees the same, whoever changes what before and after.
func TestAMemberIsCalledByAnotherName(t *testing.T) {
	c := newCircle(t, "alice", "bob", "carol")
	for _, who := range []string{"alice", "bob", "carol"} {
		if !c.views[who].Move("alice", "alice2") {
			t.Error(who, "sees no change")
		}
		if c.views[who].Move("alice", "alice2") {
			t.Error(who, "sees a change a second time")
		}
		if got, want := members(c.views[who]), "alice2*@1 by alice2; bob@2 by alice2; carol@3 by alice2; "; got != want {
			t.Errorf("%s sees %s, want %s", who, got, want)
		}
	}
	c.views["alice2"] = c.views["alice"]
	c.views["alice2"].Rename("alice2", "chorus")
	if err := c.views["alice2"].Remove("alice2", "carol"); err != nil {
		t.Fatal(err)
	}
	c.tells("alice2", "bob", "name, removed carol")
	if got := c.views["bob"].NameSet; got != (group.Stamp{Clock: 4, By: "alice2"}) {
		t.Error(got)
	}
}

// Who was added under the new name before everybody had heard of it is one member; who was removed does not come back by another name.
func TestTwoNamesBecomeOne(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *group.State) error
		want string
	}{
		{"added", func(s *group.State) error { return s.Add("alice", "bob2") }, "alice*@1 by alice; bob2@3 by alice; "},
		{"an admin", func(s *group.State) error { return s.Appoint("alice", "bob", true) }, "alice*@1 by alice; bob2*@3 by alice; "},
		{"an admin, and added", func(s *group.State) error {
			if err := s.Appoint("alice", "bob", true); err != nil {
				return err
			}
			return s.Add("alice", "bob2")
		}, "alice*@1 by alice; bob2*@4 by alice; "},
		{"removed", func(s *group.State) error { return s.Remove("alice", "bob") }, "alice*@1 by alice; bob2-@3 by alice; "},
		{"removed, and added", func(s *group.State) error {
			if err := s.Remove("alice", "bob"); err != nil {
				return err
			}
			return s.Add("alice", "bob2")
		}, "alice*@1 by alice; bob2@4 by alice; "},
	} {
		s := newCircle(t, "alice", "bob").views["alice"]
		if err := c.do(s); err != nil {
			t.Fatal(c.name, err)
		}
		s.Move("bob", "bob2")
		if got := members(s); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
