// Package client keeps one device's trusted TUF state in a directory and
// refreshes it through a courier.
//
// The world. The directory belongs to the user who runs the program; whoever
// may write there could as well replace the program, so it is defended against
// accidents and not against that user. Couriers are mirrors: they may lie,
// cut, repeat, mix and withhold. Package trust decides what is believed; this
// package decides what is asked, what is kept, and in what order.
//
// Files, all of them changed one at a time and atomically (tuf/durable):
//
//	root.json, timestamp.json, snapshot.json, targets.json, <role>.json
//	    the newest verified file of each role, the very bytes that were served.
//	    A damaged one counts as absent.
//	roots/N.root.json
//	    every root accepted after the anchor. They are replayed from the anchor
//	    at every start, so a copy planted here is refused like any other. A
//	    damaged one is an error: silently starting at an older root would give
//	    revoked keys their power back.
//	device/seen.json
//	    the newest versions ever accepted, with the keys they were accepted
//	    under, and the time floor. It only grows, so that deleting the metadata
//	    files does not make an old repository look new. It starts again for
//	    timestamp and snapshot when root replaces their keys (TUF 5.3.11).
//	device/last.json
//	    the files of the last complete refresh, to look at offline while the
//	    single files above do not fit together. No refresh starts from it.
//	lock
//	    taken while the state changes; two processes never refresh at once.
//
// A file is written as soon as it is verified, root history first. A crash
// between two writes leaves a newer role above an older one, which the next
// refresh takes as its starting point; seen.json written late is made good by
// the files themselves, which also guard against rollback.
package client

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Courier brings bytes nobody has judged.
type Courier interface {
	// Fetch returns the file at path, such as "metadata/timestamp.json", of at
	// most max bytes. The error is fs.ErrNotExist (errors.Is) when every source
	// was asked and none has it; any other error means "could not tell".
	Fetch(ctx context.Context, path string, max int64) ([]byte, error)
}

// Rejecter is a Courier with several sources. Reject tells it that the bytes it
// last brought for path were judged and found wrong or stale; true means that
// another source is left and Fetch may be called again. One lying mirror then
// costs one request more, not the update. A mirror that shows what we have
// already is not found out by this: it looks like a quiet day until the
// timestamp expires, which is why callers shuffle their mirrors.
type Rejecter interface {
	Reject(path string, why error) bool
}

// Client is one directory of trusted state. Its methods may be called from
// several goroutines; they run one after another.
type Client struct {
	dir  string
	mode trust.Mode
	disk disk

	mu      sync.Mutex
	base    *trust.Set // the newest root reached from the anchor, and nothing else
	history [][]byte   // the roots after the anchor
	seen    memory     // as on disk
	current *trust.Set // of the last Refresh, for Find
}

// Open replays the embedded root and the remembered root history in dir, which
// it creates. The highest root reached by an unbroken chain from the anchor is
// trusted: history below an anchor that a newer program brought is ignored,
// history above an old anchor is honoured.
func Open(dir string, anchor []byte) (*Client, error) {
	return open(dir, anchor, trust.Strict, realDisk{})
}

// OpenStandard is Open for a repository of somebody else: TUF as specified,
// without the stricter rules of package trust.
func OpenStandard(dir string, anchor []byte) (*Client, error) {
	return open(dir, anchor, trust.Standard, realDisk{})
}

func open(dir string, anchor []byte, mode trust.Mode, d disk) (*Client, error) {
	c := &Client{dir: dir, mode: mode, disk: d}
	var err error
	if c.base, err = trust.New(anchor, mode, zero); err != nil {
		return nil, err
	}
	for _, sub := range []string{rootsDir, deviceDir} {
		if err := d.MkdirAll(filepath.Join(dir, sub)); err != nil {
			return nil, err
		}
	}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, c.tidy()
}

// tidy brings root.json up to the history, after a crash between the two or
// when a newer program brought a newer anchor. Another process that holds the
// lock will do the same.
func (c *Client) tidy() error {
	unlock, err := c.lock()
	if err != nil {
		return nil
	}
	defer unlock()
	c.disk.Sweep(c.dir)
	return c.putIfChanged(rootFile, c.base.Root())
}

func (c *Client) lock() (unlock func() error, err error) {
	return durable.Lock(filepath.Join(c.dir, "lock"))
}

// How often, and at which distance, a refresh tries to get the lock. Whoever only opens the directory has it for a moment, to tidy, on a busy
// machine with a slow disk for seconds; whoever has it for longer refreshes.
const (
	lockTries = 300
	lockPause = 50 * time.Millisecond
)

// await gets the lock when those who only tidy have let go of it.
func (c *Client) await(ctx context.Context) (unlock func() error, err error) {
	for range lockTries {
		if unlock, err = c.lock(); !errors.Is(err, durable.ErrLocked) {
			return unlock, err
		}
		pause := time.NewTimer(lockPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, context.Cause(ctx)
		}
	}
	return nil, err
}

// Seen is what this device remembers of the newest it ever accepted.
type Seen struct {
	Root, Timestamp, Snapshot, Targets int64
	Channels                           map[string]int64
	Floor                              time.Time // largest x-countersign-made of root, targets and channels; zero when unknown
}

// Seen returns what this device remembers.
func (c *Client) Seen() Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.public()
}
