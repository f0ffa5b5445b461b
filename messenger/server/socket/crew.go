package socket

import (
	"time"
)

// crew runs short tasks, each on a goroutine of its own, which then waits a while for the next. Answering a request goes deep into the server,
// and a fresh goroutine would first have its stack copied several times over: a tenth of what a message cost.
type crew struct {
	tasks chan func()   // unbuffered: taken only by who waits
	rest  chan struct{} // one for each that waits
}

// Bounds of those who wait: their number, which with the stack of an answer is some MiB at most, and the time.
const (
	resting  = 256
	restTime = 5 * time.Second
)

func newCrew() *crew {
	return &crew{tasks: make(chan func()), rest: make(chan struct{}, resting)}
}

// run starts a task and does not wait for it.
func (c *crew) run(task func()) {
	select {
	case c.tasks <- task:
	default:
		go c.work(task)
	}
}

func (c *crew) work(task func()) {
	timer := time.NewTimer(restTime)
	defer timer.Stop()
	for {
		task()
		select {
		case c.rest <- struct{}{}:
		default:
			return // enough are waiting
		}
		timer.Reset(restTime)
		select {
		case task = <-c.tasks:
			<-c.rest
		case <-timer.C:
			<-c.rest
			return
		}
	}
}
