package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// A history goes from the account's first device to one that was linked (10.3): packed into an archive, cut into parts, each of which is an attachment like any
// other; what opens them goes in a message between the two devices and nowhere else. The server sees how many there are and how large, as
// with every attachment, and forgets them in its time (45 days). Here is the first device's side; takeover.go is the other's.

// partSize is how much of an archive goes into one part, in bytes: what is uploaded, or fetched, is whole or not used.
const partSize = 64 << 20

// handover is a history on its way out, as it lies in the store until the message that opens it is queued. So a crash begins again where it was: packing
// anew, or with the part that was under way.
type handover struct {
	Device   uint32
	Seed     []byte
	Messages int
	Files    []upload          // none: not packed yet
	Parts    []wire.Attachment // pointers that lack only the ids
}

const settingHandovers = "handovers"

// HistorySize returns how many messages there are here, and about how many bytes a handover of them has.
func (a *Account) HistorySize(ctx context.Context) (messages, bytes int64, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error { messages, bytes, err = tx.Size(); return err })
	return messages, bytes, err
}

// SendHistory gives another device of ours what this one has, and returns when it is on its way to it. Whatever happens meanwhile, a restart
// included, it is gone on with; asked for again, one that is under way is waited for. Tell is as for Download.
func (a *Account) SendHistory(ctx context.Context, device uint32, tell func(Progress)) error {
	over, err := a.orderHistory(ctx, device, tell)
	if err != nil {
		return err
	}
	select {
	case <-over.done:
		return over.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Account) orderHistory(ctx context.Context, device uint32, tell func(Progress)) (*outcome, error) {
	own, err := a.Own(ctx)
	if err != nil {
		return nil, err
	}
	if own.Device != session.Master {
		return nil, misuse("this is device %d: the history comes from the account's first device", own.Device)
	}
	others, err := a.listed(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(others, func(d devicelist.Device) bool { return d.ID == device }) {
		return nil, misuse("there is no device %d that you have signed for: 'messenger device list' shows yours", device)
	}
	over := a.outcomes.of(device)
	a.handing.watch(int64(device), func(p Progress) {
		if tell != nil && ctx.Err() == nil {
			tell(p)
		}
	})
	err = a.change(ctx, func(c *change) error { return c.orderHistory(device) })
	if err != nil {
		return nil, err
	}
	signal(a.histories)
	return over, nil
}

func (c *change) orderHistory(device uint32) error {
	list, err := c.handovers()
	if err != nil || slices.ContainsFunc(list, func(h handover) bool { return h.Device == device }) {
		return err
	}
	return store.Save(c.tx, store.Settings, settingHandovers, append(list, handover{Device: device}))
}

func (c *change) handovers() (list []handover, err error) {
	list, _, err = store.Load[[]handover](c.tx, store.Settings, settingHandovers)
	return list, err
}

// wantedByHistories names the files that a history on its way needs.
func (a *Account) wantedByHistories(ctx context.Context, wanted map[string]bool) error {
	return a.view(ctx, func(c *change) error {
		list, err := c.handovers()
		for _, h := range list {
			for _, u := range h.Files {
				wanted[u.Blob] = true
			}
		}
		if err != nil {
			return err
		}
		t, _, err := store.Load[takeover](c.tx, store.Settings, settingTakeover)
		wanted[takeoverFile] = len(t.Parts) > 0
		return err
	})
}

// keepHandover stores how far one is; it returns false if it was given up meanwhile.
func (a *Account) keepHandover(ctx context.Context, h handover) (there bool, err error) {
	err = a.change(ctx, func(c *change) error {
		list, err := c.handovers()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(other handover) bool { return other.Device == h.Device })
		if there = i >= 0; !there {
			return nil
		}
		list[i] = h
		return store.Save(c.tx, store.Settings, settingHandovers, list)
	})
	return there, err
}

// dropHandover forgets one, in the transaction of c.
func (c *change) dropHandover(device uint32) error {
	list, err := c.handovers()
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(h handover) bool {
		if h.Device == device {
			c.done = append(c.done, h.Files...)
		}
		return h.Device == device
	})
	return store.Save(c.tx, store.Settings, settingHandovers, list)
}

// tendHistories hands over and takes over what there is, until ctx ends.
func (a *Account) tendHistories(ctx context.Context) {
	pauses := a.pauses()
	for {
		err := errors.Join(a.handOver(ctx), a.takeOver(ctx))
		var again <-chan time.Time
		if ctx.Err() != nil {
			return
		} else if err != nil {
			a.Log.Info("a history has to wait", "error", err)
			again = time.After(pauses.next())
		} else {
			pauses.anew()
		}
		select {
		case <-again:
		case <-a.histories:
		case <-ctx.Done():
			return
		}
	}
}

// handOver does what is left of all handovers.
func (a *Account) handOver(ctx context.Context) error {
	var list []handover
	if err := a.view(ctx, func(c *change) (err error) { list, err = c.handovers(); return err }); err != nil {
		return err
	}
	for _, h := range list {
		err := a.handOverOne(ctx, h)
		var over *overError
		if errors.As(err, &over) {
			a.Log.Warn("the history is not handed over", "error", err)
			err = a.change(ctx, func(c *change) error { return c.dropHandover(h.Device) })
			a.outcomes.end(h.Device, over.error)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// overError says that there is no use in trying again.
type overError struct{ error }

func (e *overError) Unwrap() error { return e.error }

func (a *Account) handOverOne(ctx context.Context, h handover) error {
	if len(h.Files) == 0 {
		if err := a.pack(ctx, &h); ctx.Err() != nil {
			return err
		} else if err != nil {
			return &overError{fmt.Errorf("the history could not be packed: %w", err)}
		}
		if there, err := a.keepHandover(ctx, h); err != nil || !there {
			a.dropFiles(h.Files)
			return err
		}
	}
	if err := a.uploadHistory(ctx, &h); err != nil {
		var lost *lostError
		if errors.As(err, &lost) {
			return &overError{err}
		}
		return err
	}
	for i := range h.Parts {
		h.Parts[i].ID = h.Files[i].ID
	}
	s := &wire.Sync{History: &wire.History{Device: h.Device, Seed: h.Seed, Parts: h.Parts, Messages: uint64(h.Messages)}}
	err := a.change(ctx, func(c *change) error {
		at, err := c.timestamp()
		if err != nil {
			return err
		}
		if err := c.push(job{Timestamp: at, Content: (&wire.Content{Sync: s}).Encode(), To: []string{c.self()}}); err != nil {
			return err
		}
		return c.dropHandover(h.Device)
	})
	if err == nil {
		a.handing.forget(int64(h.Device))
		a.outcomes.end(h.Device, nil)
	}
	return err
}

func (a *Account) uploadHistory(ctx context.Context, h *handover) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, u := range h.Files {
		total += u.Size
	}
	m := newMeter(a.World.Now, a.handing.of(int64(h.Device)), Uploading, 0, total)
	keep := func(*remote.Place) error {
		there, err := a.keepHandover(ctx, *h)
		if err == nil && !there {
			return &overError{errors.New("the device was removed")}
		}
		return err
	}
	for i := range h.Files {
		if h.Files[i].ID != 0 {
			m.skip(h.Files[i].Size)
			continue
		}
		if err := a.uploadOne(ctx, who, &h.Files[i], m, keep); err != nil {
			return err
		}
		if err := keep(nil); err != nil {
			return err
		}
	}
	return nil
}
