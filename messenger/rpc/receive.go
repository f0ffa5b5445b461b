package rpc

import (
	"encoding/base64"
	"encoding/hex"
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
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return
	}
	sub := c.Account.Subscribe()
	if c.since, err = c.Account.Newest(c.ctx); err != nil { // after it has begun, so that nothing is between the two
		sub.Close()
		return
	}
	c.sub = sub
	last, read := c.since, c.since // the newest that was told, and up to which they are not, or were read from the disk
	c.wg.Go(func() {
		for {
			e, ok := sub.Next(c.ctx)
			if !ok {
				if sub = c.goOn(sub); sub == nil {
					return
				}
				var err error
				if read, err = c.tellSince(last); err != nil {
					c.Log.Warn("what a slow program has missed is not told", "error", err)
				}
				last = read
				continue
			}
			if e.Type == client.EventMessage {
				if e.Message.Seq <= read {
					continue
				}
				last = max(last, e.Message.Seq)
			}
			c.receive(e, own)
			if e.Type != client.EventReceipt { // that is in the updates of the messages
				c.notify("event", public(e))
			}
		}
	})
}

// goOn begins the notifications anew for a program that was too slow for them; nil if that is not why they have ended.
func (c *conn) goOn(ended *client.Subscription) *client.Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sub != ended || !ended.Lost() || c.ctx.Err() != nil {
		return nil
	}
	c.sub = c.Account.Subscribe()
	return c.sub
}

// receive tells what has happened as signal-cli would, if it would. To callers of its subscribeReceive it tells it in the answer to a subscription.
func (c *conn) receive(e client.Event, own session.Own) {
	env := c.envelope(e, own)
	if env == nil {
		return
	}
	params := map[string]any{"envelope": env, "account": own.Number}
	c.mu.Lock()
	wrapped := c.wrapped
	c.mu.Unlock()
	if wrapped {
		params["subscription"], params["result"] = 0, map[string]any{"envelope": env, "account": own.Number}
	}
	c.notify("receive", params)
}

// atOnce is how many messages are read from the disk at a time.
const atOnce = 200

// tellSince tells what has arrived since a message, and returns the number of the last one.
func (c *conn) tellSince(after int64) (last int64, err error) {
	own, err := c.Account.Own(c.ctx)
	if err != nil {
		return after, err
	}
	for {
		list, err := c.Account.Since(c.ctx, after, atOnce)
		if err != nil || len(list) == 0 {
			return after, err
		}
		for _, m := range list {
			after = m.Seq
			c.receive(client.Event{Type: client.EventMessage, Conversation: m.Conversation, Message: m}, own)
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
