package update

import (
	"context"
	"encoding/binary"
	"io"
	"time"
)

// Every is how long a long-running mode waits between two checks, on average.
const Every = 6 * time.Hour

// Loop repeats a round for as long as a program runs. When it asks is decided here and from local
// randomness only: a server that could choose the time could serve one device apart from the others.
type Loop struct {
	Every  time.Duration                                    // on average, when all goes well
	Random io.Reader                                        // crypto/rand
	Round  func(context.Context) error                      // one check, perhaps with an update
	Sleep  func(ctx context.Context, d time.Duration) error // returns early, with an error, when ctx ends
}

// Run makes the first round after a short random delay, so that a crowd of devices that start together
// does not ask together, then one about every Every, spread by a quarter to both sides. After an error
// the next try comes sooner, a 24th of Every (a quarter of an hour), and then twice as late each time,
// up to Every. It returns when ctx ends. Waiting is by the monotonic clock: setting the wall clock
// neither hastens nor stops it.
func (l Loop) Run(ctx context.Context) {
	failures := 0
	wait := l.between(0, min(l.Every/20, 5*time.Minute))
	for l.Sleep(ctx, wait) == nil {
		if err := l.Round(ctx); err != nil {
			failures++
		} else {
			failures = 0
		}
		wait = l.wait(failures)
	}
}

// wait is the time to the next round after so many failures in a row.
func (l Loop) wait(failures int) time.Duration {
	d := l.Every
	if failures > 0 {
		d = min(d, l.Every/24<<min(failures-1, 5))
	}
	return l.between(d-d/4, d+d/4)
}

// between draws a duration from [low, high). When the source of randomness fails it is the middle: a
// program goes on without spread rather than not at all.
func (l Loop) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	var b [8]byte
	if _, err := io.ReadFull(l.Random, b[:]); err != nil {
		return low + (high-low)/2
	}
	return low + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(high-low))
}

// Sleep waits by the real clock.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
