package store

import (
	"context"
	"time"
)

// Bounds of a device's queue (specification 6.4, ours) and of the calls on it.
const (
	MaxEnvelope   = 1 << 20             // bytes of one body; also below the NATS payload limit
	MaxQueued     = 1000                // envelopes a device
	MaxQueuedSize = 64 << 20            // bytes a device
	MaxQueuedAge  = 30 * 24 * time.Hour // after this Sweep removes them
	MaxPage       = 100                 // envelopes one Page returns, ids one Ack takes
	MaxTries      = 10                  // failed deliveries after which an envelope is dropped and counted
	MaxPageSize   = 4 << 20             // bytes after which a page stops early (it always has one envelope)
)

// GUID is the server's id of an envelope, by which clients recognise one they already have (field 9 of the
// envelope, specification 7.3). Delivery is at least once, so it must be the same in every copy.
type GUID [16]byte

// Envelope is one message for one device, as it waits. Body is opaque here: the server's own coding of the
// envelope before it is encrypted to the signalling key.
type Envelope struct {
	ID     int64 // position in the queue; set by the store
	Device DeviceKey
	GUID   GUID
	Tag    int64 // whatever the caller wants to find it by later (a hash of source and timestamp), or 0
	Body   []byte
	Stored int64 // milliseconds since 1970, set by Enqueue from now
	Tries  int   // deliveries that failed
}

// Queue holds envelopes for devices that were not there to acknowledge them.
//
// Order: ids grow, but with PostgreSQL an envelope with a lower id may become visible after one with a higher
// id. So: read from the start, delete exactly what was acknowledged, never "everything up to". Page with after > 0
// is only for stepping over envelopes this connection has failed to deliver.
type Queue interface {
	// Enqueue stores envelopes, for one or several devices. The answer has one error per envelope, in order: nil means
	// committed. ErrQueueFull, ErrTooLarge, ErrNotFound (no such device) concern one envelope; ErrUnavailable all. The count and
	// byte bounds hold to within the changes that are under way at the same moment.
	Enqueue(ctx context.Context, envelopes []Envelope, now time.Time) []error
	// Page returns up to limit (at most MaxPage) envelopes of the device with id > after, oldest first, and stops
	// early above MaxPageSize bytes. Empty means: nothing had been committed for it when the call began.
	Page(ctx context.Context, device DeviceKey, after int64, limit int) ([]Envelope, error)
	// Tagged returns the device's envelopes with that tag, at most MaxPage (DELETE /v1/messages/{source}/{timestamp}).
	Tagged(ctx context.Context, device DeviceKey, tag int64) ([]Envelope, error)
	// Ack removes exactly these envelopes of that device and says how many there were. Ids that are gone are no error.
	// At most MaxPage ids.
	Ack(ctx context.Context, device DeviceKey, ids []int64) (removed int, err error)
	// Failed counts a failed delivery for each of these envelopes, and drops those that reached MaxTries.
	Failed(ctx context.Context, device DeviceKey, ids []int64) (dropped int, err error)
	// Depth returns how many envelopes and bytes wait for the device.
	Depth(ctx context.Context, device DeviceKey) (count int, bytes int64, err error)
	// CountQueued returns how many envelopes wait altogether (it may scan: for metrics now and then).
	CountQueued(ctx context.Context) (int, error)
}
