// Package socket is one websocket of a device (section 7.1 of the wire specification): frames in, frames out, requests in both
// directions and their answers. It knows nothing of accounts and messages; it is the server's door to gorilla/websocket.
//
// The other end is a stranger until its credentials were checked, and never a friend. What it can cost is bounded: the bytes of a frame,
// the requests in a time, those that wait for an answer, the bytes that wait because it does not read, and the time for which it
// says nothing. Whoever exceeds a bound loses the connection and nothing else: what was not acknowledged stays queued.
//
// An idle connection has one goroutine, which reads, and a buffer of 256 bytes. Whoever writes or answers is started when there is
// something to do. The requests of one connection are answered one after another, in order.
package socket

import (
	"sync"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/wire"
)

// Close codes (RFC 6455, 7.4.1; 4409 is that of today's servers).
const (
	CloseNormal    = websocket.CloseNormalClosure
	CloseGoingAway = websocket.CloseGoingAway       // 1001, after provisioning
	ClosePolicy    = websocket.ClosePolicyViolation // 1008, a bound was exceeded
	CloseRestart   = websocket.CloseServiceRestart  // 1012, connect again: the server is being updated
	CloseDisplaced = 4409                           // the same device has connected elsewhere
)

// Peer is what the server does for the device at the other end.
type Peer interface {
	// Serve answers a request. It may take its time: only this connection's next request waits.
	Serve(*wire.Request) *wire.Response
	// Closed is called once, after everybody who asked was told. A Serve may still be running.
	Closed()
}

// Conn is a connection. Its methods may be called from any goroutine.
type Conn struct {
	a   *Acceptor
	ws  *websocket.Conn
	net *coalesced

	mu       sync.Mutex
	peer     Peer                 // mu; nil until Run
	text     bool                 // mu; frames are texts (the gist's socket, 10.2)
	out      []*buffer            // mu; frames to be written
	outBytes int                  // mu; in out and in the writer's hands
	writing  bool                 // mu; the writer runs
	in       []*wire.Request      // mu; requests to be answered
	inBytes  int                  // mu; of their bodies
	serving  bool                 // mu; somebody answers them
	asked    map[uint64]func(int) // mu; our own requests that wait for an answer
	nextID   uint64               // mu
	closing  []byte               // mu; the close frame, once the end was decided
	said     bool                 // mu; the close frame was written, or cannot be
	ended    bool                 // mu; the reader is gone

	budget bucket // of the reader
}

// Run starts to read. It returns at once: whoever holds the HTTP request must return too, so that its buffers and stack go.
func (c *Conn) Run(peer Peer) {
	c.mu.Lock()
	c.peer = peer
	c.mu.Unlock()
	go c.read()
}

// Bound makes the largest message from the other end smaller than a frame may be, for strangers. Call it before Run.
func (c *Conn) Bound(bytes int64) { c.ws.SetReadLimit(bytes) }

// Ask sends a request. answered is called once, with the status of the answer, or with 0 when the connection ended without one. It
// must not block: the reader waits for it.
func (c *Conn) Ask(r wire.Request, answered func(status int)) {
	c.mu.Lock()
	if c.ended || c.closing != nil {
		c.mu.Unlock()
		answered(0)
		return
	}
	c.nextID++
	r.ID = c.nextID
	if c.asked == nil {
		c.asked = map[uint64]func(int){}
	}
	c.asked[r.ID] = answered
	c.queue(c.a.coded(wire.Frame{Request: &r}))
	c.mu.Unlock()
}

// SendText sends a text message; the seed gist's socket has nothing else (10.2).
func (c *Conn) SendText(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = true
	if c.closing == nil {
		c.queue(&buffer{[]byte(s)})
	}
}

// Close ends the connection. What is queued, and the answer in the making, are written first, and acknowledgements that are on their
// way still count; new requests are not answered any more. The first reason stands.
func (c *Conn) Close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing == nil && !c.ended {
		c.closing, c.in, c.inBytes = websocket.FormatCloseMessage(code, reason), nil, 0
		c.startWriter()
	}
}
