package route

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The breaker's life, on a clock that stands until everybody waits.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alive atomic.Bool
		var asked atomic.Int32
		alive.Store(true)
		b := NewBreaker(time.Now, time.Second, func(node string) bool {
			asked.Add(1)
			time.Sleep(500 * time.Millisecond)
			return alive.Load()
		})
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		expect := func(what string, open bool, times int32) {
			t.Helper()
			got := b.Open("n")
			synctest.Wait() // a question that this began is counted by its own goroutine
			if got != open || asked.Load() != times {
				t.Errorf("%s: open %v after %d questions, wanted %v after %d", what, got, asked.Load(), open, times)
			}
		}
		expect("at first", false, 0)
		// A slow device: the node answers for itself, so nothing happens.
		b.TimedOut("n")
		wait(600 * time.Millisecond)
		expect("only the device was slow", false, 1)
		// The node freezes. A hundred timeouts are one question.
		alive.Store(false)
		for range 100 {
			b.TimedOut("n")
		}
		expect("asked, no answer yet", false, 2)
		wait(600 * time.Millisecond)
		expect("frozen", true, 2)
		b.Answered("other")
		if b.Open("other") {
			t.Error("another node is left alone too")
		}
		// Being asked for is what makes it try again, once a pause.
		for range 10 {
			wait(100 * time.Millisecond)
			b.Open("n")
		}
		wait(600 * time.Millisecond)
		expect("still frozen", true, 4)
		alive.Store(true)
		wait(1100 * time.Millisecond)
		b.Open("n")
		wait(600 * time.Millisecond)
		expect("thawed", false, 4) // the question on its way was answered
	})
}

func TestPlacesForget(t *testing.T) {
	p := newPlaces(10)
	for i := range 1000 {
		p.learn(Key(fmt.Sprintf("d%d", i)), "a")
	}
	if n := len(p.young) + len(p.up); n > 20 {
		t.Errorf("remembers %d keys", n)
	}
	p.learn("d999", "b")
	if p.where("d999") != "b" || p.where("d998") != "a" || p.where("d1") != "" {
		t.Errorf("d999 at %q, d998 at %q, d1 at %q", p.where("d999"), p.where("d998"), p.where("d1"))
	}
	p.forget("d999")
	if p.where("d999") != "" {
		t.Error("remembers what it was told to forget")
	}
}
