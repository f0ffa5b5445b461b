package client

import (
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Names. Whoever is on our own server is called by the number alone, whoever is on another by the number, an "@", and the name under which our server
// knows that one (8). So the same person has different names seen from different servers. What people compare, and what is hashed for all members
// of a group, therefore has bare numbers; names in what comes from another server are turned into ours (localNames). Two people of two servers
// who had the same number would be mixed up there; servers give numbers out at random, or after a code was brought to them.

// number tells whether a text is a name: "+" and digits, with a server or without.
func number(s string) bool {
	digits, server, at := strings.Cut(s, "@")
	if len(digits) < 3 || len(digits) > 32 || digits[0] != '+' || at && !serverName(server) {
		return false
	}
	return strings.Trim(digits[1:], "0123456789") == ""
}

func serverName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// bare is a name without its server.
func bare(name string) string {
	digits, _, _ := strings.Cut(name, "@")
	return digits
}

func bareAll(names []string) (out []string) {
	for _, n := range names {
		out = append(out, bare(n))
	}
	return out
}

// serverOf is the server of a name, empty if it is ours.
func serverOf(name string) string {
	_, server, _ := strings.Cut(name, "@")
	return server
}

// named finds the name of whom another means by a bare number, or by a name of his own server's: ourselves, himself, or a member of the group.
func (c *change) named(conversation, sender, theirs string) (string, error) {
	if moved, err := c.nowCalled(theirs, serverOf(sender)); err != nil {
		return "", err
	} else if moved != "" {
		return moved, nil
	}
	switch n := bare(theirs); n {
	case c.self():
		return c.self(), nil
	case bare(sender):
		return sender, nil
	case bare(conversation):
		return conversation, nil
	default:
		id, ok := groupID(conversation)
		if !ok {
			return theirs, nil
		}
		g, err := c.group(id)
		if err != nil || g == nil {
			return theirs, err
		}
		return member(g, n), nil
	}
}

// member finds who of a group, now or once, has a bare number.
func member(g *group.State, n string) string {
	found := n
	for name, m := range g.Members {
		if bare(name) == n && (found == n || !m.Removed) {
			found = name
		}
	}
	return found
}

func members(g *group.State, bares []string) (out []string) {
	for _, n := range bares {
		out = append(out, member(g, n))
	}
	return out
}

// localNames turns the names in a group's update from a member on another server into ours. What our server is called there we learn from how that member
// calls us.
func (c *change) localNames(sender string, g *wire.Group) *wire.Group {
	theirs := serverOf(sender)
	if theirs == "" {
		return g
	}
	ours, all := "", g.Members
	if g.State != nil {
		for _, m := range g.State.Members { // with those who were removed: perhaps us
			all = append(all[:len(all):len(all)], m.Name)
		}
	}
	for _, m := range all {
		if bare(m) == c.self() && serverOf(m) != "" {
			ours = serverOf(m)
		}
	}
	turn := func(name string) string { return localName(name, theirs, ours) }
	return withNames(g, turn)
}

// withNames is a copy of what a message says of a group, in which everybody is called otherwise.
func withNames(g *wire.Group, turn func(string) string) *wire.Group {
	out := *g
	out.Members = nil
	for _, m := range g.Members {
		out.Members = append(out.Members, turn(m))
	}
	if g.State != nil {
		s := *g.State
		s.Members, s.NameBy, s.AvatarBy, s.ExpireBy = nil, turn(s.NameBy), turn(s.AvatarBy), turn(s.ExpireBy)
		for _, m := range g.State.Members {
			m.Name, m.By = turn(m.Name), turn(m.By)
			s.Members = append(s.Members, m)
		}
		out.State = &s
	}
	return &out
}

// checkNames refuses a group's update that calls somebody what is no name: what is written to its members would go astray, or nowhere.
func checkNames(g *wire.Group) error {
	all := g.Members
	if g.State != nil {
		all = slices.Clone(all)
		for _, m := range g.State.Members {
			all = append(all, m.Name, m.By)
		}
		all = append(all, g.State.NameBy, g.State.AvatarBy, g.State.ExpireBy)
	}
	for _, name := range all {
		if name != "" && !number(name) {
			return refusal.Because(refusal.InvalidMessage, "group: a member %.40q, want a number", name)
		}
	}
	return nil
}

// localName turns one name of another server's into ours: theirs is what we call that server, ours what ours is called there.
func localName(name, theirs, ours string) string {
	switch server := serverOf(name); {
	case name == "" || theirs == "":
		return name
	case server == "":
		return name + "@" + theirs
	case server == ours:
		return bare(name)
	}
	return name
}
