// Package limit counts how often somebody does something, in leaky buckets (6.8): each event adds one to a bucket, the bucket leaks at a
// constant rate, and what would overflow it is refused. What was refused does not count, so one who waits gets through.
//
// Buckets live in this process's memory, so several servers together allow several times as much. What must hold over all of
// them, such as the tries at a verification code, is counted in the store instead. Memory is bounded: a bucket that has leaked empty is
// forgotten, and when too many are full at once those closest to empty go first.
package limit

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Rule is the size of a bucket and what leaks out of it.
type Rule struct {
	Size float64
	// PerMinute leaks per minute. 6.8 gives both numbers.
	PerMinute float64
}

// maxBuckets bounds the buckets of one Limiter: about 100 bytes each.
const maxBuckets = 200_000

// Limiter keeps one bucket per key. It may be used by many goroutines.
type Limiter struct {
	rule Rule
	now  func() time.Time
	max  int

	mu      sync.Mutex
	buckets map[string]bucket // mu
}

// bucket is a level as it was at a time.
type bucket struct {
	level float64
	at    time.Time
}

// New returns a limiter without any bucket. A rule of size 0 allows everything.
func New(rule Rule, now func() time.Time) *Limiter {
	return &Limiter{rule: rule, now: now, max: maxBuckets, buckets: map[string]bucket{}}
}

// Allow counts one event. When it is refused, wait says after how long one would be allowed.
func (l *Limiter) Allow(key string) (wait time.Duration, ok bool) { return l.AllowN(key, 1) }

// AllowN counts n events, or none of them.
func (l *Limiter) AllowN(key string, n int) (wait time.Duration, ok bool) {
	if l.rule.Size == 0 {
		return 0, true
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	level := l.level(l.buckets[key], now) + float64(n)
	if over := level - l.rule.Size; over > 0 {
		return max(time.Second, time.Duration(over/l.rule.PerMinute*float64(time.Minute))), false
	}
	if _, known := l.buckets[key]; !known && len(l.buckets) >= l.max {
		l.shrink(now)
	}
	l.buckets[key] = bucket{level, now}
	return 0, true
}

// Forget empties a bucket: the one it counted against has shown to be who they say.
func (l *Limiter) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buckets, key)
}

// level is what is left in a bucket. A clock that was set back leaks nothing.
func (l *Limiter) level(b bucket, now time.Time) float64 {
	return max(0, b.level-max(0, now.Sub(b.at).Minutes())*l.rule.PerMinute)
}

// shrink drops the empty buckets, or a tenth of all where few are empty.
func (l *Limiter) shrink(now time.Time) {
	type entry struct {
		key   string
		level float64
	}
	entries := make([]entry, 0, len(l.buckets))
	for k, b := range l.buckets {
		entries = append(entries, entry{k, l.level(b, now)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.level, b.level) })
	for i, e := range entries {
		if e.level > 0 && i >= l.max/10 {
			return
		}
		delete(l.buckets, e.key)
	}
}
