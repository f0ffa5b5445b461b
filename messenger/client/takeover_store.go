package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// storeHistory reads the archive to its end, and then stores what it has.
func (a *Account) storeHistory(ctx context.Context, t *takeover, f *os.File) error {
	seed := archive.Seed(t.Seed)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := complete(stoppable{ctx, f}, seed); ctx.Err() != nil {
		return ctx.Err()
	} else if errors.Is(err, archive.ErrWords) {
		return &overError{errors.New("the key that came with it is another's")}
	} else if err != nil {
		return &overError{err}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dec, first, err := begin(f, seed)
	if err != nil {
		return &overError{err}
	}
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	if first.Own.Number != own.Number || first.Version != backupVersion {
		return &overError{fmt.Errorf("a history of %.40q in form %d, and this account is %s and knows form %d", first.Own.Number, first.Version, own.Number, backupVersion)}
	}
	m := newMeter(a.World.Now, a.tellHistory, TakingOver, 0, t.Expected)
	m.skip(t.Taken)
	for passed, end := int64(0), false; !end; {
		var lines []line
		if lines, end, err = readBatch(dec, &passed, t.Taken); err != nil {
			return err
		}
		next := *t
		if err := a.change(ctx, func(c *change) error {
			next = *t
			for _, l := range lines {
				if err := c.takeEntry(l, &next); err != nil {
					return err
				}
			}
			return t.keep(c.tx, next)
		}); err != nil {
			return err
		}
		m.add(next.Taken - t.Taken)
		*t = next
	}
	return nil
}

// readBatch reads entries of the archive. The first taken messages are passed over: they are stored.
func readBatch(dec *json.Decoder, passed *int64, taken int64) (lines []line, end bool, err error) {
	for len(lines) < batch {
		var l line
		switch err := dec.Decode(&l); {
		case err != nil:
			return nil, false, err
		case l.End != 0:
			return lines, true, nil
		case l.Message != nil:
			if *passed++; *passed <= taken {
				continue
			}
		}
		lines = append(lines, l)
	}
	return lines, false, nil
}

func (c *change) takeEntry(l line, t *takeover) error {
	if l.Message == nil {
		return c.takeAlong(l)
	}
	t.Taken++
	return c.takeOlder(l.Message, t)
}

// takeOlder stores a message of the first device's, before all that came since this one was linked.
func (c *change) takeOlder(m *history.Message, t *takeover) error {
	if m.ExpiresAt > 0 && m.ExpiresAt <= c.now {
		return nil
	}
	waits := 0
	for name, d := range m.Delivery {
		if d.State == history.Queued {
			waits++
			delete(m.Delivery, name)
		}
	}
	if waits > 0 && len(m.Delivery) == 0 {
		return nil // the first device tells of it when somebody has it
	}
	var added bool
	var err error
	if t.Next <= t.Reserved {
		if added, err = history.AddBelow(c.tx, m, t.Next); added {
			t.Next++
		}
	} else {
		added, err = history.Add(c.tx, m)
	}
	if err != nil || !added {
		return err
	}
	if m.Transcript != "" {
		if err := c.indexTranscript(m); err != nil {
			return err
		}
	}
	if m.ExpiresAt > 0 {
		if err := c.setTimer(m); err != nil {
			return err
		}
	}
	return c.catchUp(m)
}

// takeAlong takes in what is no message. What this device knows by itself stays.
func (c *change) takeAlong(l line) error {
	switch {
	case l.Conversation != nil:
		off, err := c.timerOff(l.Conversation.ID)
		if err != nil {
			return err
		}
		return history.Change(c.tx, l.Conversation.ID, func(v *history.Conversation) {
			v.Accepted, v.Blocked, v.Muted = v.Accepted || l.Conversation.Accepted, v.Blocked || l.Conversation.Blocked, v.Muted || l.Conversation.Muted
			if v.Expires == 0 && !off {
				v.Expires = l.Conversation.Expires
			}
		})
	case l.Peer != nil && l.Name != c.self():
		have, ok, err := store.Load[session.Peer](c.tx, store.Peers, l.Name)
		if err != nil {
			return err
		}
		if !ok {
			l.Peer.Devices, l.Peer.Able = nil, nil
			return c.takePeer(l)
		}
		mine, err := have.Key()
		if err != nil {
			return nil // none yet
		}
		theirs, err := l.Peer.Key()
		if err != nil || !mine.Equal(theirs) || l.Peer.Trust != session.Verified || have.Trust == session.Verified {
			return nil
		}
		return c.book.SetVerified(l.Name, mine, true)
	}
	return c.takeLine(l, false)
}
