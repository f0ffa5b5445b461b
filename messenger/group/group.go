// Package group keeps what a group is: who is in it, who may change that, its name, picture and timer (section 11.2 of the wire specification).
//
// There is no server that knows. Every member has a State of its own, and changes travel as messages, which may be late, lost, repeated, or
// made up by a member. So each field remembers who set it, and when by the group's own clock, a number that grows with every change
// anybody makes; the later change wins, and of two at the same moment the one of the higher name. Who was removed stays listed as
// removed, so that somebody who has not heard of it cannot bring him back.
//
// A change counts if the member who sends it may make it and says that it is his: admins add, remove and appoint; everybody may leave, and
// everybody may set name, picture and timer. Changes of others, which a member passes on, count only from an admin, or when we learn of
// the group. What another client sends, which has no clocks, adds members and names and removes nobody but its sender.
//
// The package is pure: state in, state out.
package group

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// MaxMembers is how many members a group may have. Every one of them is a message of its own.
const MaxMembers = 150

// Stamp says who set a field, and when.
type Stamp struct {
	Clock uint64
	By    string
}

// after tells whether s is the later change.
func (s Stamp) after(o Stamp) bool {
	mine, _, _ := strings.Cut(s.By, "@") // the server is called differently by others, and must not decide
	theirs, _, _ := strings.Cut(o.By, "@")
	return cmp.Or(cmp.Compare(s.Clock, o.Clock), cmp.Compare(mine, theirs)) > 0
}

// Member is somebody who is in the group, or was.
type Member struct {
	Stamp
	Removed, Admin bool
}

// State is one member's view of a group.
type State struct {
	ID         [16]byte
	Members    map[string]Member
	Name       string
	NameSet    Stamp
	Avatar     *wire.Attachment
	AvatarSet  Stamp
	Expires    uint32 // seconds
	ExpiresSet Stamp
	Clock      uint64 // the highest seen
}

// New makes a group of which the founder is the admin.
func New(id [16]byte, founder, name string) *State {
	s := &State{ID: id, Members: map[string]Member{founder: {Stamp{1, founder}, false, true}}, Name: name, NameSet: Stamp{1, founder}, Clock: 1}
	return s
}

// In tells whether somebody is a member.
func (s *State) In(name string) bool {
	m, ok := s.Members[name]
	return ok && !m.Removed
}

// Admin tells whether somebody may add and remove. A group that has no admin, because another client made it, is everybody's.
func (s *State) Admin(name string) bool {
	return s.In(name) && (s.Members[name].Admin || !slices.ContainsFunc(slices.Collect(maps.Values(s.Members)), func(m Member) bool { return m.Admin && !m.Removed }))
}

// List returns the members, sorted.
func (s *State) List() []string {
	var out []string
	for name, m := range s.Members {
		if !m.Removed {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// tick is the next moment of the group's clock.
func (s *State) tick(by string) Stamp {
	s.Clock++
	return Stamp{s.Clock, by}
}

// Add makes somebody a member, again if need be.
func (s *State) Add(by, name string) error {
	if !s.Admin(by) {
		return refusal.Because(refusal.InvalidMessage, "group: %s is no admin and adds %s", by, name)
	}
	if len(s.List()) >= MaxMembers && !s.In(name) {
		return fmt.Errorf("the group has %d members, which is the most a group can have", MaxMembers)
	}
	if !s.In(name) {
		s.Members[name] = Member{Stamp: s.tick(by)}
	}
	return nil
}

// Remove removes somebody, or lets him leave if by is himself.
func (s *State) Remove(by, name string) error {
	if by != name && !s.Admin(by) {
		return refusal.Because(refusal.InvalidMessage, "group: %s is no admin and removes %s", by, name)
	}
	if s.In(name) {
		s.Members[name] = Member{s.tick(by), true, false}
	}
	return nil
}

// Appoint makes a member an admin, or no admin.
func (s *State) Appoint(by, name string, admin bool) error {
	if !s.Admin(by) || !s.In(name) {
		return refusal.Because(refusal.InvalidMessage, "group: %s appoints %s: one is no admin, or the other no member", by, name)
	}
	s.Members[name] = Member{s.tick(by), false, admin}
	return nil
}

// Rename sets the name.
func (s *State) Rename(by, name string) { s.Name, s.NameSet = name, s.tick(by) }

// SetAvatar sets the picture; nil removes it.
func (s *State) SetAvatar(by string, a *wire.Attachment) { s.Avatar, s.AvatarSet = a, s.tick(by) }

// SetExpires sets for how many seconds messages stay; 0: for good.
func (s *State) SetExpires(by string, seconds uint32) { s.Expires, s.ExpiresSet = seconds, s.tick(by) }

// Clone returns a copy that shares nothing that changes.
func (s *State) Clone() *State {
	c := *s
	c.Members = maps.Clone(s.Members)
	return &c
}

// Update is the message that tells others of the state, with what other clients understand of it.
func (s *State) Update() *wire.Group {
	g := &wire.Group{ID: s.ID, Kind: wire.GroupUpdate, Name: s.Name, Members: s.List(), Avatar: s.Avatar, State: &wire.GroupState{
		NameClock: s.NameSet.Clock, NameBy: s.NameSet.By, AvatarClock: s.AvatarSet.Clock, AvatarBy: s.AvatarSet.By,
		ExpireTimer: s.Expires, ExpireClock: s.ExpiresSet.Clock, ExpireBy: s.ExpiresSet.By}}
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		m := s.Members[name]
		g.State.Members = append(g.State.Members, wire.GroupMember{Name: name, Removed: m.Removed, Admin: m.Admin, Clock: m.Clock, By: m.By})
	}
	return g
}
