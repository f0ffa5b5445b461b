package client

import (
	"cmp"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// rename calls somebody by another number wherever this device remembers him, ourselves too. The caller has made sure that he is the same.
func (c *change) rename(old, to string) error {
	groups, err := c.renameInGroups(old, to)
	if err != nil {
		return err
	}
	conversations := append(groups, old)
	if old == c.self() {
		conversations = nil // we have written everywhere
	}
	for _, f := range []func() error{
		func() error { return history.Rename(c.tx, old, to, conversations...) },
		func() error { return c.renameContact(old, to) },
		func() error { return c.renameOwed(old, to) },
		func() error { return c.renameNoted(old, to) },
		func() error { return c.renameJobs(old, to) },
		func() error { return c.book.Rename(old, to) },
		func() error { return c.noteMoved(old, to) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	c.tell(Event{Type: EventConversation, Conversation: old})
	c.tell(Event{Type: EventConversation, Conversation: to})
	return nil
}

// renameInGroups does so in all groups, and returns the conversations of those he is or was in.
func (c *change) renameInGroups(old, to string) (in []string, err error) {
	err = store.All(c.tx, store.Groups, func(name string, g group.State) error {
		if !g.Move(old, to) {
			return nil
		}
		in = append(in, name)
		joined, err := c.joined(g.ID)
		if err != nil {
			return err
		}
		if since, ok := joined[old]; ok {
			joined[to] = since
			delete(joined, old)
			if err := store.Save(c.tx, store.Settings, settingJoined+name, joined); err != nil {
				return err
			}
		}
		t, err := c.transcript(name)
		if err != nil {
			return err
		}
		if t != nil {
			t.Rename(bare(old), bare(to))
			if err := c.keepTranscript(name, t); err != nil {
				return err
			}
		}
		return c.keepGroup(&g)
	})
	return in, err
}

func (c *change) renameContact(old, to string) error {
	k, ok, err := store.Load[Contact](c.tx, store.Contacts, old)
	if err != nil || !ok {
		return err
	}
	if err := c.tx.Delete(store.Contacts, old); err != nil {
		return err
	}
	return c.changeContact(to, func(now *Contact) {
		now.Name, now.Username, now.ProfileName = cmp.Or(k.Name, now.Name), cmp.Or(k.Username, now.Username), cmp.Or(now.ProfileName, k.ProfileName)
		if len(now.ProfileKey) == 0 {
			now.ProfileKey, now.ProfileAsked = k.ProfileKey, k.ProfileAsked
		}
	})
}

// renameOwed moves the receipts that he is owed.
func (c *change) renameOwed(old, to string) error {
	return store.All(c.tx, store.Receipts, func(name string, list []uint64) error {
		kind, author, _ := strings.Cut(name, " ")
		if author != old {
			return nil
		}
		if err := c.tx.Delete(store.Receipts, name); err != nil {
			return err
		}
		for _, at := range list {
			if err := c.oweReceipt(kind+" "+to, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// renameNoted is about what is to be fetched, and about gaps that are not shown yet.
func (c *change) renameNoted(old, to string) error {
	fetches, _, err := store.Load[[]fetching](c.tx, store.Settings, settingFetching)
	if err != nil {
		return err
	}
	for i := range fetches {
		if fetches[i].Profile == old {
			fetches[i].Profile = to
		}
	}
	gaps, _, err := store.Load[[]gap](c.tx, store.Settings, settingGaps)
	if err != nil {
		return err
	}
	for i := range gaps {
		if gaps[i].Author == old {
			gaps[i].Author = to
		}
	}
	if len(fetches) > 0 {
		if err := store.Save(c.tx, store.Settings, settingFetching, fetches); err != nil {
			return err
		}
	}
	if len(gaps) == 0 {
		return nil
	}
	return store.Save(c.tx, store.Settings, settingGaps, gaps)
}

// renameJobs is about what is to be sent to him.
func (c *change) renameJobs(old, to string) error {
	return store.All(c.tx, store.Outbox, func(id string, j job) error {
		changed := false
		for i, name := range j.To {
			if name == old {
				j.To[i], changed = to, true
			}
		}
		if j.Sync != nil && j.Sync.Destination == old {
			j.Sync.Destination, changed = to, true
		}
		if !changed {
			return nil
		}
		delete(j.Wait, old)
		delete(j.Tries, old)
		if why, held := j.Held[old]; held {
			delete(j.Held, old)
			put(&j.Held, to, why)
		}
		return store.Save(c.tx, store.Outbox, id, j)
	})
}

// addressee is the number now of somebody whom a job was being given to under another: whoever changes his number takes along what is queued for him, and
// what was on its way just then would otherwise be noted of a number that is nobody's.
func (c *change) addressee(id, name string) (string, error) {
	now, err := c.nowCalled(name, "")
	if err != nil || now == "" {
		return name, err
	}
	j, _, err := store.Load[job](c.tx, store.Outbox, id)
	if err != nil || slices.Contains(j.To, name) { // it is to whoever has that number now
		return name, err
	}
	return now, nil
}

// settingMoved is before a number whose owner has another one now, by which we call him. It stays so that what others still call by the old one is
// understood, and goes when somebody else shows up under it.
const settingMoved = "moved "

func (c *change) noteMoved(old, to string) error {
	if err := c.tx.Delete(store.Settings, settingMoved+to); err != nil {
		return err
	}
	return store.Save(c.tx, store.Settings, settingMoved+old, to)
}

// maxMoves bounds how often somebody's changes of number are followed.
const maxMoves = 20

// nowCalled is the number now of somebody whom a name of another's means who had that number before; empty: it is nobody's but its own. Server is the
// other's.
func (c *change) nowCalled(theirs, server string) (now string, err error) {
	names := []string{theirs}
	if server != "" && serverOf(theirs) == "" {
		names = append(names, theirs+"@"+server)
	}
	for _, name := range names {
		for range maxMoves {
			to, moved, err := store.Load[string](c.tx, store.Settings, settingMoved+name)
			if err != nil || !moved {
				return now, err
			}
			name, now = to, to
		}
	}
	return now, nil
}

// presentNames turns the numbers of before in a group's update into those of now.
func (c *change) presentNames(g *wire.Group) (*wire.Group, error) {
	var failed error
	turn := func(name string) string {
		now, err := c.nowCalled(name, "")
		if err != nil {
			failed = err
		}
		return cmp.Or(now, name)
	}
	out := withNames(g, turn)
	return out, failed
}
