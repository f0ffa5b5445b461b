package socket

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Tasks run at once, each on its own, however many there are; afterwards a bounded number waits for more, and not for ever.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		for range 3 {
			var done sync.WaitGroup
			gate := make(chan struct{})
			for range 3 * resting {
				done.Add(1)
				c.run(func() {
					<-gate
					done.Done()
				})
			}
			synctest.Wait() // all of them stand at the gate
			close(gate)
			done.Wait()
			synctest.Wait()
			if n := len(c.rest); n != resting {
				t.Errorf("%d wait, want %d", n, resting)
			}
		}
		ran := false
		c.run(func() { ran = true })
		synctest.Wait()
		if !ran || len(c.rest) != resting {
			t.Errorf("ran: %v; %d wait", ran, len(c.rest))
		}
		time.Sleep(2 * restTime)
		if n := len(c.rest); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

// One who waits is taken before somebody new is started.
func TestCrewWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		for range 100 {
			c.run(func() {})
			synctest.Wait()
			if n := len(c.rest); n != 1 {
				t.Fatalf("%d wait, want the same one every time", n)
			}
		}
		time.Sleep(2 * restTime)
	})
}
