package group_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/wire"
)

// circle is a group as each of its members sees it.
type circle struct {
	*testing.T
	views map[string]*group.State
}

func newCircle(t *testing.T, founder string, others ...string) *circle {
	t.Helper()
	c := &circle{t, map[string]*group.State{founder: group.New([16]byte{7}, founder, "choir")}}
	for _, o := range others {
		if err := c.views[founder].Add(founder, o); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range others {
		s, err := group.Learn(founder, o, onTheWire(t, c.views[founder].Update()))
		if err != nil {
			t.Fatal(err)
		}
		c.views[o] = s
	}
	return c
}

// onTheWire is an update as it is sent and read again.
func onTheWire(t *testing.T, g *wire.Group) *wire.Group {
	t.Helper()
	got, err := wire.ParseContent((&wire.Content{Data: &wire.Data{Group: g}}).Encode())
	if err != nil {
		t.Fatal(err)
	}
	return got.Data.Group
}

// tells lets to hear from's present state.
func (c *circle) tells(from, to, want string) {
	c.Helper()
	got, err := c.views[to].Merge(from, onTheWire(c.T, c.views[from].Update()))
	if s := describe(got, err); s != want {
		c.Errorf("%s tells %s: got %q, want %q", from, to, s, want)
	}
}

func describe(c group.Change, err error) string {
	if err != nil {
		return err.Error()
	}
	var parts []string
	for word, names := range map[string][]string{"added": c.Added, "removed": c.Removed, "left": c.Left} {
		if len(names) > 0 {
			parts = append(parts, word+" "+strings.Join(names, " "))
		}
	}
	for word, b := range map[string]bool{"name": c.Name, "admins": c.Admins, "expires": c.Expires, "avatar": c.Avatar, "ignored": c.Ignored} {
		if b {
			parts = append(parts, word)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (c *circle) members(of, want string) {
	c.Helper()
	if got := strings.Join(c.views[of].List(), " "); got != want {
		c.Errorf("%s sees %q, want %q", of, got, want)
	}
}

func TestWhoIsRemovedDoesNotComeBack(t *testing.T) {
	c := newCircle(t, "alice", "bob", "carol")
	if err := c.views["alice"].Remove("alice", "carol"); err != nil {
		t.Fatal(err)
	}
	c.tells("bob", "alice", "") // he has not heard of it
	c.members("alice", "alice bob")
	c.tells("alice", "bob", "removed carol")
	old := &wire.Group{ID: [16]byte{7}, Kind: wire.GroupUpdate, Name: "choir", Members: []string{"alice", "bob", "carol"}}
	if got := describe(c.views["alice"].Merge("bob", old)); got != "ignored" { // nor does a client without clocks
		t.Error(got)
	}
	c.members("alice", "alice bob")
	c.tells("carol", "alice", "invalid message: group: carol is no member")
	if err := c.views["alice"].Add("alice", "carol"); err != nil {
		t.Fatal(err)
	}
	c.tells("alice", "bob", "added carol")
	c.members("bob", "alice bob carol")
}

func TestWhoMayDoWhat(t *testing.T) {
	c := newCircle(t, "alice", "bob", "carol")
	if err := c.views["bob"].Remove("bob", "carol"); err == nil || err.Error() != "invalid message: group: bob is no admin and removes carol" {
		t.Error(err)
	}
	// What his program would not do, he does by hand: in his own name, and in Alice's.
	for _, by := range []string{"bob", "alice"} {
		forged := c.views["bob"].Clone()
		forged.Members["carol"] = group.Member{Stamp: group.Stamp{Clock: 50, By: by}, Removed: true}
		forged.Members["bob"] = group.Member{Stamp: group.Stamp{Clock: 51, By: by}, Admin: true}
		forged.Members["mallory"] = group.Member{Stamp: group.Stamp{Clock: 52, By: by}}
		if got := describe(c.views["carol"].Merge("bob", onTheWire(t, forged.Update()))); got != "ignored" {
			t.Errorf("by %s: %q", by, got)
		}
	}
	c.members("carol", "alice bob carol")
	// A name anybody may set, a lie about who did it does not help.
	c.views["bob"].Rename("bob", "chorus")
	c.tells("bob", "carol", "name")
	lie := c.views["bob"].Clone()
	lie.Name, lie.NameSet = "nonsense", group.Stamp{Clock: 90, By: "alice"}
	if got := describe(c.views["carol"].Merge("bob", onTheWire(t, lie.Update()))); got != "" {
		t.Error(got)
	}
	// Appointed, he may.
	if err := c.views["alice"].Appoint("alice", "bob", true); err != nil {
		t.Fatal(err)
	}
	c.tells("alice", "bob", "admins")
	c.tells("alice", "carol", "admins")
	if err := c.views["bob"].Remove("bob", "carol"); err != nil {
		t.Error(err)
	}
	c.tells("bob", "alice", "name, removed carol")
	high := c.views["bob"].Clone()
	high.NameSet.Clock = 1 << 60
	if got := describe(c.views["alice"].Merge("bob", onTheWire(t, high.Update()))); !strings.Contains(got, "sets the clock to") {
		t.Error(got)
	}
}

func TestLeaving(t *testing.T) {
	c := newCircle(t, "alice", "bob", "carol")
	if got := describe(c.views["alice"].Quit("carol"), nil); got != "left carol" {
		t.Error(got)
	}
	if err := c.views["carol"].Remove("carol", "carol"); err != nil {
		t.Error(err)
	}
	c.tells("bob", "alice", "")
	c.members("alice", "alice bob")
	c.tells("carol", "bob", "left carol") // told by state rather than by QUIT
}

// Whatever order updates come in, and however often, all members end with the same group.
func TestAllEndWithTheSame(t *testing.T) {
	c := newCircle(t, "alice", "bob", "carol", "dave")
	if err := c.views["alice"].Appoint("alice", "bob", true); err != nil {
		t.Fatal(err)
	}
	c.tells("alice", "bob", "admins")
	var updates []*wire.Group
	var senders []string
	say := func(who string, f func(*group.State)) {
		f(c.views[who])
		updates, senders = append(updates, onTheWire(t, c.views[who].Update())), append(senders, who)
	}
	say("alice", func(s *group.State) { s.Rename("alice", "one") })
	say("bob", func(s *group.State) { s.Rename("bob", "two") })
	say("alice", func(s *group.State) { _ = s.Remove("alice", "dave") })
	say("bob", func(s *group.State) { _ = s.Add("bob", "erin") })
	say("alice", func(s *group.State) { s.SetExpires("alice", 60) })
	say("bob", func(s *group.State) { s.SetExpires("bob", 30) })
	orders := [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {2, 5, 0, 3, 1, 4, 2, 5, 0}}
	var first string
	for i, order := range orders {
		s, err := group.Learn("alice", "carol", onTheWire(t, newCircle(t, "alice", "bob", "carol", "dave").views["alice"].Update()))
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Appoint("alice", "bob", true)
		for _, n := range order {
			if _, err := s.Merge(senders[n], updates[n]); err != nil {
				t.Fatal(err)
			}
		}
		got := fmt.Sprint(s.List(), " ", s.Name, " ", s.Expires)
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("order %v ends with %s, the first with %s", order, got, first)
		}
	}
	if first != "[alice bob carol erin] two 30" {
		t.Error(first)
	}
}

func TestAtMost150(t *testing.T) {
	s := group.New([16]byte{1}, "alice", "x")
	for i := range group.MaxMembers - 1 {
		if err := s.Add("alice", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add("alice", "one more"); err == nil || err.Error() != "the group has 150 members, which is the most a group can have" {
		t.Error(err)
	}
	if _, err := group.Learn("mallory", "alice", s.Update()); err == nil || err.Error() != "invalid message: group: mallory tells of a group that he, or we, are not in" {
		t.Error(err)
	}
}
