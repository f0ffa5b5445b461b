package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/messenger/attachment"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// takeover is the history of the account's first device on its way to this one (10.3; handover.go is the other side), as it lies in the store until all of
// it is here. Only the first device can send one, and only to the device it names. Its parts are fetched one after the other into one file, the
// archive, which is read to its end before anything of it is used; then its messages are stored in batches, each with how far it is. So a
// crash loses nothing and repeats nothing: what came is gone on with, and what is here already is not stored again.
type takeover struct {
	// Reserved is the highest of the message numbers that were kept free when this device was linked; Next the one that is used next. What the first device
	// has written or received stands before what has come since; what does not fit stands behind.
	Reserved, Next int64
	Expected       int64 // messages, as the first device says

	Seed    []byte
	Parts   []wire.Attachment // none: not announced yet
	Fetched int               // so many parts are in the file
	Tries   int               // of a part that did not open
	Taken   int64             // so many messages of the file are stored, or were here
}

const (
	settingTakeover = "takeover"
	takeoverFile    = "takeover.history"
	// spare is how many numbers are kept free beyond what the first device says it has, for what it gets until it packs, and maxReserved how many at most.
	spare       = 10_000
	maxReserved = 1 << 24
	// maxPartTries is how often a part is fetched that does not open.
	maxPartTries = 3
)

// expect keeps numbers free for a history of so many messages, on a device that was just linked.
func expect(tx *store.Tx, messages uint64) error {
	if messages == 0 {
		return nil
	}
	n := min(int64(min(messages, maxReserved)), maxReserved-spare) * 11 / 10
	n = (min(n, maxReserved-spare) + spare + store.SegmentSize) / store.SegmentSize * store.SegmentSize
	if err := tx.Reserve(n - 1); err != nil {
		return err
	}
	return store.Save(tx, store.Settings, settingTakeover, takeover{Reserved: n - 1, Next: 1, Expected: int64(messages)})
}

// announced takes in where the parts of a history are, and what opens them.
func (c *change) announced(device uint32, h *wire.History) error {
	own := c.book.Own()
	if h.Device != own.Device {
		return nil // for another device of ours
	}
	if device != session.Master || own.Device == session.Master {
		return refusal.Because(refusal.InvalidMessage, "a history from device %d, want it from the account's first", device)
	}
	if len(h.Parts) == 0 || h.Messages > 1<<40 {
		return refusal.Because(refusal.InvalidMessage, "a history of %d messages in %d parts", h.Messages, len(h.Parts))
	}
	for _, p := range h.Parts {
		if p.Size == 0 || int64(p.Size) > attachment.MaxSize {
			return refusal.Because(refusal.InvalidMessage, "a part of a history of %d bytes, want 1 to %d", p.Size, attachment.MaxSize)
		}
	}
	t, _, err := store.Load[takeover](c.tx, store.Settings, settingTakeover)
	if err != nil {
		return err
	}
	c.histories = true
	return store.Save(c.tx, store.Settings, settingTakeover, takeover{Reserved: t.Reserved, Next: max(t.Next, 1), Expected: int64(h.Messages), Seed: h.Seed, Parts: h.Parts})
}

func (a *Account) takeover(ctx context.Context) (t takeover, there bool, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		t, there, err = store.Load[takeover](tx, store.Settings, settingTakeover)
		return err
	})
	return t, there, err
}

// TakingOver tells how far the history is that comes from the account's first device; there is false if none comes, or it is all here.
func (a *Account) TakingOver(ctx context.Context) (p Progress, there bool, err error) {
	t, there, err := a.takeover(ctx)
	if err != nil || !there {
		return p, false, err
	}
	p = Progress{What: TakingOver, Done: t.Taken, Total: t.Expected}
	if len(t.Parts) == 0 {
		p.What = Awaited
	}
	return p, t.awaited(), nil
}

// awaited tells whether something is still to come; otherwise only free numbers are left.
func (t takeover) awaited() bool { return t.Expected > 0 }

// takeOver fetches and stores what was announced.
func (a *Account) takeOver(ctx context.Context) error {
	t, there, err := a.takeover(ctx)
	if err != nil || !there || len(t.Parts) == 0 {
		return err
	}
	f, err := os.OpenFile(filepath.Join(a.filesDir(), takeoverFile), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(a.filesDir(), 0o700); err == nil {
			f, err = os.OpenFile(filepath.Join(a.filesDir(), takeoverFile), os.O_RDWR|os.O_CREATE, 0o600)
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = a.fetchHistory(ctx, &t, f)
	if err == nil {
		err = a.storeHistory(ctx, &t, f)
	}
	if err != nil && (ctx.Err() != nil || !hopeless(err)) {
		return room(err)
	}
	if err != nil {
		a.Log.Warn("the history is not taken over", "error", err)
	}
	if err = a.change(ctx, func(c *change) error { return c.tookOver(t, err) }); err == nil {
		a.dropFiles([]upload{{Blob: takeoverFile}})
	}
	return err
}

// tookOver ends a takeover: why it failed, or nil. The numbers that are left stay free for another.
func (c *change) tookOver(t takeover, why error) error {
	if err := t.keep(c.tx, takeover{Reserved: t.Reserved, Next: t.Next}); err != nil {
		return err
	}
	if why == nil { // otherwise it may be sent again
		if err := c.forgetEarly(); err != nil {
			return err
		}
	}
	c.tell(Event{Type: EventHistory, Progress: &Progress{What: TakingOver, Done: t.Taken, Total: t.Taken}, Why: text(why)})
	list, err := history.Conversations(c.tx)
	if err != nil {
		return err
	}
	for _, v := range list {
		c.tell(Event{Type: EventConversation, Conversation: v.ID})
	}
	if why == nil {
		return nil
	}
	return c.notice(c.self(), "history", c.self(), fmt.Sprintf("The history of your first device could not be taken over: %v. 'messenger device history' on the first device sends it again.", why))
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// hopeless tells whether an error stays however often one tries.
func hopeless(err error) bool {
	var given *overError
	return errors.As(err, &given)
}

func (a *Account) keepTakeover(ctx context.Context, t takeover) error {
	return a.store.Update(ctx, func(tx *store.Tx) error { return t.keep(tx, t) })
}

// keep stores now in place of t, unless another history was announced meanwhile: that is begun with then.
func (t takeover) keep(tx *store.Tx, now takeover) error {
	have, _, err := store.Load[takeover](tx, store.Settings, settingTakeover)
	if err == nil && !bytes.Equal(have.Seed, t.Seed) {
		err = errors.New("another history was announced")
	}
	if err != nil {
		return err
	}
	return store.Save(tx, store.Settings, settingTakeover, now)
}

// tellHistory tells everybody how far it is.
func (a *Account) tellHistory(p Progress) { a.events.publish(Event{Type: EventHistory, Progress: &p}) }
