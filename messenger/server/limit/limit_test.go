package limit

import (
	"fmt"
	"testing"
	"time"
)

// world is a clock that tests move.
type world struct{ now time.Time }

func newWorld() *world { return &world{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

func (w *world) clock() time.Time { return w.now }

func TestBucketFillsAndLeaks(t *testing.T) {
	w := newWorld()
	l := New(Rule{Size: 3, PerMinute: 0.1}, w.clock)
	for i := range 3 {
		if wait, ok := l.Allow("a"); !ok {
			t.Fatalf("event %d refused for %v", i, wait)
		}
	}
	if wait, ok := l.Allow("a"); ok || wait != 10*time.Minute {
		t.Fatalf("got %v %v, want a refusal for 10 minutes", wait, ok)
	}
	if _, ok := l.Allow("b"); !ok {
		t.Error("another key shares the bucket")
	}
	w.now = w.now.Add(10*time.Minute - time.Second)
	if _, ok := l.Allow("a"); ok {
		t.Error("allowed a second too early")
	}
	w.now = w.now.Add(2 * time.Second)
	if wait, ok := l.Allow("a"); !ok {
		t.Errorf("after the wait that was told: refused for %v", wait)
	}
	w.now = w.now.Add(-time.Hour)
	if _, ok := l.Allow("a"); ok {
		t.Error("a clock set back leaked")
	}
}

func TestManyAtOnceAreAllOrNothing(t *testing.T) {
	w := newWorld()
	l := New(Rule{Size: 10, PerMinute: 10}, w.clock)
	if _, ok := l.AllowN("a", 11); ok {
		t.Error("11 events went into a bucket of 10")
	}
	if _, ok := l.AllowN("a", 10); !ok {
		t.Error("the refused 11 counted")
	}
	l.Forget("a")
	if _, ok := l.AllowN("a", 10); !ok {
		t.Error("a forgotten bucket is not empty")
	}
}

func TestNoRuleAllowsAll(t *testing.T) {
	l := New(Rule{}, newWorld().clock)
	for range 1000 {
		if _, ok := l.Allow("a"); !ok {
			t.Fatal("refused without a rule")
		}
	}
}

// Whoever floods with ever new keys costs no more than the bound, and does not empty the fullest bucket.
func TestMemoryIsBounded(t *testing.T) {
	w := newWorld()
	l := New(Rule{Size: 5, PerMinute: 0.001}, w.clock)
	l.max = 100
	l.AllowN("full", 5)
	for i := range 10_000 {
		l.Allow(fmt.Sprint(i))
		if len(l.buckets) > l.max {
			t.Fatalf("%d buckets, want at most %d", len(l.buckets), l.max)
		}
	}
	if _, ok := l.Allow("full"); ok {
		t.Error("the flood emptied the bucket that was full")
	}
	w.now = w.now.Add(365 * 24 * time.Hour)
	l.shrink(w.now)
	if len(l.buckets) != 0 {
		t.Errorf("%d buckets after a year, want none", len(l.buckets))
	}
}
