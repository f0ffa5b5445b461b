package client

import (
	"slices"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// said is a message with who said it where, whether it came from a contact or, as a transcript, from another device of ours.
type said struct {
	author       string
	device       uint32
	conversation string
	timestamp    uint64
	data         *wire.Data
	// startedAt is when the timer of a message of ours began on the device that sent it.
	startedAt uint64
}

// heard takes in what a contact says.
func (c *change) heard(o session.Opened, d *wire.Data) error {
	if d.Flags&wire.FlagEndSession != 0 {
		return c.book.EndWith(o.From, o.Device)
	}
	if len(d.ProfileKey) == 32 {
		if err := c.profileKey(o.From, d.ProfileKey); err != nil {
			return err
		}
	}
	s := said{author: o.From, device: o.Device, conversation: o.From, timestamp: o.Timestamp, data: d}
	if d.Group != nil {
		s.conversation = groupName(d.Group.ID)
		goes, err := c.heardGroup(s)
		if err != nil || !goes {
			return err
		}
	} else if err := c.adoptTimer(s); err != nil {
		return err
	}
	return c.apply(s)
}

// heardBlocked takes in what a blocked contact says in a group: what it is about the group, and its place in the transcript, so that what others answer
// leaves no gap. Nothing he wrote is kept.
func (c *change) heardBlocked(o session.Opened) error {
	d := o.Content.Data
	if d == nil || d.Group == nil || d.Flags&wire.FlagEndSession != 0 {
		return nil
	}
	s := said{author: o.From, device: o.Device, conversation: groupName(d.Group.ID), timestamp: o.Timestamp, data: d}
	if g, err := c.group(d.Group.ID); err != nil || g == nil {
		return err // he adds us to nothing
	}
	goes, err := c.heardGroup(s)
	if err != nil || !goes || d.Consistency == nil {
		return err
	}
	h, err := c.hear(new(history.Message), s)
	if err != nil {
		return err
	}
	return c.closeGap(s.conversation, h.n.ID, h.t) // one that was shown already, because his words took their time
}

// adoptTimer takes over the other side's timer: any message carries the present one (9.2).
func (c *change) adoptTimer(s said) error {
	if s.data.Reaction != nil || s.data.Delete != nil {
		return nil
	}
	if err := c.heardTimer(s); err != nil {
		return err
	}
	v, err := history.Open(c.tx, s.conversation)
	if err != nil || v.Expires == s.data.ExpireTimer {
		return err
	}
	v.Expires = s.data.ExpireTimer
	if err := history.Keep(c.tx, v); err != nil {
		return err
	}
	return c.timerNotice(s.conversation, s.author, v.Expires)
}

// apply does what a message says: it is one to read, or about an earlier one.
func (c *change) apply(s said) error {
	d := s.data
	switch {
	case d.Reaction != nil:
		return c.heardReaction(s)
	case d.Delete != nil:
		return c.heardDelete(s)
	case len(d.Resend) > 0:
		return c.heardResend(s)
	case d.Forwarded != nil:
		return c.heardForwarded(s)
	case d.Body != "" || len(d.Attachments) > 0:
		return c.keepMessage(s)
	}
	return nil
}

// keepMessage stores what people read.
func (c *change) keepMessage(s said) error {
	m, err := c.messageOf(s)
	if err != nil {
		return err
	}
	var h heard
	if s.data.Group != nil && s.data.Consistency != nil {
		if h, err = c.hear(m, s); err != nil {
			return err
		}
	}
	added, err := history.Add(c.tx, m)
	if err != nil {
		return err
	}
	if !added { // sent again by somebody who did not know that we have it
		return c.owe(s.conversation, s.author, m)
	}
	if m.Transcript != "" {
		if err := c.indexTranscript(m); err != nil {
			return err
		}
	}
	c.tell(Event{Type: EventMessage, Conversation: m.Conversation, Message: m})
	if m.Outgoing && m.Expires > 0 {
		m.ExpiresAt = int64(min(max(s.startedAt, m.Timestamp), uint64(c.now))) + int64(m.Expires)*1000
		if err := c.setTimer(m); err != nil {
			return err
		}
	}
	if err := c.longText(m); err != nil {
		return err
	}
	if h.t != nil {
		if err := c.transcriptNotice(s.conversation, s.author, m, h); err != nil {
			return err
		}
	}
	return c.owe(s.conversation, s.author, m)
}

// messageOf makes the history's message of a wire one.
func (c *change) messageOf(s said) (*history.Message, error) {
	d := s.data
	m := &history.Message{Conversation: s.conversation, Kind: history.Text, Author: s.author, Device: s.device, Timestamp: s.timestamp, Received: c.now,
		Outgoing: s.author == c.self(), Seen: s.author == c.self(), Body: d.Body, Attachments: attachmentsOf(d, serverOf(s.author)), Expires: d.ExpireTimer}
	if d.Group != nil || m.Outgoing {
		m.Raw = (&wire.Content{Data: d}).Encode()
	}
	if q := d.Quote; q != nil {
		m.Quote = &history.Quote{Author: q.AuthorNumber, Timestamp: q.Target, Text: q.Text}
		if m.Quote.Author == "" {
			m.Quote.Author = q.Author
		}
		var err error
		if m.Quote.Author, err = c.named(s.conversation, s.author, m.Quote.Author); err != nil {
			return nil, err
		}
		have, err := history.Find(c.tx, m.Quote.Author, q.Target)
		if err != nil {
			return nil, err
		}
		if have != nil && have.Conversation == s.conversation { // what it really said, not what the quoter says it said
			if m.Quote.Text, err = c.quoted(m.Quote.Author, q.Target); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

func (c *change) heardReaction(s said) error {
	r := s.data.Reaction
	author := r.AuthorNumber
	if author == "" {
		author = r.Author
	}
	author, err := c.named(s.conversation, s.author, author)
	if err != nil {
		return err
	}
	m, err := history.Find(c.tx, author, r.Target)
	if err == nil && m == nil { // we never had it, or it is gone, or has yet to come
		return c.earlySaid(author, r.Target, s, wire.Content{Data: s.data})
	}
	if err != nil || m.Conversation != s.conversation {
		return err
	}
	if len(r.Emoji) > 64 || !m.React(history.Reaction{Author: s.author, Emoji: r.Emoji, Timestamp: s.timestamp}, r.Remove) {
		return nil
	}
	return c.changedBy(m, &Heard{Author: s.author, Device: s.device, Timestamp: s.timestamp, Emoji: r.Emoji, Remove: r.Remove})
}

// heardDelete takes back a message of the very author who asks for it.
func (c *change) heardDelete(s said) error {
	m, err := history.Find(c.tx, s.author, *s.data.Delete)
	if err == nil && m == nil {
		return c.earlySaid(s.author, *s.data.Delete, s, wire.Content{Data: s.data})
	}
	if err != nil || m.Conversation != s.conversation || m.Deleted {
		return err
	}
	m.Delete()
	return c.changedBy(m, &Heard{Author: s.author, Device: s.device, Timestamp: s.timestamp})
}

// heardEdit changes a message of the very author who asks for it.
func (c *change) heardEdit(o session.Opened, e *wire.Edit) error {
	s := said{author: o.From, device: o.Device, conversation: o.From, timestamp: o.Timestamp, data: e.Data}
	if e.Data.Group != nil {
		s.conversation = groupName(e.Data.Group.ID)
		if goes, err := c.heardGroup(s); err != nil || !goes {
			return err
		}
	}
	return c.applyEdit(s, e.Target)
}

func (c *change) applyEdit(s said, target uint64) error {
	m, err := history.Find(c.tx, s.author, target)
	if err == nil && m == nil && len(s.data.Body) <= maxText {
		return c.earlySaid(s.author, target, s, wire.Content{Edit: &wire.Edit{Target: target, Data: s.data}})
	}
	if err != nil || m == nil || m.Conversation != s.conversation {
		return err
	}
	if len(s.data.Body) > maxText || !m.Edit(s.data.Body, s.timestamp) {
		return nil
	}
	return c.changedBy(m, &Heard{Author: s.author, Device: s.device, Timestamp: s.timestamp, Edited: true})
}

// receipt takes in that a contact has, or has read, messages of ours.
func (c *change) receipt(o session.Opened, r *wire.Receipt) error {
	var state history.State
	switch r.Kind {
	case wire.ReceiptDelivery:
		state = history.Delivered
	case wire.ReceiptRead, wire.ReceiptViewed:
		state = history.Read
	default:
		return refusal.Because(refusal.InvalidMessage, "receipt of kind %d", r.Kind)
	}
	about := &Receipt{Kind: r.Kind}
	for _, at := range slices.Compact(slices.Sorted(slices.Values(r.Timestamps))) {
		m, err := history.Find(c.tx, c.self(), at)
		if err != nil {
			return err
		}
		if m == nil {
			if err := c.early(c.self(), at, early{Author: o.From, State: state}); err != nil {
				return err
			}
			continue
		}
		if _, his := m.Delivery[o.From]; !his {
			continue // it was not for him
		}
		if err := c.delivered(m.Seq, o.From, history.Delivery{State: state, When: c.now}); err != nil {
			return err
		}
		about.Timestamps = append(about.Timestamps, at)
	}
	if len(about.Timestamps) > 0 {
		c.tell(Event{Type: EventReceipt, Author: o.From, Device: o.Device, Timestamp: o.Timestamp, Receipt: about})
	}
	return nil
}
