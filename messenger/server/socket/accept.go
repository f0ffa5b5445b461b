package socket

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/wire"
)

// Bounds are what one connection may cost. A field that is zero means the usual.
type Bounds struct {
	Idle      time.Duration // without a frame from the other end: 90 s (7.1)
	Write     time.Duration // for which the other end may not read: 10 s
	Outbox    int           // bytes that wait to be written: 4 MiB
	Inbox     int           // requests that wait for their answer: 16
	PerSecond float64       // requests and stray answers in the long run: 100
	Burst     float64       // and at once: 500
}

func (b Bounds) orUsual() *Bounds {
	usual := Bounds{Idle: 90 * time.Second, Write: 10 * time.Second, Outbox: 4 << 20, Inbox: 16, PerSecond: 100, Burst: 500}
	set(&b.Idle, usual.Idle)
	set(&b.Write, usual.Write)
	set(&b.Outbox, usual.Outbox)
	set(&b.Inbox, usual.Inbox)
	set(&b.PerSecond, usual.PerSecond)
	set(&b.Burst, usual.Burst)
	return &b
}

func set[T comparable](v *T, usual T) {
	var zero T
	if *v == zero {
		*v = usual
	}
}

// Acceptor makes connections of HTTP requests. It may be used by many goroutines.
type Acceptor struct {
	bounds   *Bounds
	now      func() time.Time
	upgrader websocket.Upgrader
	buffers  sync.Pool // of *buffer
	held     sync.Pool // of *bytes.Buffer
	crew     *crew
}

// NewAcceptor returns an acceptor. now counts requests; the deadlines of the network are real time.
func NewAcceptor(b Bounds, now func() time.Time) *Acceptor {
	return &Acceptor{
		bounds: b.orUsual(), now: now, crew: newCrew(),
		buffers: sync.Pool{New: func() any { return new(buffer) }},
		held:    sync.Pool{New: func() any { return new(bytes.Buffer) }},
		upgrader: websocket.Upgrader{
			HandshakeTimeout: 10 * time.Second,
			ReadBufferSize:   256, // of its own, so that net/http's larger one is freed
			WriteBufferPool:  new(sync.Pool),
			WriteBufferSize:  2 << 10,
			// Whoever connects shows credentials that no browser adds by itself, so the page they come from tells nothing.
			CheckOrigin: func(*http.Request) bool { return true },
		},
	}
}

// Accept turns a request into a connection. When it returns an error it has answered the request.
func (a *Acceptor) Accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	h := &hijacker{ResponseWriter: w}
	ws, err := a.upgrader.Upgrade(h, r, nil)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(wire.MaxFrame)
	c := &Conn{a: a, ws: ws, net: h.conn}
	ws.SetPingHandler(c.pinged)
	return c, nil
}

// hijacker puts a coalesced connection below the websocket.
type hijacker struct {
	http.ResponseWriter
	conn *coalesced
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &coalesced{Conn: c}
	return h.conn, rw, nil
}
