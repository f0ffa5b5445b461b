package peer

import (
	"io"
	"net"
	"sync"
	"testing"
)

// door is a port of this process that leads to a server. It stays when the server is stopped and started, wherever that listens then: a port that
// was given back may be somebody else's meanwhile.
type door struct {
	net.Listener

	mu sync.Mutex
	to [2]string // mu; network and address
}

// newDoor opens a door, which is closed with the test.
func newDoor(t testing.TB) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	d := &door{Listener: l}
	go d.run()
	return d
}

// lead says where the server is. No address is nowhere: who comes is sent away.
func (d *door) lead(network, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = [2]string{network, address}
}

func (d *door) run() {
	for {
		client, err := d.Accept()
		if err != nil {
			return // the test is over
		}
		d.mu.Lock()
		to := d.to
		d.mu.Unlock()
		server, err := net.Dial(to[0], to[1])
		if err != nil {
			_ = client.Close()
			continue
		}
		for _, pair := range [2][2]net.Conn{{server, client}, {client, server}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1]) // ends with either
				_ = pair[0].Close()
				_ = pair[1].Close()
			}()
		}
	}
}
