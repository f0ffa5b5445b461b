package server

import (
	"context"
	"sync"

	"github.com/countersign-project/countersign/messenger/server/socket"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// live is the websockets that are open.
type live struct {
	mu      sync.Mutex
	conns   map[*socket.Conn]*connection    // mu; nil for those without an account
	devices map[store.DeviceKey]*connection // mu; the newest of each device
	empty   chan struct{}                   // mu; closed when the last one has gone, if somebody waits
}

func newLive() *live {
	return &live{conns: map[*socket.Conn]*connection{}, devices: map[store.DeviceKey]*connection{}}
}

// add notes a websocket; c is nil for one without an account.
func (l *live) add(conn *socket.Conn, c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = c
	if c != nil {
		l.devices[c.device()] = c
	}
}

func (l *live) remove(conn *socket.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conns[conn]; c != nil && l.devices[c.device()] == c {
		delete(l.devices, c.device())
	}
	delete(l.conns, conn)
	if len(l.conns) == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
}

func (l *live) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

func (l *live) of(d store.DeviceKey) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.devices[d]
}

// drain asks all to connect again, and waits for the last to go.
func (l *live) drain(ctx context.Context) error {
	l.mu.Lock()
	if len(l.conns) == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.empty == nil {
		l.empty = make(chan struct{})
	}
	gone := l.empty
	all := make([]*socket.Conn, 0, len(l.conns))
	for c := range l.conns {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		c.Close(socket.CloseRestart, "restarting; connect again")
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unregistered is why a connection of such a device ends.
const unregistered = "this device is not registered any more"

// disconnect ends the connections of devices that are not registered any more. Those on other servers end when they next ask for anything.
func (s *Server) disconnect(gone []store.DeviceKey) {
	for _, d := range gone {
		if c := s.live.of(d); c != nil {
			c.conn.Close(socket.ClosePolicy, unregistered)
		}
	}
}

// rekey gives the connection of a device its new signaling key.
func (s *Server) rekey(d store.DeviceKey, key []byte) {
	if c := s.live.of(d); c != nil {
		c.setKey(key)
	}
}
