package federation

import (
	"sync"
	"time"
)

// A peer that failed so often in a row is left alone for a while: then one request tries again.
const (
	tolerated = 3
	pause     = 5 * time.Second
)

// breaker keeps a peer that does not answer from holding our users' requests.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int       // mu; in a row
	until    time.Time // mu; nobody tries before
}

// try says how long to leave the peer alone; 0 is not at all. When a pause is over, the first to ask gets through, and the next pause begins.
func (b *breaker) try() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < tolerated {
		return 0
	}
	now := b.now()
	if wait := b.until.Sub(now); wait > 0 {
		return wait
	}
	b.until = now.Add(pause)
	return 0
}

// note takes the outcome of what try let through.
func (b *breaker) note(answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if answered {
		b.failures = 0
		return
	}
	if b.failures++; b.failures >= tolerated {
		b.until = b.now().Add(pause)
	}
}
