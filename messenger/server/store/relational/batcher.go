package relational

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// MaxBatch is how many changes share a commit at most: research product-perf 2.5. Larger ones gain nothing and
// make the last waiter wait longer.
const MaxBatch = 512

// waiting bounds the changes that wait for a writer; more callers block, which is the back-pressure.
const waiting = 2 * MaxBatch

// Pending is a change whose caller waits.
type Pending struct {
	Change
	done  chan error   // capacity 1
	state atomic.Int32 // whose it is: see the constants
}

// A change belongs to its caller until a writer claims it. From then on only the writer touches what it points
// to, and the caller waits for the answer even if its context ends: so an abandoned change is never half seen.
const (
	isWaiting int32 = iota
	isClaimed
	isAbandoned
)

// Answer wakes the caller. Exactly once, and for nil only after the commit.
func (p *Pending) Answer(err error) { p.done <- err }

func (p *Pending) claim() bool { return p.state.CompareAndSwap(isWaiting, isClaimed) }

// Batcher is group commit. Each writer goroutine takes the change that came first and whatever waits behind it,
// up to MaxBatch, and commits them together: no timer, so an idle server commits a single change at once.
type Batcher struct {
	commit  func(writer int, batch []*Pending)
	queues  []chan *Pending
	writers sync.WaitGroup

	mu     sync.RWMutex // held for reading while handing in, for writing to close
	closed bool

	commits, changes, bytes, failed atomic.Uint64
}

// NewBatcher starts writers. commit must Answer every change it is given, and is called by one goroutine per
// writer number at a time.
func NewBatcher(writers int, commit func(writer int, batch []*Pending)) *Batcher {
	b := &Batcher{commit: commit}
	for i := range writers {
		q := make(chan *Pending, waiting)
		b.queues = append(b.queues, q)
		b.writers.Add(1)
		go b.write(i, q)
	}
	return b
}

func (b *Batcher) write(writer int, q chan *Pending) {
	defer b.writers.Done()
	batch := make([]*Pending, 0, MaxBatch)
	for first := range q {
		if !first.claim() {
			continue
		}
		batch = gather(append(batch[:0], first), q)
		b.commit(writer, batch)
		clear(batch) // so that bodies can be freed
	}
}

// gather adds what waits already.
func gather(batch []*Pending, q chan *Pending) []*Pending {
	for len(batch) < MaxBatch {
		select {
		case p, ok := <-q:
			if !ok {
				return batch
			}
			if p.claim() {
				batch = append(batch, p)
			}
		default:
			return batch
		}
	}
	return batch
}

// Submit hands in a change and waits for its commit. If ctx ends before a writer took it, it never happens; after
// that Submit waits for the outcome, which the engine bounds in time.
func (b *Batcher) Submit(ctx context.Context, c Change) error {
	p := &Pending{Change: c, done: make(chan error, 1)}
	err := b.handIn(ctx, p)
	if err == nil {
		err = p.wait(ctx)
	}
	if err != nil {
		b.Count(0, 1, 0, 1)
		return err
	}
	b.Count(0, 1, uint64(c.Bytes), 0)
	return nil
}

func (p *Pending) wait(ctx context.Context) error {
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	if p.state.CompareAndSwap(isWaiting, isAbandoned) {
		return fmt.Errorf("%w: waiting for a writer: %v", store.ErrUnavailable, ctx.Err())
	}
	return <-p.done
}

func (b *Batcher) handIn(ctx context.Context, p *Pending) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return fmt.Errorf("%w: closed", store.ErrUnavailable)
	}
	select {
	case b.queues[uint64(p.Key)%uint64(len(b.queues))] <- p:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for a writer: %v", store.ErrUnavailable, ctx.Err())
	}
}

// Count adds to the counters.
func (b *Batcher) Count(commits, changes, bytes, failed uint64) {
	b.commits.Add(commits)
	b.changes.Add(changes)
	b.bytes.Add(bytes)
	b.failed.Add(failed)
}

// Counters returns the counters.
func (b *Batcher) Counters() Counters {
	return Counters{b.commits.Load(), b.changes.Load(), b.bytes.Load(), b.failed.Load()}
}

// Close lets the writers finish what was handed in and stops them. It may be called again.
func (b *Batcher) Close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		for _, q := range b.queues {
			close(q)
		}
	}
	b.mu.Unlock()
	b.writers.Wait()
}
