package client

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// tendIndex keeps the index of messages, segment by segment, until ctx ends. It is in no hurry: what has no index is found too. After each segment it
// rests as long as that took, so that what is sent and received meanwhile waits for one segment at most.
func (a *Account) tendIndex(ctx context.Context) {
	for told := false; ; {
		begin := time.Now()
		p, more, err := a.indexOne(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.Log.Warn("messages not indexed", "error", err)
			more = false
		case more && !told:
			a.Log.Info("messages are being indexed", "done", p.Done, "of", p.All)
			told = true
		case !more && told:
			a.Log.Info("all messages are indexed", "segments", p.All)
			told = false
		}
		wait := 60 * a.firstPause()
		if more {
			wait = time.Since(begin)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// indexOne makes the index of one segment, if one lacks it.
func (a *Account) indexOne(ctx context.Context) (p history.Progress, more bool, err error) {
	var segment int64
	err = a.store.View(ctx, func(tx *store.Tx) (err error) {
		if segment, more, p, err = history.Unindexed(tx); err != nil || !more {
			return err
		}
		t, _, err := store.Load[takeover](tx, store.Settings, settingTakeover)
		more = !t.awaited() || segment > store.Segment(t.Reserved) // messages are still to be put there
		return err
	})
	if err != nil || !more {
		return p, false, err
	}
	return p, true, a.store.Update(ctx, func(tx *store.Tx) error { return history.Index(tx, segment) })
}

// Indexed tells how far the index of messages is.
func (a *Account) Indexed(ctx context.Context) (p history.Progress, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error { _, _, p, err = history.Unindexed(tx); return err })
	return p, err
}
