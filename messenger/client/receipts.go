package client

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// receiptsAfter is how long receipts are collected, so that many go in one message; maxReceipts is how many, and maxOwed how many one author is owed at most,
// who may take nothing for a long time: the newest.
const (
	receiptsAfter = 200 * time.Millisecond
	maxReceipts   = 1000
	maxOwed       = 10_000
)

// owe notes that an author is to be told that we have his message: not before the person has accepted the conversation.
func (c *change) owe(conversation, author string, m *history.Message) error {
	v, err := history.Open(c.tx, conversation)
	if err != nil || !v.Accepted || m.Outgoing || len(m.Vouchers) > 0 {
		return err
	}
	return c.oweReceipt("delivery "+author, m.Timestamp)
}

// maxRequest is for how many messages of a request there are receipts once it is accepted: the newest.
const maxRequest = 100

// accept takes a conversation for one that the person wants. What was written in it before gets its receipts now.
func (c *change) accept(conversation string) error {
	v, err := history.Open(c.tx, conversation)
	if err != nil || v.Accepted {
		return err
	}
	if err := history.Change(c.tx, conversation, func(v *history.Conversation) { v.Accepted = true }); err != nil {
		return err
	}
	p, err := c.preferences()
	if err != nil {
		return err
	}
	list, err := history.List(c.tx, conversation, 0, maxRequest)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Kind != history.Text {
			continue
		}
		if err := c.owe(conversation, m.Author, m); err != nil {
			return err
		}
		if m.Seen && !m.Outgoing && !p.NoReadReceipts && len(m.Vouchers) == 0 {
			if err := c.oweReceipt("read "+m.Author, m.Timestamp); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *change) oweReceipt(name string, timestamp uint64) error {
	if c.a.deleted.Load() {
		return nil
	}
	list, loaded := c.owed[name]
	if !loaded {
		var err error
		if list, _, err = store.Load[[]uint64](c.tx, store.Receipts, name); err != nil {
			return err
		}
	}
	if slices.Contains(list, timestamp) {
		return nil
	}
	if c.owed == nil {
		c.owed = map[string][]uint64{}
	}
	list = append(list, timestamp)
	c.owed[name] = list[max(0, len(list)-maxOwed):]
	return nil
}

// keepOwed writes down the receipts that this transaction owes, each author's once.
func (c *change) keepOwed() error {
	for _, name := range slices.Sorted(maps.Keys(c.owed)) {
		if err := store.Save(c.tx, store.Receipts, name, c.owed[name]); err != nil {
			return err
		}
	}
	return nil
}

// receiptsSoon sends what is owed a moment after the first of it.
func (a *Account) receiptsSoon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.receipts != nil {
		return
	}
	a.receipts = time.AfterFunc(receiptsAfter, func() {
		a.mu.Lock()
		a.receipts = nil
		a.mu.Unlock()
		if err := a.queueReceipts(context.Background()); err != nil {
			a.Log.Warn("receipts not queued", "error", err)
		}
	})
}

// queueReceipts makes messages of the receipts that are owed.
func (a *Account) queueReceipts(ctx context.Context) error {
	return a.change(ctx, func(c *change) error {
		return store.All(c.tx, store.Receipts, func(name string, list []uint64) error {
			kind, author, _ := strings.Cut(name, " ")
			if c.a.waits(author) {
				return nil // one who takes nothing now gets one message with all of it later, instead of as many as he makes us owe
			}
			if err := c.tx.Delete(store.Receipts, name); err != nil {
				return err
			}
			r := wire.Receipt{Kind: wire.ReceiptDelivery}
			if kind == "read" {
				r.Kind = wire.ReceiptRead
			}
			for part := range slices.Chunk(list, maxReceipts) {
				at, err := c.timestamp()
				if err != nil {
					return err
				}
				r.Timestamps = part
				if err := c.push(job{Timestamp: at, Content: (&wire.Content{Receipt: &r}).Encode(), To: []string{author}}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// MarkRead says that the person has read a conversation up to a message (0: all of it). Authors are told, unless the person does not want that; our
// other devices are told; timers start.
func (a *Account) MarkRead(ctx context.Context, conversation string, upTo int64) error {
	return a.change(ctx, func(c *change) error {
		var read []*history.Message
		before := int64(0)
		if upTo > 0 {
			before = upTo + 1
		}
		v, err := history.Open(c.tx, conversation)
		if err != nil {
			return err
		}
		list, err := history.List(c.tx, conversation, before, max(v.Unread, 1)*2+100)
		if err != nil {
			return err
		}
		for _, m := range list {
			if m.Kind == history.Text && !m.Outgoing && !m.Seen {
				read = append(read, m)
			}
		}
		if upTo == 0 {
			v.Unread = len(read)
		}
		return c.read(v, read, true)
	})
}

// read notes messages as read. Tell says that it happened here, so that others are told.
func (c *change) read(v history.Conversation, list []*history.Message, tell bool) error {
	p, err := c.preferences()
	if err != nil {
		return err
	}
	var sync []wire.Read
	for _, m := range list {
		m.Seen = true
		v.Unread = max(0, v.Unread-1)
		if m.Expires > 0 && m.ExpiresAt == 0 {
			if err := c.expire(m); err != nil {
				return err
			}
		}
		if err := c.changed(m); err != nil {
			return err
		}
		if !tell {
			continue
		}
		sync = append(sync, wire.Read{Sender: m.Author, Timestamp: m.Timestamp})
		if !p.NoReadReceipts && v.Accepted && len(m.Vouchers) == 0 {
			if err := c.oweReceipt("read "+m.Author, m.Timestamp); err != nil {
				return err
			}
		}
	}
	if err := history.Change(c.tx, v.ID, func(now *history.Conversation) { now.Unread = v.Unread }); err != nil {
		return err
	}
	c.tell(Event{Type: EventConversation, Conversation: v.ID})
	if len(sync) == 0 {
		return nil
	}
	return c.syncOwn(&wire.Sync{Read: sync})
}
