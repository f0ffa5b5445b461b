package fetch

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// A watch ends one attempt at one source when it becomes too slow. It starts before the source is opened,
// so that a connection that hangs is caught by the same rule as a body that drips.
type watch struct {
	ctx   context.Context
	count atomic.Int64 // bytes that came so far
	stop  func()
}

// watch begins an attempt that may last at most share (no limit when negative).
func (c *Courier) watch(parent context.Context, share time.Duration) *watch {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watch{ctx: ctx}
	floor, window := c.MinRate, c.Window
	if floor == 0 {
		floor = DefaultMinRate
	}
	if window <= 0 {
		window = DefaultWindow
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var end <-chan time.Time
		if share >= 0 {
			t := time.NewTimer(share)
			defer t.Stop()
			end = t.C
		}
		tick := time.NewTicker(window)
		defer tick.Stop()
		last := int64(0)
		for {
			select {
			case <-ctx.Done():
				return
			case <-end:
				cancel(errShare)
				return
			case <-tick.C:
				now := w.count.Load()
				if got := now - last; float64(got) < float64(floor)*window.Seconds() {
					cancel(&SlowError{got, window, floor})
					return
				}
				last = now
			}
		}
	}()
	w.stop = func() { cancel(nil); <-done }
	return w
}

// body wraps what a source opened, so that reading is counted and ends with the attempt.
func (w *watch) body(r io.ReadCloser) io.ReadCloser {
	stop := context.AfterFunc(w.ctx, func() { r.Close() })
	return &watched{w, r, stop}
}

type watched struct {
	w    *watch
	r    io.ReadCloser
	stop func() bool
}

func (b *watched) Read(p []byte) (int, error) {
	if b.w.ctx.Err() != nil { // for readers that never look: some give nothing and no error, for ever
		return 0, context.Cause(b.w.ctx)
	}
	n, err := b.r.Read(p)
	b.w.count.Add(int64(n))
	if err != nil && err != io.EOF {
		err = cause(b.w.ctx, err)
	}
	return n, err
}

func (b *watched) Close() error {
	if b.stop() {
		return b.r.Close()
	}
	return nil // the context's end closed it
}

// A budget divides the deadline of a call among the sources that are left.
type budget struct{ end time.Time } // zero: no deadline

func (c *Courier) budget() budget {
	switch d := c.Deadline; {
	case d < 0:
		return budget{}
	case d == 0:
		return budget{time.Now().Add(DefaultDeadline)}
	default:
		return budget{time.Now().Add(d)}
	}
}

// share is what one of n sources may use; negative means no limit.
func (b budget) share(n int) time.Duration {
	if b.end.IsZero() {
		return -1
	}
	return max(time.Until(b.end), 0) / time.Duration(max(n, 1))
}
