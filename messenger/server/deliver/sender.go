package deliver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// atOnce is how many devices of one send are offered their envelope at the same time.
const atOnce = 32

// Sender sends. Fill the fields; then it is safe for concurrent use.
type Sender struct {
	Queue    store.Queue
	Presence Presence
	Router   route.Router
	Now      func() time.Time
	// AlwaysDurable commits every envelope before it is delivered, for operators who prefer a disk over a phone's word.
	AlwaysDurable bool

	wakes sync.WaitGroup

	live, queued, ephemeral, rejected atomic.Uint64
}

// Send delivers or queues each message and returns one result for each, in order. When it returns, nothing about
// these messages is in memory only.
func (s *Sender) Send(ctx context.Context, messages []Message) []Result {
	results := make([]Result, len(messages))
	s.offer(ctx, messages, results)
	s.enqueue(ctx, messages, results)
	return results
}

// offer tries the connected devices.
func (s *Sender) offer(ctx context.Context, messages []Message, results []Result) {
	try := func(i int) {
		m := &messages[i]
		if s.AlwaysDurable && !m.Ephemeral {
			return
		}
		if s.Router.Deliver(ctx, KeyOf(m.Device), route.Frame{GUID: m.GUID, Body: m.Body}) == route.Acked {
			results[i].Live = true
			s.live.Add(1)
		}
	}
	if len(messages) == 1 {
		try(0)
		return
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range messages {
		slots <- struct{}{}
		group.Go(func() {
			try(i)
			<-slots
		})
	}
	group.Wait()
}

// enqueue commits what was not delivered, then wakes those who came meanwhile.
func (s *Sender) enqueue(ctx context.Context, messages []Message, results []Result) {
	var envelopes []store.Envelope
	var of []int // index of the message
	for i, m := range messages {
		switch {
		case results[i].Live:
		case m.Ephemeral:
			s.ephemeral.Add(1)
		default:
			envelopes = append(envelopes, store.Envelope{Device: m.Device, GUID: m.GUID, Tag: m.Tag, Body: m.Body})
			of = append(of, i)
		}
	}
	if len(envelopes) == 0 {
		return
	}
	var devices []store.DeviceKey
	for n, err := range s.Queue.Enqueue(ctx, envelopes, s.Now()) {
		r := &results[of[n]]
		if r.Err, r.Queued = err, err == nil; err != nil {
			s.rejected.Add(1)
			continue
		}
		s.queued.Add(1)
		devices = append(devices, envelopes[n].Device)
	}
	if len(devices) == 0 {
		return
	}
	places := s.afterCommit(ctx, devices)
	for n, e := range envelopes {
		_, results[of[n]].Online = places[e.Device]
	}
}

// Stats returns the sending half of the counters.
func (s *Sender) Stats() Stats {
	return Stats{Live: s.live.Load(), Queued: s.queued.Load(), Ephemeral: s.ephemeral.Load(), Rejected: s.rejected.Load()}
}

// Close waits for wakes that are on their way.
func (s *Sender) Close() { s.wakes.Wait() }
