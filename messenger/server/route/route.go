// Package route carries a frame to the connection of a device, wherever in the cluster that is, and says what came
// of it. It stores nothing: what it loses was never acknowledged.
//
// Two implementations: [Local], a map in this process, for a single server; and [NATS], over core NATS (never
// JetStream) for several. Keys are opaque ("d123" for device key 123, "p…" for a provisioning address), never
// telephone numbers, because a bus operator can see them.
//
// What a bus can do at worst: drop, delay, repeat and read frames (they are ciphertext inside envelopes that
// name sender and time). Dropping turns into Unknown or Absent, and the frame goes to the queue; repeating is
// recognised by the GUID. A bus that answers in a device's place can make a server believe a frame was delivered: so
// its links are mutually authenticated TLS, and only servers have certificates.
package route

import (
	"context"
	"errors"
	"fmt"
)

// Outcome of an attempt to deliver.
type Outcome int

const (
	// Unknown: no answer in time, or the connection refused for now. The device may have the frame. Queue it.
	Unknown Outcome = iota
	// Acked: the device has acknowledged the frame.
	Acked
	// Absent: nobody here knows of a connection of the device **yet**. It may have connected a moment ago: a hint
	// that saves waiting, never a fact to act on. Queue it.
	Absent
)

// String returns the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Acked:
		return "acked"
	case Absent:
		return "absent"
	}
	return "unknown"
}

// Key names what can be reached: 1 to 64 letters, digits, - and _.
type Key string

// MaxBody is the largest body of a frame.
const MaxBody = 1 << 20

// Frame is one envelope on its way.
type Frame struct {
	GUID [16]byte // the same in every copy; what receivers drop repeats by
	Body []byte   // at most MaxBody
}

// Live is a connection of a device, as the router sees it. Its methods must not block, and may be called from any goroutine.
type Live interface {
	// Offer hands over a frame. done is called exactly once, perhaps later and from another goroutine: true when the
	// device has acknowledged it, false when it is not going to (refused because older envelopes come first, or the
	// connection ended).
	Offer(f Frame, done func(acked bool))
	// Wake says that the device's queue has something new.
	Wake()
	// Displace says that the device has connected elsewhere: close with 4409.
	Displace()
}

// Router finds connections.
type Router interface {
	// Node is this process's name.
	Node() string
	// Register makes a connection reachable under key until unregister is called, in place of one registered before on
	// this node, which is displaced. epoch is what Displace names. It returns when this node can be reached; others
	// may learn of it later.
	Register(key Key, epoch int64, live Live) (unregister func(), err error)
	// Deliver offers the frame to the connection of key and waits for its acknowledgement until ctx ends or the
	// router's own patience (1.5 s) does. It never reports Acked unless the device acknowledged.
	Deliver(ctx context.Context, key Key, f Frame) Outcome
	// Wake wakes the connection of key on that node. It returns false if the node does not answer or does not
	// know the key: then the device finds its envelopes when it drains or polls next.
	Wake(ctx context.Context, node string, key Key) bool
	// Displace closes the connection of key with that epoch on that node, if it is still there.
	Displace(ctx context.Context, node string, key Key, epoch int64)
	// Learn tells where a key was last seen, so that a node that does not answer can be recognised (see Breaker).
	Learn(key Key, node string)
	// Close ends all; later calls deliver nothing.
	Close() error
}

// ErrName: a key or node name that is not of the allowed form.
var ErrName = errors.New("not a valid name")

// maxName bounds keys and node names.
const maxName = 64

// ValidName says whether s can be a Key or a node's name.
func ValidName(s string) error {
	if len(s) == 0 || len(s) > maxName {
		return fmt.Errorf("%w: %q has %d characters, wanted 1 to %d", ErrName, s, len(s), maxName)
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return fmt.Errorf("%w: %q has %q, wanted letters, digits, - and _", ErrName, s, c)
		}
	}
	return nil
}
