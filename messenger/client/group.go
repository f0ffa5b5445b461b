package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

type groupState = group.State

// groupPrefix begins the names of groups' conversations.
const groupPrefix = "group:"

func groupName(id [16]byte) string { return groupPrefix + hex.EncodeToString(id[:]) }

// groupID reads a group's name.
func groupID(conversation string) (id [16]byte, ok bool) {
	text, ok := strings.CutPrefix(conversation, groupPrefix)
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != len(id) {
		return id, false
	}
	return [16]byte(b), true
}

// group returns what we know of a group; nil if nothing.
func (c *change) group(id [16]byte) (*group.State, error) {
	s, ok, err := store.Load[group.State](c.tx, store.Groups, groupName(id))
	if err != nil || !ok {
		return nil, err
	}
	return &s, nil
}

func (c *change) keepGroup(g *group.State) error {
	c.tell(Event{Type: EventConversation, Conversation: groupName(g.ID)})
	if err := store.Save(c.tx, store.Groups, groupName(g.ID), g); err != nil {
		return err
	}
	if err := c.pictureOf(g); err != nil {
		return err
	}
	joined, err := c.joined(g.ID)
	if err != nil {
		return err
	}
	now := map[string]int64{}
	for _, m := range g.List() {
		if now[m] = joined[m]; now[m] == 0 {
			now[m] = c.now
		}
	}
	return store.Save(c.tx, store.Settings, settingJoined+groupName(g.ID), now)
}

const settingJoined = "joined "

// joined says since when, as far as this device knows, each member is in a group: what came before is not sent on to him.
func (c *change) joined(id [16]byte) (map[string]int64, error) {
	since, _, err := store.Load[map[string]int64](c.tx, store.Settings, settingJoined+groupName(id))
	return since, err
}

// others are the members but us.
func (c *change) others(g *group.State) []string {
	return slices.DeleteFunc(g.List(), func(m string) bool { return m == c.self() })
}

// Group returns a group as this device sees it; nil if it knows none by that name.
func (a *Account) Group(ctx context.Context, conversation string) (g *group.State, err error) {
	id, ok := groupID(conversation)
	if !ok {
		return nil, fmt.Errorf("%q is no group", conversation)
	}
	err = a.view(ctx, func(c *change) error { g, err = c.group(id); return err })
	return g, err
}

// Groups lists all groups this device knows.
func (a *Account) Groups(ctx context.Context) (out []*group.State, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		return store.All(tx, store.Groups, func(_ string, g group.State) error {
			out = append(out, &g)
			return nil
		})
	})
	return out, err
}

// CreateGroup makes a group and tells its members. It returns the conversation.
func (a *Account) CreateGroup(ctx context.Context, name string, members []string) (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	err := a.change(ctx, func(c *change) error {
		g := group.New(id, c.self(), name)
		p, err := c.preferences()
		if err != nil {
			return err
		}
		if p.Expires > 0 {
			g.SetExpires(c.self(), p.Expires)
		}
		for _, m := range members {
			if !number(m) {
				return fmt.Errorf("%q is no number", m)
			}
			if err := g.Add(c.self(), m); err != nil {
				return err
			}
		}
		if err := c.keepGroup(g); err != nil {
			return err
		}
		if err := history.Change(c.tx, groupName(id), func(v *history.Conversation) { v.Accepted = true }); err != nil {
			return err
		}
		if err := c.notice(groupName(id), "group", c.self(), fmt.Sprintf("You made the group %q.", name)); err != nil {
			return err
		}
		if p.Expires > 0 {
			if err := c.timerNotice(groupName(id), c.self(), p.Expires); err != nil {
				return err
			}
		}
		return c.sendUpdate(g, nil)
	})
	return groupName(id), err
}

// ChangeGroup changes a group and tells everybody in it, and those who are not any more.
func (a *Account) ChangeGroup(ctx context.Context, conversation string, f func(g *group.State, self string) error) error {
	id, ok := groupID(conversation)
	if !ok {
		return fmt.Errorf("%q is no group", conversation)
	}
	return a.change(ctx, func(c *change) error {
		return c.changeGroup(id, func(g *groupState) error { return f(g, c.self()) })
	})
}

func (c *change) changeGroup(id [16]byte, f func(*groupState) error) error {
	g, err := c.group(id)
	if err != nil {
		return err
	}
	if g == nil || !g.In(c.self()) {
		return errors.New("you are not a member of this group")
	}
	before := g.Clone()
	if err := f(g); err != nil {
		return err
	}
	if g.Clock == before.Clock {
		return nil
	}
	if err := c.keepGroup(g); err != nil {
		return err
	}
	if err := c.groupNotice(g, c.self(), difference(before, g)); err != nil {
		return err
	}
	return c.sendUpdate(g, before)
}

// difference says what changed from one state to the next.
func difference(before, after *group.State) (d group.Change) {
	for name := range after.Members {
		switch was, is := before.In(name), after.In(name); {
		case !was && is:
			d.Added = append(d.Added, name)
		case was && !is && after.Members[name].By == name:
			d.Left = append(d.Left, name)
		case was && !is:
			d.Removed = append(d.Removed, name)
		case was && before.Members[name].Admin != after.Members[name].Admin:
			d.Admins = true
		}
	}
	slices.Sort(d.Added)
	slices.Sort(d.Removed)
	d.Name, d.Expires, d.Avatar = before.Name != after.Name, before.Expires != after.Expires, before.AvatarSet != after.AvatarSet
	return d
}

// sendUpdate tells a group's members of its state, and those who were members before. Who joins learns where the transcript stands.
func (c *change) sendUpdate(g, before *group.State) error {
	to := c.others(g)
	if before != nil {
		for _, m := range c.others(before) {
			if !slices.Contains(to, m) {
				to = append(to, m)
			}
		}
	}
	d := &wire.Data{Group: g.Update(), ExpireTimer: g.Expires, ProfileKey: c.book.Own().ProfileKey}
	var err error
	if d.Timestamp, err = c.timestamp(); err != nil {
		return err
	}
	if d.Consistency, err = c.standing(g); err != nil {
		return err
	}
	picture, err := c.joinedPicture(g, before)
	if err != nil {
		return err
	}
	return c.queueData(groupName(g.ID), to, d, 0, picture)
}

// Leave leaves a group. Programs that know no clocks learn it from a message of their own kind, which comes after ours: to ours it is no news (11.1).
func (a *Account) Leave(ctx context.Context, conversation string) error {
	id, ok := groupID(conversation)
	if !ok {
		return fmt.Errorf("%q is no group", conversation)
	}
	return a.change(ctx, func(c *change) error {
		g, err := c.group(id)
		if err != nil {
			return err
		}
		if err := c.changeGroup(id, func(g *groupState) error { return g.Remove(c.self(), c.self()) }); err != nil {
			return err
		}
		d := &wire.Data{Group: &wire.Group{ID: id, Kind: wire.GroupQuit}}
		for _, m := range c.others(g) {
			if err := c.sendOne(d, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// heardGroup takes in what a message says about its group, and tells whether the rest of it goes into the conversation: not if its author is no
// member.
func (c *change) heardGroup(s said) (goes bool, err error) {
	local := c.localNames(s.author, s.data.Group)
	if err := checkNames(local); err != nil {
		return false, err
	}
	if s.data.Group, err = c.presentNames(local); err != nil {
		return false, err
	}
	g, err := c.group(s.data.Group.ID)
	if err != nil {
		return false, err
	}
	v, err := history.Open(c.tx, s.conversation)
	if err != nil || v.Blocked {
		return false, err
	}
	switch kind := s.data.Group.Kind; {
	case kind == wire.GroupUpdate && g == nil:
		return false, c.learnGroup(s)
	case g == nil && s.author != c.self():
		return true, c.askAbout(s)
	case g == nil:
		return true, nil
	case kind == wire.GroupUpdate:
		return false, c.mergeGroup(g, s)
	case !g.In(c.self()):
		return false, nil // we have left
	case kind == wire.GroupQuit && !g.In(s.author):
		return false, nil // known already
	case !g.In(s.author):
		return false, refusal.Because(refusal.InvalidMessage, "group: %s is no member", s.author)
	case kind == wire.GroupQuit:
		d := g.Quit(s.author)
		if err := c.keepGroup(g); err != nil {
			return false, err
		}
		return false, c.groupNotice(g, s.author, d)
	case kind == wire.GroupRequestInfo:
		if s.author == c.self() || !g.In(c.self()) {
			return false, nil
		}
		return false, c.tellOne(g, s.author)
	}
	return kindDelivers(s.data.Group.Kind), nil
}

func kindDelivers(kind uint32) bool { return kind == wire.GroupDeliver || kind == 0 }

// learnGroup is about a group we hear of for the first time. What came before for it from others than members goes.
func (c *change) learnGroup(s said) error {
	g, err := group.Learn(s.author, c.self(), s.data.Group)
	if err != nil {
		return err
	}
	if err := c.keepGroup(g); err != nil {
		return err
	}
	if err := c.beginTranscript(g, s.data.Consistency); err != nil {
		return err
	}
	early, err := history.List(c.tx, s.conversation, 0, 1000)
	if err != nil {
		return err
	}
	for _, m := range early {
		if m.Kind == history.Text && !g.In(m.Author) {
			if err := c.removeMessage(m.Seq); err != nil {
				return err
			}
		}
	}
	if from, err := history.Open(c.tx, s.author); err != nil {
		return err
	} else if from.Accepted || s.author == c.self() { // somebody we talk to has put us there
		if err := history.Change(c.tx, s.conversation, func(v *history.Conversation) { v.Accepted = true }); err != nil {
			return err
		}
	}
	return c.notice(s.conversation, "group", s.author, fmt.Sprintf("%s added you to the group %q.", c.called(s.author), g.Name))
}

func (c *change) mergeGroup(g *group.State, s said) error {
	if !g.In(c.self()) && !slices.Contains(s.data.Group.Members, c.self()) {
		return nil
	}
	d, err := g.Merge(s.author, s.data.Group)
	if err != nil {
		return err
	}
	if err := c.takePointer(g, s.data.Group); err != nil {
		return err
	}
	if err := c.keepGroup(g); err != nil {
		return err
	}
	if d.Ignored {
		if err := c.askAdmin(g, s.author); err != nil {
			return err
		}
	}
	return c.groupNotice(g, s.author, d)
}

// groupNotice tells what has changed.
func (c *change) groupNotice(g *group.State, by string, d group.Change) error {
	var parts []string
	who := c.called(by)
	list := func(verb string, names []string) {
		for _, n := range names {
			parts = append(parts, fmt.Sprintf("%s %s %s.", who, verb, c.called(n)))
		}
	}
	list("added", d.Added)
	list("removed", d.Removed)
	for _, n := range d.Left {
		parts = append(parts, c.called(n)+" left.")
	}
	if d.Name {
		parts = append(parts, fmt.Sprintf("%s named the group %q.", who, g.Name))
	}
	if d.Avatar && g.Avatar == nil {
		parts = append(parts, who+" removed the picture.")
	} else if d.Avatar {
		parts = append(parts, who+" changed the picture.")
	}
	if d.Admins {
		parts = append(parts, who+" changed who is an admin.")
	}
	if d.Expires {
		if err := c.timerNotice(groupName(g.ID), by, g.Expires); err != nil {
			return err
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return c.notice(groupName(g.ID), "group", by, strings.Join(parts, " "))
}

// askEvery is how often we ask one person about one group, in milliseconds (11.1).
const askEvery = 60 * 60 * 1000

// askAbout asks the sender of a message for a group we do not know what it is.
func (c *change) askAbout(s said) error { return c.askFor(s.data.Group.ID, s.author) }

// askAdmin asks an admin whether we have missed something.
func (c *change) askAdmin(g *group.State, but string) error {
	for _, m := range c.others(g) {
		if m != but && g.Members[m].Admin {
			return c.askFor(g.ID, m)
		}
	}
	return nil
}

func (c *change) askFor(id [16]byte, whom string) error {
	d := &wire.Data{Group: &wire.Group{ID: id, Kind: wire.GroupRequestInfo}}
	return c.seldom("ask "+groupName(id)+" "+whom, func() error { return c.sendOne(d, whom) })
}

// seldom does something at most once an hour for a name.
func (c *change) seldom(name string, f func() error) error {
	last, _, err := store.Load[int64](c.tx, store.Settings, name)
	if err != nil || c.now-last < askEvery {
		return err
	}
	if err := store.Save(c.tx, store.Settings, name, c.now); err != nil {
		return err
	}
	return f()
}

// tellOne answers somebody who asks about a group he is in.
func (c *change) tellOne(g *group.State, whom string) error {
	d := &wire.Data{Group: g.Update(), ExpireTimer: g.Expires}
	var err error
	if d.Consistency, err = c.standing(g); err != nil {
		return err
	}
	return c.seldom("tell "+groupName(g.ID)+" "+whom, func() error {
		picture, err := c.pictureAgain(g)
		if err != nil {
			return err
		}
		return c.sendOneWith(d, whom, picture)
	})
}

// sendOne queues something for one person that is nothing to read.
func (c *change) sendOne(d *wire.Data, whom string) error { return c.sendOneWith(d, whom, nil) }

func (c *change) sendOneWith(d *wire.Data, whom string, picture []upload) error {
	var err error
	if d.Timestamp, err = c.timestamp(); err != nil {
		return err
	}
	return c.push(job{Timestamp: d.Timestamp, Content: (&wire.Content{Data: d}).Encode(), To: []string{whom}, Files: picture, Picture: len(picture) > 0})
}
