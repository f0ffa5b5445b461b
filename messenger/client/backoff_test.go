package client

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Pauses double up to two minutes, begin anew after a connection that worked, and chance keeps them within half to one and a half.
func TestPausesAreBoundedAndSpread(t *testing.T) {
	least := func(time.Duration) time.Duration { return 0 }
	most := func(below time.Duration) time.Duration { return below - 1 }
	short, long := newBackoff(0, least), newBackoff(0, most)
	for i, s := range []int{1, 2, 4, 8, 16, 32, 64, 120, 120, 120} {
		middle := time.Duration(s) * time.Second
		if got, want := short.after(0), middle/2; got != want {
			t.Errorf("try %d: at least %v, want %v", i, got, want)
		}
		if got, want := long.after(worked), middle*3/2-1; got != want {
			t.Errorf("try %d: at most %v, want %v", i, got, want)
		}
	}
	if got := short.after(worked + 1); got != firstPause/2 {
		t.Errorf("after a connection that worked: %v, want %v", got, firstPause/2)
	}
	if got := newBackoff(10*time.Millisecond, least).after(0); got != 5*time.Millisecond {
		t.Errorf("with a first pause of its own: %v", got)
	}
	// Two clients that lost their server together do not come back together.
	mine, theirs := rand.New(rand.NewPCG(1, 1)), rand.New(rand.NewPCG(2, 2))
	of := func(r *rand.Rand) *backoff {
		return newBackoff(0, func(below time.Duration) time.Duration { return time.Duration(r.Int64N(int64(below))) })
	}
	a, b, same := of(mine), of(theirs), 0
	for range 20 {
		if a.after(0) == b.after(0) {
			same++
		}
	}
	if same != 0 {
		t.Errorf("%d of 20 pauses are the same", same)
	}
}
