package rpc

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
)

// subscribe starts to send what happens.
func (c *conn) subscribe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sub != nil || c.Account == nil {
		return
	}
	sub := c.Account.Subscribe()
	c.sub = sub
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return
	}
	c.wg.Go(func() {
		for {
			e, ok := sub.Next(c.ctx)
			if !ok {
				return
			}
			if env := c.envelope(e, own); env != nil {
				c.notify("receive", map[string]any{"envelope": env, "account": own.Number})
			}
			c.notify("event", public(e))
		}
	})
}

// atOnce is how many messages are read from the disk at a time.
const atOnce = 200

// tellSince tells what has arrived since a message.
func (c *conn) tellSince(after int64) error {
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return err
	}
	for {
		list, err := c.Account.Since(c.ctx, after, atOnce)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, m := range list {
			after = m.Seq
			if env := c.envelope(client.Event{Type: client.EventMessage, Conversation: m.Conversation, Message: m}, own); env != nil {
				c.notify("receive", map[string]any{"envelope": env, "account": own.Number})
			}
		}
	}
}

func (c *conn) unsubscribe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sub != nil {
		c.sub.Close()
		c.sub = nil
	}
}

// public is an event without what only this device needs to know.
func public(e client.Event) client.Event {
	if e.Message != nil {
		e.Message = shown(e.Message)
	}
	return e
}

// shown is a message as callers get it: without the wire form.
func shown(m *history.Message) *history.Message {
	out := *m
	out.Raw = nil
	return &out
}

// Envelope is a message that has arrived, in signal-cli's shape.
type Envelope struct {
	Source       string       `json:"source"`
	SourceNumber string       `json:"sourceNumber"`
	SourceName   string       `json:"sourceName,omitempty"`
	SourceDevice uint32       `json:"sourceDevice"`
	Timestamp    uint64       `json:"timestamp"`
	Seq          int64        `json:"seq,omitempty"` // ours: of a message, its number on this device
	Data         *DataMessage `json:"dataMessage,omitempty"`
	Sync         *SyncMessage `json:"syncMessage,omitempty"`
	Typing       *Typing      `json:"typingMessage,omitempty"`
}

// DataMessage is what somebody wrote.
type DataMessage struct {
	Timestamp   uint64       `json:"timestamp"`
	Message     string       `json:"message"`
	Expires     uint32       `json:"expiresInSeconds"`
	ViewOnce    bool         `json:"viewOnce"`
	Group       *GroupInfo   `json:"groupInfo,omitempty"`
	Quote       *Quote       `json:"quote,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	Reaction    *Reaction    `json:"reaction,omitempty"`
	Delete      *Delete      `json:"remoteDelete,omitempty"`
}

// Reaction is what somebody thinks of a message.
type Reaction struct {
	Emoji           string `json:"emoji"`
	Author          string `json:"targetAuthor"`
	AuthorNumber    string `json:"targetAuthorNumber"`
	TargetTimestamp uint64 `json:"targetSentTimestamp"`
	Remove          bool   `json:"isRemove"`
}

// Delete says that the author takes a message back.
type Delete struct {
	Timestamp uint64 `json:"timestamp"`
}

// SyncMessage is what the person wrote on another device.
type SyncMessage struct {
	Sent struct {
		Destination string `json:"destination,omitempty"`
		*DataMessage
	} `json:"sentMessage"`
}

// GroupInfo names a group.
type GroupInfo struct {
	ID   string `json:"groupId"`
	Type string `json:"type"`
}

// Quote is the message that is answered.
type Quote struct {
	ID     uint64 `json:"id"`
	Author string `json:"author"`
	Text   string `json:"text"`
}

// Attachment is a file that was sent along; saveAttachment fetches it.
type Attachment struct {
	ContentType string `json:"contentType"`
	Filename    string `json:"filename,omitempty"`
	ID          string `json:"id"`
	Size        int64  `json:"size"`
	Caption     string `json:"caption,omitempty"`
}

// Typing says that somebody writes, or has stopped.
type Typing struct {
	Action  string `json:"action"`
	GroupID string `json:"groupId,omitempty"`
}

// envelope is an event as signal-cli would tell it; nil for what it would not.
func (c *conn) envelope(e client.Event, own session.Own) *Envelope {
	switch m := e.Message; {
	case e.Type == client.EventTyping:
		action := "STARTED"
		if e.Stopped {
			action = "STOPPED"
		}
		return &Envelope{Source: e.Author, SourceNumber: e.Author, SourceDevice: 1, Typing: &Typing{action, groupID(e.Conversation)}}
	case e.Type == client.EventUpdate && e.Heard != nil && e.Heard.Author != own.Number:
		h := e.Heard
		d := &DataMessage{Timestamp: h.Timestamp, Expires: m.Expires}
		if id := groupID(m.Conversation); id != "" {
			d.Group = &GroupInfo{id, "DELIVER"}
		}
		if h.Emoji == "" {
			d.Delete = &Delete{m.Timestamp}
		} else {
			d.Reaction = &Reaction{h.Emoji, m.Author, m.Author, m.Timestamp, h.Remove}
		}
		return &Envelope{Source: h.Author, SourceNumber: h.Author, SourceDevice: h.Device, Timestamp: h.Timestamp, Data: d}
	case e.Type != client.EventMessage || m == nil || m.Kind != history.Text:
		return nil
	case m.Outgoing && m.Device == own.Device:
		return nil // the caller, or another program here, has sent it
	case m.Outgoing:
		env := &Envelope{Source: own.Number, SourceNumber: own.Number, SourceDevice: m.Device, Timestamp: m.Timestamp, Seq: m.Seq, Sync: new(SyncMessage)}
		env.Sync.Sent.DataMessage = dataMessage(m)
		if groupID(m.Conversation) == "" {
			env.Sync.Sent.Destination = m.Conversation
		}
		return env
	default:
		env := &Envelope{Source: m.Author, SourceNumber: m.Author, SourceDevice: m.Device, Timestamp: m.Timestamp, Seq: m.Seq, Data: dataMessage(m)}
		if k, err := c.Account.Contact(c.ctx, m.Author); err == nil && k.Called() != m.Author {
			env.SourceName = k.Called()
		}
		return env
	}
}

func dataMessage(m *history.Message) *DataMessage {
	d := &DataMessage{Timestamp: m.Timestamp, Message: m.Body, Expires: m.Expires}
	if id := groupID(m.Conversation); id != "" {
		d.Group = &GroupInfo{id, "DELIVER"}
	}
	if q := m.Quote; q != nil {
		d.Quote = &Quote{q.Timestamp, q.Author, q.Text}
	}
	for i, a := range m.Attachments {
		d.Attachments = append(d.Attachments, Attachment{a.ContentType, a.FileName, fmt.Sprintf("%d/%d", m.Seq, i), a.Size, a.Caption})
	}
	return d
}

// groupID is a group's id as signal-cli writes it, base64; empty if the conversation is no group's.
func groupID(conversation string) string {
	text, ok := strings.CutPrefix(conversation, "group:")
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != 16 {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}

// groupConversation is the inverse; it also takes our own form.
func groupConversation(id string) (string, error) {
	if groupID(id) != "" {
		return id, nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(id, "group:"))
	if err != nil || len(b) != 16 {
		return "", userError("%.40q is not a group id", id)
	}
	return "group:" + hex.EncodeToString(b), nil
}
