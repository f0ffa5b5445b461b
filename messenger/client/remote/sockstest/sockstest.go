// Package sockstest is a SOCKS5 proxy (RFC 1928) inside a test, on the loopback: it leads ways to places the test knows, and keeps what it was asked for.
// A test that gives programs names which nobody can resolve (RFC 6761, 6.4) sees by it that they came through here, as names.
package sockstest

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
)

// Proxy is a running proxy.
type Proxy struct {
	listener net.Listener
	to       string // where ways lead that have no place of their own

	mu     sync.Mutex
	places map[string]string // mu; by what was asked for
	asked  []string          // mu
	open   map[net.Conn]bool // mu; of those who are led
	shut   bool              // mu
}

// New starts a proxy that leads every way to one place, host:port. It ends with the test.
func New(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, to: to, places: map[string]string{}, open: map[net.Conn]bool{}}
	t.Cleanup(p.Shut)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// URL is what an account is given.
func (p *Proxy) URL() string { return "socks5://" + p.Address() }

// Address is host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Port is the port alone.
func (p *Proxy) Port() string { return fmt.Sprint(p.listener.Addr().(*net.TCPAddr).Port) }

// Lead leads the way to name:port to a place of its own.
func (p *Proxy) Lead(way, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[way] = to
}

// Shut ends the proxy, and all that goes through it.
func (p *Proxy) Shut() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	for c := range p.open {
		_ = c.Close()
	}
}

// Take returns what was asked for since the last call.
func (p *Proxy) Take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// Ways are the places that were asked for, each once, sorted.
func (p *Proxy) Ways() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	once := map[string]bool{}
	for _, way := range p.asked {
		once[way] = true
	}
	return slices.Sorted(maps.Keys(once))
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	asked, err := greet(c)
	if err != nil {
		return
	}
	to, led := p.lead(c, asked)
	if !led {
		return
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, c)
	}()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
	_, _ = io.Copy(c, far)
}

// lead notes who is led where.
func (p *Proxy) lead(c net.Conn, asked string) (to string, led bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return "", false
	}
	p.open[c] = true
	p.asked = append(p.asked, asked)
	if to, ok := p.places[asked]; ok {
		return to, true
	}
	return p.to, true
}

// greet reads what is asked for, as name:port.
func greet(c net.Conn) (asked string, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c, head[:2]); err != nil || head[0] != 5 {
		return "", fmt.Errorf("no SOCKS5 (%v)", err)
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(c, head[:5]); err != nil {
		return "", err
	}
	if head[3] != 3 {
		return "an address instead of a name", nil
	}
	rest := make([]byte, int(head[4])+2)
	if _, err := io.ReadFull(c, rest); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s:%d", rest[:head[4]], binary.BigEndian.Uint16(rest[head[4]:])), nil
}
