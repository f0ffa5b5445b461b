package client

import (
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// hasOthers tells whether the person has other devices.
func (c *change) hasOthers() (bool, error) {
	p, err := c.book.Peer(c.self())
	return err == nil && (len(p.Devices) > 0 || p.List != nil && len(p.List.Devices) > 1), err
}

// syncOwn tells our other devices something (9.4).
func (c *change) syncOwn(s *wire.Sync) error {
	if others, err := c.hasOthers(); err != nil || !others || c.a.deleted.Load() {
		return err
	}
	at, err := c.timestamp()
	if err != nil {
		return err
	}
	return c.push(job{Timestamp: at, Content: (&wire.Content{Sync: s}).Encode(), To: []string{c.self()}})
}

// syncSent tells our other devices what was sent, once (10.3).
func (c *change) syncSent(j *job) error {
	s := j.Sync
	j.Sync = nil
	if s == nil {
		return nil
	}
	content, err := wire.ParseContent(j.Content)
	if err != nil {
		return err
	}
	return c.syncOwn(&wire.Sync{Sent: &wire.Sent{Destination: s.Destination, Timestamp: j.Timestamp, Message: content.Data, Edit: content.Edit, ExpirationStart: uint64(c.now)}})
}

// syncPreferences tells our other devices what the person chose.
func (c *change) syncPreferences(p Preferences) error {
	read, typing := !p.NoReadReceipts, !p.NoTyping
	return c.syncOwn(&wire.Sync{Configuration: &wire.Configuration{ReadReceipts: &read, TypingIndicators: &typing}})
}

// syncBlocked tells our other devices who is blocked.
func (c *change) syncBlocked() error {
	list, err := history.Conversations(c.tx)
	if err != nil {
		return err
	}
	b := new(wire.Blocked)
	for _, v := range list {
		if id, ok := groupID(v.ID); v.Blocked && ok {
			b.Groups = append(b.Groups, id[:])
		} else if v.Blocked {
			b.Numbers = append(b.Numbers, v.ID)
		}
	}
	return c.syncOwn(&wire.Sync{Blocked: b})
}

// syncVerified tells our other devices what the person knows of a key.
func (c *change) syncVerified(name string, key keys.Public, verified bool) error {
	v := &wire.Verified{Destination: name, Identity: key, State: wire.VerifiedDefault}
	if verified {
		v.State = wire.VerifiedYes
	}
	return c.syncOwn(&wire.Sync{Verified: v})
}

// synced takes in what another device of ours says. Nobody else gets here.
func (c *change) synced(o session.Opened) error {
	s := o.Content.Sync
	switch {
	case s.Sent != nil:
		return c.syncedSent(o.Device, s.Sent)
	case len(s.Read) > 0:
		return c.syncedRead(s.Read)
	case s.Blocked != nil:
		return c.syncedBlocked(s.Blocked)
	case s.Verified != nil:
		return c.syncedVerified(s.Verified)
	case s.Configuration != nil:
		p, err := c.preferences()
		if err != nil {
			return err
		}
		if r := s.Configuration.ReadReceipts; r != nil {
			p.NoReadReceipts = !*r
		}
		if t := s.Configuration.TypingIndicators; t != nil {
			p.NoTyping = !*t
		}
		return store.Save(c.tx, store.Settings, settingPreferences, p)
	case len(s.Introductions) > 0:
		return c.syncedIntroductions(s.Introductions)
	case s.Request != nil:
		return c.syncRequest(*s.Request)
	case s.Moved != nil:
		return c.followed(s.Moved.To)
	case s.History != nil:
		return c.announced(o.Device, s.History)
	case s.Contacts != nil:
		return c.fetchLater(fetching{Contacts: &s.Contacts.Blob})
	}
	return nil
}

// syncedVerified takes in what the person knows of a key on another device.
func (c *change) syncedVerified(v *wire.Verified) error {
	if !number(v.Destination) {
		return refusal.Because(refusal.InvalidMessage, "own device's word about the key of %.40q", v.Destination)
	}
	if v.State == wire.VerifiedYes {
		notices, err := c.book.TakeVerified(v.Destination, v.Identity)
		if err != nil {
			return err
		}
		if err := c.noticed(notices); err != nil {
			return err
		}
	} else if err := c.book.SetVerified(v.Destination, v.Identity, false); refusal.Of(err) == refusal.UntrustedIdentity || refusal.Of(err) == refusal.NoSession {
		return nil // here it has another key, or none yet: nobody has vouched for that
	} else if err != nil {
		return err
	}
	c.tell(Event{Type: EventConversation, Conversation: v.Destination})
	if err := c.vouched(v.Destination); err != nil {
		return err
	}
	return c.release(v.Destination)
}

// syncedSent takes in what another device of ours has sent.
func (c *change) syncedSent(device uint32, t *wire.Sent) error {
	s := said{author: c.self(), device: device, conversation: t.Destination, timestamp: t.Timestamp, data: t.Message, startedAt: t.ExpirationStart}
	if t.Edit != nil {
		s.data = t.Edit.Data
	}
	if s.data.Group != nil {
		s.conversation = groupName(s.data.Group.ID)
		if goes, err := c.heardGroup(s); err != nil || !goes {
			return err
		}
	} else if !number(s.conversation) {
		return refusal.Because(refusal.InvalidMessage, "sent transcript to %.40q", s.conversation)
	}
	if err := history.Change(c.tx, s.conversation, func(v *history.Conversation) { v.Accepted = true }); err != nil {
		return err
	}
	if t.Edit != nil {
		return c.applyEdit(s, t.Edit.Target)
	}
	if s.data.Group == nil {
		if err := c.adoptTimer(s); err != nil {
			return err
		}
	}
	return c.apply(s)
}

func (c *change) syncedRead(list []wire.Read) error {
	by := map[string][]*history.Message{}
	for _, r := range list {
		m, err := history.Find(c.tx, r.Sender, r.Timestamp)
		if err != nil {
			return err
		}
		if m == nil && number(r.Sender) {
			if err := c.early(r.Sender, r.Timestamp, early{Read: true}); err != nil {
				return err
			}
		}
		if m != nil && !m.Seen && !m.Outgoing {
			by[m.Conversation] = append(by[m.Conversation], m)
		}
	}
	for conversation, messages := range by {
		v, err := history.Open(c.tx, conversation)
		if err != nil {
			return err
		}
		if err := c.read(v, messages, false); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) syncedBlocked(b *wire.Blocked) error {
	blocked := slices.Clone(b.Numbers)
	for _, id := range b.Groups {
		if len(id) == 16 {
			blocked = append(blocked, groupName([16]byte(id)))
		}
	}
	list, err := history.Conversations(c.tx)
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.Blocked && !slices.Contains(blocked, v.ID) {
			blocked = append(blocked, "-"+v.ID)
		}
	}
	for _, id := range blocked {
		id, off := strings.CutPrefix(id, "-")
		on := !off
		if _, isGroup := groupID(id); !isGroup && !number(id) {
			continue // another program may know people by something else
		}
		if err := history.Change(c.tx, id, func(v *history.Conversation) { v.Blocked = on }); err != nil {
			return err
		}
		c.tell(Event{Type: EventConversation, Conversation: id})
	}
	return nil
}
