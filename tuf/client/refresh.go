package client

import (
	"context"
	"errors"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

// Refresh is TUF 5.3 to 5.6 through the courier: it asks for what a standard
// client asks for, verifies, and keeps what is verified. channels are the
// delegated roles to load. The time used is now or the remembered floor,
// whichever is later; with a zero now expiry is not judged.
//
// When root, timestamp, snapshot or targets fail, the Set is nil. When only
// channels fail, Set and Metadata hold everything else and the error tells of
// each channel (errors.Join). What failed is never kept.
func (c *Client) Refresh(ctx context.Context, courier Courier, now time.Time, channels ...string) (*trust.Set, trust.Metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unlock, err := c.await(ctx)
	if err != nil {
		return nil, trust.Metadata{}, err
	}
	defer unlock()
	c.current = nil
	if err := c.reload(); err != nil {
		return nil, trust.Metadata{}, err
	}
	return c.walk(ctx, courier, channels).run(now)
}

// Load judges what is on disk, without a courier and without a change on disk.
// The error is fs.ErrNotExist (errors.Is) when nothing was fetched yet. The
// rest is as with Refresh. When the files do not fit together, because a
// refresh was cut short or is under way in another process, the last state
// that was complete is judged instead.
func (c *Client) Load(now time.Time, channels ...string) (*trust.Set, trust.Metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.reload(); err != nil {
		return nil, trust.Metadata{}, err
	}
	set, files, err := c.walk(context.Background(), nil, channels).run(now)
	var expired *trust.ExpiredError
	if err == nil || errors.As(err, &expired) {
		return set, files, err
	}
	if s, f, ok := c.loadLast(now, channels); ok {
		return s, f, nil
	}
	return set, files, err
}

func (c *Client) walk(ctx context.Context, courier Courier, channels []string) *walk {
	return &walk{c: c, ctx: ctx, courier: courier, channels: channels, kept: map[string]bool{}}
}

// walk is one pass over the roles. Without a courier it stays offline.
type walk struct {
	c        *Client
	ctx      context.Context
	courier  Courier
	channels []string
	set      *trust.Set
	files    trust.Metadata
	seen     memory
	kept     map[string]bool // roles whose file on disk is the verified one
	changed  bool            // a file below root was written
}

// keep writes a verified file. Only what is on disk is remembered as seen: a
// memory ahead of the files would make this device refuse its own.
func (w *walk) keep(role string, b []byte) error {
	if err := w.c.put(escape(role)+".json", b); err != nil {
		return err
	}
	w.kept[role] = true
	w.changed = w.changed || role != trust.Root
	return nil
}

func (w *walk) online() bool { return w.courier != nil }

func (w *walk) run(now time.Time) (*trust.Set, trust.Metadata, error) {
	if !now.IsZero() && now.Before(w.c.seen.floor()) {
		now = w.c.seen.floor()
	}
	w.set, w.seen = w.c.base.Restart(now), w.c.seen.clone()
	err := w.topLevel()
	var failed error
	if err == nil {
		failed = w.loadChannels()
	}
	if werr := w.remember(); err == nil {
		err = werr
	}
	if err != nil {
		return nil, trust.Metadata{}, err
	}
	w.c.current = w.set
	w.files.Roots = append([][]byte(nil), w.c.history...)
	if failed == nil && w.changed {
		failed = w.c.saveLast(w.files)
	}
	return w.set, w.files, failed
}
