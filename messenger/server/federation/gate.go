package federation

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of connections before we know whose they are. Who is no peer gets this far and not further.
const (
	maxStrangers = 512
	maxPerSource = 128
	greeting     = 5 * time.Second
)

// gate is a listener of connections whose handshake is done and whose key is a peer's, so that nobody else can send a request. Handshakes are made
// aside: one who dawdles keeps nobody waiting.
type gate struct {
	net.Listener
	config *tls.Config
	admit  func(Pin) (leave func(), ok bool) // counts a peer's connections
	failed func()                            // a handshake failed
	within time.Duration                     // that a handshake may take

	ready chan net.Conn
	over  chan error // the inner listener's error
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	total   int                  // mu
	sources map[netip.Prefix]int // mu; handshakes under way
}

func newGate(l net.Listener, config *tls.Config, within time.Duration, admit func(Pin) (func(), bool), failed func()) *gate {
	g := &gate{Listener: l, config: config, within: within, admit: admit, failed: failed, ready: make(chan net.Conn), over: make(chan error),
		done: make(chan struct{}), sources: map[netip.Prefix]int{}}
	go g.run()
	return g
}

// Accept implements net.Listener. What it returns is a *tls.Conn.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case c := <-g.ready:
		return c, nil
	case err := <-g.over:
		return nil, err
	case <-g.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.done) })
	return g.Listener.Close()
}

// run accepts until the listener is closed. Other errors go to net/http, which waits and asks again or gives up.
func (g *gate) run() {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			select {
			case g.over <- err:
				continue
			case <-g.done:
				return
			}
		}
		source := sourceOf(c)
		if !g.enter(source) {
			c.Close()
			g.failed()
			continue
		}
		go func() {
			defer g.leave(source)
			g.greet(c)
		}()
	}
}

func (g *gate) enter(source netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= maxStrangers || g.sources[source] >= maxPerSource {
		return false
	}
	g.total++
	g.sources[source]++
	return true
}

func (g *gate) leave(source netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.sources[source]--; g.sources[source] == 0 {
		delete(g.sources, source)
	}
}

// greet makes the handshake and hands the connection over.
func (g *gate) greet(raw net.Conn) {
	counted := &countedConn{Conn: raw}
	c := tls.Server(counted, g.config)
	ctx, cancel := context.WithTimeout(context.Background(), g.within)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		g.failed()
		return
	}
	leave, ok := g.admit(PinOf(c.ConnectionState().PeerCertificates[0]))
	if !ok {
		c.Close()
		return
	}
	counted.mu.Lock()
	counted.leave = leave
	counted.mu.Unlock()
	select {
	case g.ready <- c:
	case <-g.done:
		c.Close()
	case <-ctx.Done():
		c.Close()
	}
}

// countedConn tells when a peer's connection ends.
type countedConn struct {
	net.Conn
	mu    sync.Mutex
	leave func() // mu; nil before the handshake, and after Close
}

func (c *countedConn) Close() error {
	c.mu.Lock()
	if c.leave != nil {
		c.leave()
		c.leave = nil
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// sourceOf is an IPv4 address, or the /64 of an IPv6 one, which is what one customer has.
func sourceOf(c net.Conn) netip.Prefix {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	addr := at.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}
