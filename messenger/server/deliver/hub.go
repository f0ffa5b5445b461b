package deliver

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// Connection is what the server gives the hub for each connected device.
type Connection interface {
	// Push sends an envelope to the device. done is called exactly once: true when the device acknowledged, false
	// when it refused; if the connection ends first, false as well, before or after Detach. Push must not wait for
	// the device. It is called in the order of arrival, by one goroutine at a time for queued envelopes; live ones may come concurrently.
	Push(e Pushed, done func(acked bool))
	// Empty is called once, when the backlog of before the connection has been delivered (specification 7.2).
	Empty()
	// Displace is called when the device has connected anew, here or elsewhere: close (4409), then Detach.
	Displace()
}

// Pushed is an envelope for a connection.
type Pushed struct {
	GUID   store.GUID
	Body   []byte
	Queued bool // from the queue, not live
}

// Options of a hub.
type Options struct {
	// Lease is how long this node counts as alive after its last heartbeat. 0: 30 s.
	Lease time.Duration
	// Poll is how often each connection looks into its queue although nobody woke it: the belt. 0: 30 s with a
	// cluster. Negative: never, which is right with Alone, where a wake cannot be lost.
	Poll time.Duration
	// Window is how many live envelopes may wait for one device's acknowledgement; more go to its queue. 0: 64.
	Window int
	// Rand gives epochs. nil: the runtime's generator.
	Rand func() int64
}

func (o Options) withDefaults() Options {
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = 30 * time.Second
	}
	if o.Window == 0 {
		o.Window = 64
	}
	if o.Rand == nil {
		o.Rand = func() int64 { return rand.Int64N(1<<62) + 1 }
	}
	return o
}

// Hub is the receiving side of one node.
type Hub struct {
	queue    store.Queue
	presence Presence
	router   route.Router
	now      func() time.Time
	options  Options

	mu       sync.Mutex // guards attached
	attached map[*Attachment]struct{}
	drains   sync.WaitGroup

	drained, repeats, dropped atomic.Uint64
}

// NewHub returns a hub. In a cluster call Start before the first Attach, and keep Run running.
func NewHub(q store.Queue, p Presence, r route.Router, now func() time.Time, o Options) *Hub {
	return &Hub{queue: q, presence: p, router: r, now: now, options: o.withDefaults(), attached: map[*Attachment]struct{}{}}
}

// Start takes the node's lease, and clears what an earlier run of this node left behind.
func (h *Hub) Start(ctx context.Context) error {
	if err := h.presence.LeaveAll(ctx, h.router.Node()); err != nil {
		return err
	}
	return h.beat(ctx)
}

func (h *Hub) beat(ctx context.Context) error {
	return h.presence.Heartbeat(ctx, h.router.Node(), h.now().Add(h.options.Lease))
}

// Run keeps the lease and the belt until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { h.keepLease(ctx) })
	if h.options.Poll > 0 {
		loops.Go(func() { h.keepPolling(ctx) })
	}
	loops.Wait()
}

// keepLease beats every third of the lease. After a gap in which the lease lapsed (this process was frozen, the
// database was away) others took our devices for absent, so everybody looks into the queue.
func (h *Hub) keepLease(ctx context.Context) {
	tick := time.NewTicker(h.options.Lease / 3)
	defer tick.Stop()
	good := h.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if h.beat(ctx) != nil {
			continue
		}
		if now := h.now(); now.Sub(good) > h.options.Lease*2/3 {
			h.pollAll(ctx, 0)
		}
		good = h.now()
	}
}

func (h *Hub) keepPolling(ctx context.Context) {
	for ctx.Err() == nil {
		h.pollAll(ctx, h.options.Poll)
	}
}

// pollAll polls every connection once, spread over the given time.
func (h *Hub) pollAll(ctx context.Context, over time.Duration) {
	h.mu.Lock()
	all := make([]*Attachment, 0, len(h.attached))
	for a := range h.attached {
		all = append(all, a)
	}
	h.mu.Unlock()
	pause := over / time.Duration(len(all)+1)
	for _, a := range append(all, nil) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if a != nil {
			h.poll(ctx, a)
		}
	}
}

// poll checks that presence still says what it should, and drains.
func (h *Hub) poll(ctx context.Context, a *Attachment) {
	places, err := h.presence.Where(ctx, []store.DeviceKey{a.device}, h.now())
	if err != nil {
		return
	}
	switch place, ok := places[a.device]; {
	case ok && place != a.place:
		a.Displace() // a newer connection; its news did not reach us
		return
	case !ok && a.attachedStill(): // swept while we were frozen, or our lease lapsed
		if _, err := h.presence.Arrive(ctx, a.device, a.place); err != nil {
			return
		}
		if !a.attachedStill() { // Detach came between; undo
			_ = h.presence.Leave(ctx, a.device, a.place)
		}
	}
	a.Wake()
}

// Stats returns the receiving half of the counters.
func (h *Hub) Stats() Stats {
	return Stats{Drained: h.drained.Load(), Repeats: h.repeats.Load(), Dropped: h.dropped.Load()}
}

// Close ends the node's presence after all connections were detached.
func (h *Hub) Close(ctx context.Context) error {
	h.drains.Wait()
	return h.presence.LeaveAll(ctx, h.router.Node())
}
