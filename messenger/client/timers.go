package client

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// expire starts the timer of a message that disappears.
func (c *change) expire(m *history.Message) error {
	m.ExpiresAt = c.now + int64(m.Expires)*1000
	return c.setTimer(m)
}

// setTimer notes when a message goes.
func (c *change) setTimer(m *history.Message) error {
	c.timer = true
	if err := store.Save(c.tx, store.Timers, strconv.FormatInt(m.Seq, 10), m.ExpiresAt); err != nil {
		return err
	}
	return history.Set(c.tx, m)
}

// lookAround is how often groups are looked at for messages that should have come (12.4).
const lookAround = 30 * time.Second

// tendTimers removes what has disappeared, and asks for what is missing, until ctx ends.
func (a *Account) tendTimers(ctx context.Context) {
	for {
		next, err := a.sweep(ctx)
		gaps, shown := a.showGaps(ctx)
		if err = errors.Join(err, shown); gaps > 0 && (next == 0 || gaps < next) {
			next = gaps
		}
		if err == nil {
			err = errors.Join(a.askForMissing(ctx), a.fetchNoted(ctx))
		}
		if err != nil && ctx.Err() == nil {
			a.Log.Warn("timers not looked after", "error", err)
		}
		wait := lookAround
		if next > 0 {
			wait = min(wait, max(0, time.Duration(next-a.World.Now().UnixMilli())*time.Millisecond))
		}
		t := time.NewTimer(wait + 5*time.Millisecond)
		select {
		case <-t.C:
		case <-a.tend:
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// sweep removes messages whose time is up, and returns when the next one's is; 0 if there is none.
func (a *Account) sweep(ctx context.Context) (next int64, err error) {
	var due bool
	now := a.World.Now().UnixMilli()
	err = a.store.View(ctx, func(tx *store.Tx) error {
		return store.All(tx, store.Timers, func(_ string, at int64) error {
			if at <= now {
				due = true
			} else if next == 0 || at < next {
				next = at
			}
			return nil
		})
	})
	if err != nil || !due {
		return next, err
	}
	return next, a.change(ctx, func(c *change) error {
		return store.All(c.tx, store.Timers, func(name string, at int64) error {
			if at > c.now {
				return nil
			}
			seq, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				return err
			}
			if err := c.tx.Delete(store.Timers, name); err != nil {
				return err
			}
			return c.removeMessage(seq)
		})
	})
}

// removeMessage removes a message here.
func (c *change) removeMessage(seq int64) error {
	m, err := history.Get(c.tx, seq)
	if err != nil || m == nil {
		return err
	}
	if err := c.cancel(seq); err != nil {
		return err
	}
	gone := &history.Message{Seq: seq, Conversation: m.Conversation, Author: m.Author, Timestamp: m.Timestamp}
	c.tell(Event{Type: EventGone, Conversation: m.Conversation, Message: gone})
	if m.Kind == history.Text && !m.Outgoing && !m.Seen {
		if err := history.Change(c.tx, m.Conversation, func(v *history.Conversation) { v.Unread = max(0, v.Unread-1) }); err != nil {
			return err
		}
	}
	return c.tx.DeleteMessage(seq)
}

// Remove removes a message on this device only.
func (a *Account) Remove(ctx context.Context, seq int64) error {
	return a.change(ctx, func(c *change) error { return c.removeMessage(seq) })
}
