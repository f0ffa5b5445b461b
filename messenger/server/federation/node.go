package federation

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// Options is what a node of the federation stands on.
type Options struct {
	Name     string // ours, as peers show it
	Key      *Key
	Peers    []Peer
	Counters Counters
	// Failed is told of errors that are no refusals, without any address.
	Failed func(route string, err error)
	Now    func() time.Time
	// Dial reaches a peer. nil is the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Patience is how long a peer may take to answer. 0 is 10 s: less than clients have, and longer than all devices of an account may take to
	// acknowledge (1.5 s each, 32 at once).
	Patience time.Duration
}

// Node is our end of all connections with peers, in both directions.
type Node struct {
	Options
	peers  map[string]*Remote
	byPin  map[Pin]*member
	server *http.Server
	within time.Duration // that the handshake of who comes in may take
}

// member is a peer as it comes in.
type member struct {
	*Remote
	connections atomic.Int64
	handler     http.Handler
}

// New returns a node that can ask. It answers from Serve on.
func New(o Options) (*Node, error) {
	if err := errors.Join(CheckName(o.Name), CheckPeers(o.Name, o.Peers)); err != nil {
		return nil, err
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	n := &Node{Options: o, peers: map[string]*Remote{}, byPin: map[Pin]*member{}, within: greeting}
	for _, p := range o.Peers {
		if slices.Contains(p.Pins, o.Key.Pin()) {
			return nil, errors.New("peer " + p.Name + ": the pin is this server's own; want the one the other operator got from 'messengerd peer key'")
		}
		r := newRemote(p, &n.Options)
		n.peers[p.Name] = r
		m := &member{Remote: r}
		for _, pin := range p.Pins {
			n.byPin[pin] = m
		}
	}
	n.server = &http.Server{Handler: http.HandlerFunc(n.route), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: log.New(io.Discard, "", 0)} // its lines name addresses
	return n, nil
}

// Remote returns the peer of that name.
func (n *Node) Remote(name string) (*Remote, bool) {
	if n == nil {
		return nil, false
	}
	r, ok := n.peers[name]
	return r, ok
}

// Directories are the peers that are asked for address book entries.
func (n *Node) Directories() []*Remote {
	var list []*Remote
	if n != nil {
		for _, p := range n.Peers {
			if p.Directory {
				list = append(list, n.peers[p.Name])
			}
		}
	}
	return list
}

// Own tells whether a name is this server's own.
func (n *Node) Own(name string) bool { return n != nil && name == n.Name }

// Serve answers peers on l from what local has, until Shutdown, and then returns http.ErrServerClosed. It is called once.
func (n *Node) Serve(l net.Listener, local Local) error {
	for _, p := range n.Peers {
		handler := newInbound(n, p, local)
		for _, pin := range p.Pins {
			n.byPin[pin].handler = handler
		}
	}
	known := func(p Pin) bool { return n.byPin[p] != nil }
	return n.server.Serve(newGate(l, acceptTLS(n.Key, known), n.within, n.admit, func() { n.Counters.Limited("strangers at the listener for peers") }))
}

// Shutdown finishes what is in hand.
func (n *Node) Shutdown(ctx context.Context) error {
	err := n.server.Shutdown(ctx)
	for _, r := range n.peers {
		r.close()
		r.transport.CloseIdleConnections()
	}
	return err
}

// admit bounds the connections of a peer: as many as it may have requests, and more that idle, for a cluster keeps some on each node.
func (n *Node) admit(p Pin) (leave func(), ok bool) {
	m := n.byPin[p]
	if m == nil {
		return nil, false
	}
	if m.connections.Add(1) > int64(4*m.peer.AtOnce) {
		m.connections.Add(-1)
		n.Counters.Limited("peer " + m.peer.Name + ": connections")
		return nil, false
	}
	return func() { m.connections.Add(-1) }, true
}

// route gives a request to the peer that sends it. The gate has let nobody else in.
func (n *Node) route(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "no key", http.StatusForbidden)
		return
	}
	m := n.byPin[PinOf(r.TLS.PeerCertificates[0])]
	if m == nil {
		http.Error(w, "no peer", http.StatusForbidden)
		return
	}
	m.handler.ServeHTTP(w, r)
}
