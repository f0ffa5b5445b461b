package group

import (
	"slices"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// maxAhead is how far a change may put the group's clock forward: without a bound one member could end it by the highest number.
const maxAhead = 1 << 20

// Change is what an update has changed, for people.
type Change struct {
	Added, Removed, Left []string
	Admins               bool
	Name, Avatar         bool
	Expires              bool
	// Ignored: the update had something in it that its sender may not do. We may know less than he does: ask an admin.
	Ignored bool
}

// Nothing tells whether all stays as it was.
func (c Change) Nothing() bool {
	return len(c.Added)+len(c.Removed)+len(c.Left) == 0 && !c.Admins && !c.Name && !c.Avatar && !c.Expires
}

// Learn makes a state of an update about a group we do not know. Its sender and we ourselves must be in it.
func Learn(sender, self string, g *wire.Group) (*State, error) {
	s := &State{ID: g.ID, Members: map[string]Member{}}
	if g.State == nil {
		for _, m := range g.Members {
			s.Members[m] = Member{}
		}
		s.Name, s.Avatar = g.Name, g.Avatar
	} else {
		for _, m := range g.State.Members {
			s.Members[m.Name] = Member{Stamp{m.Clock, m.By}, m.Removed, m.Admin && !m.Removed}
			s.Clock = max(s.Clock, m.Clock)
		}
		s.Name, s.NameSet = g.Name, Stamp{g.State.NameClock, g.State.NameBy}
		s.Avatar, s.AvatarSet = g.Avatar, Stamp{g.State.AvatarClock, g.State.AvatarBy}
		s.Expires, s.ExpiresSet = g.State.ExpireTimer, Stamp{g.State.ExpireClock, g.State.ExpireBy}
		s.Clock = max(s.Clock, g.State.NameClock, g.State.AvatarClock, g.State.ExpireClock)
		if s.Clock > 1<<40 {
			return nil, refusal.Because(refusal.InvalidMessage, "group: a clock at %d", s.Clock)
		}
	}
	switch {
	case !s.In(sender) || !s.In(self):
		return nil, refusal.Because(refusal.InvalidMessage, "group: %s tells of a group that he, or we, are not in", sender)
	case len(s.List()) > MaxMembers:
		return nil, refusal.Because(refusal.InvalidMessage, "group: %d members, want at most %d", len(s.List()), MaxMembers)
	}
	return s, nil
}

// Merge takes in an update from a member of a group we know, and says what it changed. Who is no member changes nothing.
func (s *State) Merge(sender string, g *wire.Group) (Change, error) {
	var c Change
	if !s.In(sender) {
		return c, refusal.Because(refusal.InvalidMessage, "group: %s is no member", sender)
	}
	if g.State == nil {
		s.mergeOld(sender, g, &c)
		return c, nil
	}
	if top := slices.MaxFunc(append(g.State.Members, wire.GroupMember{}), func(a, b wire.GroupMember) int { return int(int64(a.Clock) - int64(b.Clock)) }).Clock; max(top, g.State.NameClock, g.State.AvatarClock, g.State.ExpireClock) > s.Clock+maxAhead {
		return c, refusal.Because(refusal.InvalidMessage, "group: %s sets the clock to %d, it is at %d", sender, top, s.Clock)
	}
	admin := s.Admin(sender) // before his own update
	for _, m := range g.State.Members {
		s.mergeMember(sender, admin, m, &c)
	}
	mine := func(st Stamp) bool { return st.By == sender || admin }
	if st := (Stamp{g.State.NameClock, g.State.NameBy}); st.after(s.NameSet) && mine(st) {
		c.Name = s.Name != g.Name
		s.Name, s.NameSet, s.Clock = g.Name, st, max(s.Clock, st.Clock)
	}
	if st := (Stamp{g.State.AvatarClock, g.State.AvatarBy}); st.after(s.AvatarSet) && mine(st) {
		s.Avatar, s.AvatarSet, s.Clock, c.Avatar = g.Avatar, st, max(s.Clock, st.Clock), true
	}
	if st := (Stamp{g.State.ExpireClock, g.State.ExpireBy}); st.after(s.ExpiresSet) && mine(st) {
		c.Expires = s.Expires != g.State.ExpireTimer
		s.Expires, s.ExpiresSet, s.Clock = g.State.ExpireTimer, st, max(s.Clock, st.Clock)
	}
	return c, nil
}

// mergeMember takes in one member's entry.
func (s *State) mergeMember(sender string, admin bool, m wire.GroupMember, c *Change) {
	have, known := s.Members[m.Name]
	st := Stamp{m.Clock, m.By}
	if known && !st.after(have.Stamp) {
		return
	}
	leaving := m.Removed && m.Name == sender && m.By == sender
	if !admin && !leaving {
		c.Ignored = true
		return
	}
	if !known && m.Removed {
		s.Members[m.Name] = Member{st, true, false} // a tombstone of somebody we never met
		s.Clock = max(s.Clock, m.Clock)
		return
	}
	was := known && !have.Removed
	if !m.Removed && !was && len(s.List()) >= MaxMembers {
		c.Ignored = true
		return
	}
	s.Members[m.Name] = Member{st, m.Removed, m.Admin && !m.Removed}
	s.Clock = max(s.Clock, m.Clock)
	switch {
	case !was && !m.Removed:
		c.Added = append(c.Added, m.Name)
	case was && m.Removed && m.By == m.Name:
		c.Left = append(c.Left, m.Name)
	case was && m.Removed:
		c.Removed = append(c.Removed, m.Name)
	case was && have.Admin != m.Admin:
		c.Admins = true
	}
}

// mergeOld takes in an update of a client that knows no clocks: members are added, unless they were removed, and nobody is removed. In a group
// with admins only theirs add.
func (s *State) mergeOld(sender string, g *wire.Group, c *Change) {
	for _, name := range g.Members {
		if _, known := s.Members[name]; known {
			c.Ignored = c.Ignored || s.Members[name].Removed
			continue
		}
		if !s.Admin(sender) || len(s.List()) >= MaxMembers {
			c.Ignored = true
			continue
		}
		s.Members[name] = Member{Stamp: s.tick(sender)}
		c.Added = append(c.Added, name)
	}
	if g.Name != "" && g.Name != s.Name {
		s.Rename(sender, g.Name)
		c.Name = true
	}
	if g.Avatar != nil {
		s.SetAvatar(sender, g.Avatar)
		c.Avatar = true
	}
}

// Quit takes in that a member has left.
func (s *State) Quit(sender string) Change {
	if !s.In(sender) {
		return Change{}
	}
	s.Members[sender] = Member{s.tick(sender), true, false}
	return Change{Left: []string{sender}}
}
