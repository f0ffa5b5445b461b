package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// loop is the closed loop of all measurements under load: each sender has one message on its way, and sends the next when that is done. With a
// rate, senders wait for their turn instead, and a message's time counts from when it should have been sent.
type loop struct {
	senders int
	rate    float64 // messages a second altogether; 0: as fast as it goes
	send    func(sender int) error

	done     atomic.Int64
	mu       sync.Mutex
	times    []time.Duration // mu; of messages that were sent while recording
	on       atomic.Bool     // recording
	recorded atomic.Int64    // how many times there are
	stop     atomic.Bool
}

// run starts the senders, lets them warm up, and measures: for b.lasts, and until there is something to tell of.
func (l *loop) run(ctx context.Context, b *bench, r *running) (map[string]float64, error) {
	time.Sleep(b.rest)
	failed := make(chan error, l.senders)
	var wg sync.WaitGroup
	for i := range l.senders {
		wg.Go(func() {
			if err := l.sender(i); err != nil {
				failed <- fmt.Errorf("sender %d: %w", i, err)
			}
		})
	}
	wait := func(d time.Duration) error {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
	err := wait(b.warm)
	var s stretch
	if err == nil {
		l.on.Store(true)
		s, err = r.during(l.done.Load, func() error {
			before := l.done.Load()
			err := wait(b.lasts)
			for err == nil && (l.recorded.Load() == 0 || l.done.Load() == before) {
				err = wait(time.Millisecond)
			}
			return err
		})
		l.on.Store(false)
	}
	l.stop.Store(true)
	if err != nil {
		return nil, err
	}
	wg.Wait()
	select {
	case err := <-failed: // a message that was on its way at the end did not arrive
		return nil, err
	default:
	}
	v := s.values()
	v[p50], v[p99] = millis(percentile(l.times, 50)), millis(percentile(l.times, 99))
	return v, nil
}

func (l *loop) sender(i int) error {
	var times []time.Duration
	pause := time.Duration(0)
	if l.rate > 0 {
		pause = time.Duration(float64(l.senders) / l.rate * float64(time.Second))
	}
	due := time.Now().Add(pause * time.Duration(i) / time.Duration(l.senders)) // not all at once
	for !l.stop.Load() {
		start := time.Now()
		if pause > 0 {
			time.Sleep(due.Sub(start))
			start, due = due, due.Add(pause)
		}
		if err := l.send(i); err != nil {
			return err
		}
		l.done.Add(1)
		if l.on.Load() {
			times = append(times, time.Since(start))
			l.recorded.Add(1)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = append(l.times, times...)
	return nil
}
