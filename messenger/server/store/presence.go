package store

import (
	"context"
	"time"
)

// Place is where a device is connected.
type Place struct {
	Node string // name of the server process, in the form of route.ValidName
	// Epoch tells one connection of a device from the next, on whatever node. Drawn at random by the node.
	Epoch int64
}

// Presence says on which node a device is connected. It lives in the same database as the queue, because the
// delivery handshake needs one order over both: see messenger/server/deliver.
//
// A node holds a lease; when it lapses (the node died or froze) its rows count as absent. Leases are compared
// with the reader's clock, so nodes' clocks must agree to within a fraction of the lease. A wrong clock costs
// delay (the slow re-poll), never a message.
type Presence interface {
	// Heartbeat extends the node's lease until the given time. A node calls it before its first Arrive and every third
	// of the lease after that.
	Heartbeat(ctx context.Context, node string, until time.Time) error
	// Arrive commits that the device is connected at p, in place of wherever it was, and returns that earlier place
	// (zero if none) so that the older connection can be closed.
	Arrive(ctx context.Context, device DeviceKey, p Place) (earlier Place, err error)
	// Leave removes the row if it still says p; a later connection's row is left alone.
	Leave(ctx context.Context, device DeviceKey, p Place) error
	// Where returns the devices among those asked for that are connected to a node whose lease holds at now.
	Where(ctx context.Context, devices []DeviceKey, now time.Time) (map[DeviceKey]Place, error)
	// LeaveAll ends the node's lease and removes all rows of it (shutdown; start after a crash).
	LeaveAll(ctx context.Context, node string) error
}
