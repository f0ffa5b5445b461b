package client

import (
	"math/rand/v2"
	"time"
)

const (
	// firstPause is how long we wait after the first lost connection, unless Options say otherwise.
	firstPause = time.Second
	// maxPause is what pauses grow to, before chance has its part.
	maxPause = 2 * time.Minute
	// worked is how long a connection lasts that counts as one: the pauses begin anew after it.
	worked = time.Minute
)

// backoff says how long to wait between two tries to connect, or to send. Each pause is twice the one before, up to maxPause, and chance makes it half to one
// and a half times as long: clients that have lost their server together come back one by one.
type backoff struct {
	first, pause time.Duration
	chance       func(below time.Duration) time.Duration // from 0 to less than below, which is positive
}

// pauses are those of the account's tries.
func (a *Account) pauses() *backoff { return newBackoff(a.Pause, rand.N[time.Duration]) }

// firstPause is the account's shortest pause, by which others are measured.
func (a *Account) firstPause() time.Duration { return newBackoff(a.Pause, nil).first }

// newBackoff begins with first, or firstPause if that is 0.
func newBackoff(first time.Duration, chance func(time.Duration) time.Duration) *backoff {
	if first <= 0 {
		first = firstPause
	}
	return &backoff{first: first, pause: first, chance: chance}
}

// after returns the pause after a connection, or a try at one, that lasted so long.
func (b *backoff) after(lasted time.Duration) time.Duration {
	if lasted > worked {
		b.anew()
	}
	return b.next()
}

// anew begins anew.
func (b *backoff) anew() { b.pause = b.first }

// next returns the next pause.
func (b *backoff) next() time.Duration {
	d := b.pause/2 + b.chance(b.pause)
	b.pause = min(2*b.pause, maxPause)
	return d
}
