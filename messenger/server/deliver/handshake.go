package deliver

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// The handshake: why no envelope waits in the queue of a connected device.
//
// "Nobody knows this device" is what a router says while news of a connection still travels (milliseconds in one
// rack, a round trip across a sea). A server that believes it and queues the envelope can do so just after the
// device, newly connected, found its queue empty: then the envelope waits, though the device is there. Presence
// therefore lives in the queue's own database, and both sides commit, then read:
//
//	sender                                receiver
//	S1  commit the envelope               R1  commit presence
//	S2  read presence                     R2  register with the router
//	S3  if present: wake that node        R3  drain: read the queue until it is empty
//	                                      R4  be live; a wake leads back to R3
//
// The store promises that a read sees every commit that had returned before it began. Take an envelope whose S1
// returned, and a device that stays connected; R1 returned at some moment.
//
//   - If S2 began after that moment, it sees the device, and S3 wakes it. Either the wake finds the registration, and
//     leads to a drain from the start of the queue (one that runs already runs again). Or it came before R2; then S1
//     had returned before R2, so before R3 began, and the first drain finds the envelope.
//   - If S2 began before that moment, S1 had returned before R3 began likewise.
//
// What is left are wakes that get lost (a bus that drops, a frozen node, a presence row under a lapsed lease).
// For these there is a belt: every connection looks into its queue again now and then (Options.Poll). It is slow on
// purpose; nothing but a failure needs it.
//
// The order must not be "optimised": reading presence in the same transaction as S1, before the commit, or
// registering after the drain, opens the gap again. TestNaiveStrands shows it.

// afterCommit is S2 and S3 for envelopes that have been committed. It returns which of the devices are connected.
func (s *Sender) afterCommit(ctx context.Context, devices []store.DeviceKey) map[store.DeviceKey]store.Place {
	places, err := s.Presence.Where(ctx, devices, s.Now())
	if err != nil {
		return nil // the envelopes are safe; the belt finds them
	}
	for d, p := range places {
		s.Router.Learn(KeyOf(d), p.Node)
		s.wake(ctx, p.Node, KeyOf(d))
	}
	return places
}

// wakeAttempts and wakePause: a node that has just started may not be known to the bus yet.
const (
	wakeAttempts = 3
	wakePause    = 20 * time.Millisecond
)

// wake is S3. The sender need not wait for it on another node, for its envelope is safe; on this node it is immediate, and so
// keeps the order between this envelope and the next.
func (s *Sender) wake(ctx context.Context, node string, key route.Key) {
	if node == s.Router.Node() {
		s.Router.Wake(ctx, node, key)
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.wakes.Go(func() {
		for n := range wakeAttempts {
			if s.Router.Wake(ctx, node, key) {
				return
			}
			time.Sleep(wakePause << n)
		}
	})
}

// arrive is R1 and R2. The older connection of the device, if any, is told to go.
func (h *Hub) arrive(ctx context.Context, a *Attachment) error {
	earlier, err := h.presence.Arrive(ctx, a.device, a.place)
	if err != nil {
		return err
	}
	key := KeyOf(a.device)
	if a.unregister, err = h.router.Register(key, a.place.Epoch, a); err != nil {
		return err
	}
	if earlier.Node != "" && earlier != a.place {
		h.router.Displace(ctx, earlier.Node, key, earlier.Epoch)
	}
	return nil
}

// leave undoes arrive. If it fails, the row stays until the lease lapses or the device connects again; senders
// then wake nobody, and the envelopes wait in the queue as they should.
func (h *Hub) leave(ctx context.Context, a *Attachment) {
	a.unregister()
	_ = h.presence.Leave(ctx, a.device, a.place)
}
