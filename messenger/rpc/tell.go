package rpc

import (
	"fmt"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/wire"
)

// envelope is an event as signal-cli would tell it; nil for what it would not.
func (c *conn) envelope(e client.Event, own session.Own) *Envelope {
	switch m := e.Message; {
	case e.Type == client.EventTyping:
		return c.typing(e)
	case e.Type == client.EventReceipt:
		return c.receipt(e)
	case e.Type == client.EventUpdate && e.Heard != nil:
		return c.heard(m, e.Heard, own)
	case e.Type == client.EventMessage && m != nil && m.Kind == history.Text:
		author := m.Author
		if m.Outgoing {
			author = own.Number
		}
		env := c.from(author, m.Device, m.Timestamp)
		env.Seq = m.Seq
		return env.say(m, c.dataMessage(m), nil, own)
	}
	return nil
}

// from is the outside of an envelope. A person without a name has none in it.
func (c *conn) from(author string, device uint32, timestamp uint64) *Envelope {
	env := &Envelope{Source: author, SourceNumber: author, SourceDevice: device, Timestamp: timestamp}
	if k, err := c.Account.Contact(c.ctx, author); err == nil && k.Called() != author {
		env.SourceName = k.Called()
	}
	return env
}

// say puts what was said about m into an envelope: what the person has said on another device of theirs is a syncMessage. What was said on this one is
// nothing to tell: the caller, or another program here, has said it.
func (env *Envelope) say(m *history.Message, d *DataMessage, edit *EditMessage, own session.Own) *Envelope {
	switch {
	case env.Source != own.Number:
		env.Data, env.Edit = d, edit
		return env
	case env.SourceDevice == own.Device:
		return nil
	}
	env.Sync = new(SyncMessage)
	env.Sync.Sent.DataMessage, env.Sync.Sent.Edit = d, edit
	if groupID(m.Conversation) == "" {
		env.Sync.Sent.Destination, env.Sync.Sent.DestinationNumber = m.Conversation, m.Conversation
	}
	return env
}

func (c *conn) typing(e client.Event) *Envelope {
	env := c.from(e.Author, e.Device, e.Timestamp)
	env.Typing = &Typing{"STARTED", e.Timestamp, groupID(e.Conversation)}
	if e.Stopped {
		env.Typing.Action = "STOPPED"
	}
	return env
}

func (c *conn) receipt(e client.Event) *Envelope {
	env := c.from(e.Author, e.Device, e.Timestamp)
	is := func(kind uint32) bool { return e.Receipt.Kind == kind }
	env.Receipt = &ReceiptMessage{e.Timestamp, is(wire.ReceiptDelivery), is(wire.ReceiptRead), is(wire.ReceiptViewed), e.Receipt.Timestamps}
	return env
}

// heard is what somebody has said about a message that is there.
func (c *conn) heard(m *history.Message, h *client.Heard, own session.Own) *Envelope {
	env := c.from(h.Author, h.Device, h.Timestamp)
	if h.Edited {
		d := c.dataMessage(m)
		d.Timestamp = h.Timestamp
		return env.say(m, nil, &EditMessage{m.Timestamp, d}, own)
	}
	d := &DataMessage{Timestamp: h.Timestamp, Expires: m.Expires, Group: c.groupInfo(m.Conversation)}
	if h.Emoji == "" {
		d.Delete = &Delete{m.Timestamp}
	} else {
		d.Reaction = &Reaction{h.Emoji, m.Author, m.Author, m.Timestamp, h.Remove}
	}
	return env.say(m, d, nil, own)
}

func (c *conn) dataMessage(m *history.Message) *DataMessage {
	d := &DataMessage{Timestamp: m.Timestamp, Message: m.Body, Expires: m.Expires, Group: c.groupInfo(m.Conversation)}
	if q := m.Quote; q != nil {
		d.Quote = &Quote{q.Timestamp, q.Author, q.Author, q.Text}
	}
	for i, a := range m.Attachments {
		d.Attachments = append(d.Attachments, Attachment{a.ContentType, a.FileName, fmt.Sprintf("%d/%d", m.Seq, i), a.Size, a.Caption})
	}
	return d
}

// groupInfo is nil if a conversation is no group's.
func (c *conn) groupInfo(conversation string) *GroupInfo {
	id := groupID(conversation)
	if id == "" {
		return nil
	}
	info := &GroupInfo{ID: id, Type: "DELIVER"}
	if g, err := c.Account.Group(c.ctx, conversation); err == nil && g != nil {
		info.Name = g.Name
	}
	return info
}
