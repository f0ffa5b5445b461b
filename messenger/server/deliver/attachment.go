package deliver

import (
	"context"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// Attachment is a connected device. It is draining or live. Draining, it takes envelopes from the queue and
// refuses live ones (their senders queue them, so order is kept); live, it passes frames on and has no goroutine.
type Attachment struct {
	hub        *Hub
	device     store.DeviceKey
	place      store.Place
	connection Connection
	unregister func()
	done       until // ends at Detach

	mu       sync.Mutex // guards what follows
	detached bool
	draining bool // a goroutine is at it
	again    bool // woken while draining
	emptied  bool // Empty was called
	flights  flights
}

// Attach connects a device: R1 to R4 of the handshake. It returns when the device is present and the drain has begun.
// The caller must Detach. An older connection of the same device is displaced.
func (h *Hub) Attach(ctx context.Context, device store.DeviceKey, c Connection) (*Attachment, error) {
	a := &Attachment{hub: h, device: device, place: store.Place{Node: h.router.Node(), Epoch: h.options.Rand()}, connection: c, done: make(until)}
	a.draining = true // refuse live frames from the moment the router knows us
	h.mu.Lock()
	h.attached[a] = struct{}{}
	h.mu.Unlock()
	if err := h.arrive(ctx, a); err != nil {
		h.forget(a)
		_ = h.presence.Leave(context.WithoutCancel(ctx), device, a.place) // it may have been committed
		return nil, err
	}
	h.drains.Go(a.drain)
	return a, nil
}

func (h *Hub) forget(a *Attachment) {
	close(a.done)
	h.mu.Lock()
	delete(h.attached, a)
	h.mu.Unlock()
}

// Detach ends it. Envelopes that the device did not acknowledge stay in the queue, or are refused to their senders.
// It does not wait for a drain in progress.
func (a *Attachment) Detach(ctx context.Context) {
	a.mu.Lock()
	was := a.detached
	a.detached = true
	a.mu.Unlock()
	if was {
		return
	}
	a.hub.forget(a)
	a.hub.leave(ctx, a)
}

func (a *Attachment) attachedStill() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.detached
}

// Offer implements route.Live.
func (a *Attachment) Offer(f route.Frame, done func(acked bool)) {
	a.mu.Lock()
	if a.detached || a.draining || a.flights.inAir >= a.hub.options.Window {
		a.mu.Unlock()
		done(false)
		return
	}
	flight := a.flights.begin(f.GUID)
	a.mu.Unlock()
	a.connection.Push(Pushed{GUID: f.GUID, Body: f.Body}, func(acked bool) {
		a.mu.Lock()
		a.flights.land(flight, acked)
		a.mu.Unlock()
		done(acked)
	})
}

// Wake implements route.Live: R4 back to R3.
func (a *Attachment) Wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.again = true
	if !a.draining && !a.detached {
		a.draining = true
		a.hub.drains.Go(a.drain)
	}
}

// Displace implements route.Live.
func (a *Attachment) Displace() { a.connection.Displace() }

// retryPause is how long a drain waits when the store is away.
const retryPause = time.Second

// drain runs R3 until the queue is empty and nobody woke us meanwhile; then the attachment is live.
func (a *Attachment) drain() {
	for {
		a.mu.Lock()
		a.again = false
		a.mu.Unlock()
		if err := a.drainOnce(); err != nil {
			select {
			case <-a.done.Done():
			case <-time.After(retryPause):
				continue
			}
		}
		if a.settle() {
			return
		}
	}
}

// settle makes the attachment live unless it was woken since the last drain began. The flag and the decision are
// under one lock: a wake either is seen here or finds draining false and starts another drain.
func (a *Attachment) settle() bool {
	a.mu.Lock()
	first := !a.emptied && !a.again && !a.detached
	a.mu.Unlock()
	if first {
		a.emptied = true // only this goroutine touches it
		a.connection.Empty()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.again && !a.detached {
		return false
	}
	a.draining = false
	return true
}

// drainOnce pushes everything in the queue, page by page, from the start. It steps over what the device refuses;
// that stays for another time, until it has been refused store.MaxTries times.
func (a *Attachment) drainOnce() error {
	after := int64(0)
	for a.done.Err() == nil {
		page, err := a.hub.queue.Page(a.done, a.device, after, store.MaxPage)
		if err != nil || len(page) == 0 {
			return err
		}
		acked, refused := a.pushPage(page)
		if err := a.record(acked, refused); err != nil {
			return err
		}
		if len(refused) > 0 {
			after = page[len(page)-1].ID
		}
	}
	return a.done.Err()
}

// record removes what the device has. If that fails the device sees it again, with the same GUID.
func (a *Attachment) record(acked, refused []int64) error {
	ctx := context.WithoutCancel(a.done)
	n, err := a.hub.queue.Ack(ctx, a.device, acked)
	if err != nil {
		return err
	}
	a.hub.drained.Add(uint64(n))
	if a.done.Err() != nil {
		return a.done.Err() // the connection ended: its silence is no refusal
	}
	dropped, err := a.hub.queue.Failed(ctx, a.device, refused)
	a.hub.dropped.Add(uint64(dropped))
	return err
}

// pushPage sends a page and waits until the device has answered for each, or the connection has ended.
func (a *Attachment) pushPage(page []store.Envelope) (acked, refused []int64) {
	type answer struct {
		id    int64
		acked bool
	}
	answers := make(chan answer, len(page))
	for _, e := range page {
		if a.hadAlready(e.GUID) {
			a.hub.repeats.Add(1)
			answers <- answer{e.ID, true}
			continue
		}
		a.connection.Push(Pushed{GUID: e.GUID, Body: e.Body, Queued: true}, func(ok bool) { answers <- answer{e.ID, ok} })
	}
	take := func(got answer) {
		if got.acked {
			acked = append(acked, got.id)
		} else {
			refused = append(refused, got.id)
		}
	}
	for range page {
		select {
		case got := <-answers:
			take(got)
		case <-a.done.Done():
			for len(answers) > 0 { // what was acknowledged before the end need not come again
				take(<-answers)
			}
			return acked, refused
		}
	}
	return acked, refused
}

// hadAlready says whether the device acknowledged this envelope live though its sender had given up waiting. One
// that is still in the air is waited for.
func (a *Attachment) hadAlready(g store.GUID) bool {
	a.mu.Lock()
	f := a.flights.find(g)
	a.mu.Unlock()
	if f == nil {
		return false
	}
	select {
	case <-f.landed:
		return f.acked
	case <-a.done.Done():
		return false
	}
}
