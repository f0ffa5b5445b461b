package rpc

import (
	"sync"

	"github.com/countersign-project/countersign/messenger/client"
)

// asks is what a caller adds to a request that may take long: under which name to tell him how far it is.
type asks struct {
	Progress string `json:"progress"`
}

// maxName bounds the name in bytes.
const maxName = 100

// Progress is a notification "progress": only who has asked for it gets it, under the name he gave.
type Progress struct {
	ID string `json:"id"`
	client.Progress
}

// telling is what one connection is still to be told. Whoever makes progress does not wait for it: what is not told yet is replaced by what is newer.
type telling struct {
	wake chan struct{} // says that something is pending

	mu      sync.Mutex
	pending []Progress // mu; one of a name

	order sync.Mutex // held while something is told, so that an answer comes after it
}

// progress returns what takes progress; nil if the caller has not asked.
func (c *conn) progress(p asks) (func(client.Progress), error) {
	if len(p.Progress) > maxName {
		return nil, userError("progress: a name of %d bytes, want at most %d", len(p.Progress), maxName)
	}
	if p.Progress == "" {
		return nil, nil
	}
	t := &c.telling
	return func(now client.Progress) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.note(Progress{p.Progress, now})
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}, nil
}

func (t *telling) note(p Progress) {
	for i := range t.pending {
		if t.pending[i].ID == p.ID {
			t.pending[i] = p
			return
		}
	}
	t.pending = append(t.pending, p)
}

// tellOn tells what is pending, until the connection ends.
func (c *conn) tellOn() {
	for {
		select {
		case <-c.telling.wake:
			c.tellProgress()
		case <-c.ctx.Done():
			return
		}
	}
}

// tellProgress tells what is pending.
func (c *conn) tellProgress() {
	t := &c.telling
	t.order.Lock()
	defer t.order.Unlock()
	t.mu.Lock()
	list := t.pending
	t.pending = nil
	t.mu.Unlock()
	for _, p := range list {
		c.notify("progress", p)
	}
}
