package peer

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Link is a TCP connection's way through this process, which can hold back what the dialling side says, as a long
// or crowded line does.
type Link struct {
	Addr string

	mu   sync.Mutex
	free *sync.Cond
	held bool
}

// NewLink forwards to the target's cluster port.
func NewLink(t testing.TB, to *NATS) *Link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	link := &Link{Addr: l.Addr().String()}
	link.free = sync.NewCond(&link.mu)
	t.Cleanup(func() { link.Release(); _ = l.Close() })
	go func() {
		for {
			dialler, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			target, err := net.Dial("tcp", to.cluster)
			if err != nil {
				_ = dialler.Close()
				continue
			}
			go link.forward(target, dialler, true)
			go link.forward(dialler, target, false)
		}
	}()
	return link
}

func (l *Link) forward(to, from net.Conn, holdable bool) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if holdable {
			l.pass()
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				_ = from.Close()
			}
			return
		}
	}
}

func (l *Link) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.held {
		l.free.Wait()
	}
}

// Hold stops what the dialling side says from arriving.
func (l *Link) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// Release lets it arrive.
func (l *Link) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.free.Broadcast()
}

// Through is the same server, for others to join by way of the link.
func (l *Link) Through() *NATS { return &NATS{cluster: l.Addr} }
