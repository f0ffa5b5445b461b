// Package deliver brings an envelope to a device: at once if it is connected somewhere, else through its queue, and
// answers only when the device has it or the disk has it.
//
// The promise (design 9): a send is answered when every addressed device has acknowledged, or its envelope is
// durably queued; whichever applies, per device. So an envelope between connected devices touches no disk, and one
// that was answered for is never lost, whatever dies. Delivery is at least once; a repeat has the same GUID.
//
// [Sender] is the sending side, [Hub] the receiving one: the server attaches each connection of a device to the
// hub. handshake.go says why nothing is stranded between the two.
package deliver

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// KeyOf returns the routing key of a device.
func KeyOf(d store.DeviceKey) route.Key { return route.Key("d" + strconv.FormatInt(int64(d), 10)) }

// Message is an envelope for one device, on its way.
type Message struct {
	Device store.DeviceKey
	GUID   store.GUID // drawn by the server when it accepts the message; see package store
	Tag    int64      // see store.Envelope
	Body   []byte     // at most store.MaxEnvelope
	// Ephemeral: typing notices and the like. Delivered if the device is connected, else dropped; never queued.
	Ephemeral bool
}

// Result of a send to one device. Err nil means: acknowledged by the device, or durable in its queue, or (ephemeral)
// dropped. Otherwise the sender must be told that it failed, and repeats with the same GUID.
type Result struct {
	Err    error // of store.Queue.Enqueue
	Live   bool  // the device acknowledged
	Queued bool  // it is in the queue
	Online bool  // a queued one: the device is connected somewhere, so it needs no push notification
}

// Presence is the part of store.Presence that delivery needs. A cluster uses the store's; a single server uses Alone.
type Presence interface {
	Heartbeat(ctx context.Context, node string, until time.Time) error
	Arrive(ctx context.Context, device store.DeviceKey, p store.Place) (earlier store.Place, err error)
	Leave(ctx context.Context, device store.DeviceKey, p store.Place) error
	Where(ctx context.Context, devices []store.DeviceKey, now time.Time) (map[store.DeviceKey]store.Place, error)
	LeaveAll(ctx context.Context, node string) error
}

// Alone is the presence of a server that has its store for itself: nothing need be written, for when the process
// dies its connections die with it. The zero value is ready.
type Alone struct {
	mu     sync.Mutex
	places map[store.DeviceKey]store.Place
}

// Heartbeat implements Presence.
func (a *Alone) Heartbeat(context.Context, string, time.Time) error { return nil }

// Arrive implements Presence.
func (a *Alone) Arrive(_ context.Context, device store.DeviceKey, p store.Place) (store.Place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.places == nil {
		a.places = map[store.DeviceKey]store.Place{}
	}
	earlier := a.places[device]
	a.places[device] = p
	return earlier, nil
}

// Leave implements Presence.
func (a *Alone) Leave(_ context.Context, device store.DeviceKey, p store.Place) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.places[device] == p {
		delete(a.places, device)
	}
	return nil
}

// Where implements Presence.
func (a *Alone) Where(_ context.Context, devices []store.DeviceKey, _ time.Time) (map[store.DeviceKey]store.Place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[store.DeviceKey]store.Place, len(devices))
	for _, d := range devices {
		if p, ok := a.places[d]; ok {
			out[d] = p
		}
	}
	return out, nil
}

// LeaveAll implements Presence.
func (a *Alone) LeaveAll(context.Context, string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.places)
	return nil
}

// Stats counts envelopes, never devices.
type Stats struct {
	Live      uint64 // acknowledged by a connected device without touching the store
	Queued    uint64 // made durable instead
	Ephemeral uint64 // dropped because the device was not there
	Rejected  uint64 // neither: the sender was told
	Drained   uint64 // delivered from queues
	Repeats   uint64 // found in a queue though the device had acknowledged them
	Dropped   uint64 // given up after store.MaxTries deliveries that the device refused
}
