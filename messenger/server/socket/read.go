package socket

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/wire"
)

// read is the goroutine that an idle connection has.
func (c *Conn) read() {
	defer c.finish()
	for {
		c.mu.Lock()
		if !c.said { // else the writer has set a nearer deadline
			_ = c.ws.SetReadDeadline(time.Now().Add(c.a.bounds.Idle)) // fails only where the read will
		}
		c.mu.Unlock()
		kind, r, err := c.ws.NextReader()
		if err != nil {
			return
		}
		buf := c.a.buffers.Get().(*buffer)
		b, err := buf.read(r)
		if err == nil {
			c.take(kind, b)
		}
		c.a.free(buf)
		if err != nil {
			return // above MaxFrame, gorilla has answered 1009
		}
	}
}

// take acts on one message.
func (c *Conn) take(kind int, b []byte) {
	f, wrong := c.parse(kind, b)
	switch {
	case wrong == "" && f.Response != nil && c.answered(f.Response):
	case !c.budget.take(c.a.now(), c.a.bounds, 1+float64(len(b))/perRequest):
		c.Close(ClosePolicy, "too many requests")
	case wrong != "":
		c.Close(ClosePolicy, wrong)
	case f.Request != nil:
		c.asks(f.Request)
	}
}

// pinged answers a ping of RFC 6455. It counts like a request, and as a sign of life.
func (c *Conn) pinged(data string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.said:
	case !c.budget.take(c.a.now(), c.a.bounds, 1):
		c.abandon()
	default:
		_ = c.ws.SetReadDeadline(time.Now().Add(c.a.bounds.Idle))
		_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second)) // who does not read loses the pong
	}
	return nil
}

// parse reads a frame; on the gist's socket nothing that comes in means anything.
func (c *Conn) parse(kind int, b []byte) (f wire.Frame, wrong string) {
	c.mu.Lock()
	text := c.text
	c.mu.Unlock()
	if text {
		return f, ""
	}
	if kind != websocket.BinaryMessage {
		return f, "want binary messages"
	}
	f, err := wire.ParseFrame(b)
	if err != nil {
		wrong = fmt.Sprintf("%.100s", err) // a control frame has 125 bytes
	}
	return f, wrong
}

// answered tells whoever asked. Answers to nothing are ignored: one peer answers answers (7.1).
func (c *Conn) answered(r *wire.Response) bool {
	c.mu.Lock()
	tell, ok := c.asked[r.ID]
	delete(c.asked, r.ID)
	c.mu.Unlock()
	if ok {
		tell(max(1, int(r.Status)))
	}
	return ok
}

// maxInboxBytes bounds the bodies of requests that wait for their answer; one may always wait.
const maxInboxBytes = 2 << 20

// asks queues a request of the other end for Peer.Serve, or answers at once that there are too many.
func (c *Conn) asks(r *wire.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing != nil:
	case len(c.in) >= c.a.bounds.Inbox, c.inBytes > 0 && c.inBytes+len(r.Body) > maxInboxBytes:
		c.queue(c.a.coded(wire.Frame{Response: tooMany(r)}))
	default:
		c.in = append(c.in, r)
		c.inBytes += len(r.Body)
		if !c.serving {
			c.serving = true
			c.a.crew.run(c.serve)
		}
	}
}

// tooMany is the answer to a request for which there is no room. Clients of 2016 know 413, ours 429 (6.8).
func tooMany(r *wire.Request) *wire.Response {
	status, headers := uint32(http.StatusRequestEntityTooLarge), []string(nil)
	if strings.HasPrefix(r.Path, "/v3/") {
		status, headers = http.StatusTooManyRequests, []string{"Retry-After:1"}
	}
	return &wire.Response{ID: r.ID, Status: status, Message: "too many requests at once", Headers: headers}
}

// serve answers requests in order until there are none.
func (c *Conn) serve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) > 0 && !c.ended {
		r, peer := c.in[0], c.peer
		c.in = c.in[1:]
		c.inBytes -= len(r.Body)
		c.mu.Unlock()
		answer := peer.Serve(r)
		answer.ID = r.ID
		b := c.a.coded(wire.Frame{Response: answer})
		c.mu.Lock()
		if c.put(b) && !c.writing { // this goroutine may wait for the network, for only the next request of this connection waits for it
			c.writing = true
			c.write()
		}
	}
	c.serving, c.in, c.inBytes = false, nil, 0
	if c.closing != nil {
		c.startWriter()
	}
}

// finish is what the reader does last.
func (c *Conn) finish() {
	c.mu.Lock()
	c.ended = true
	asked, peer := c.asked, c.peer
	c.asked, c.in, c.inBytes, c.out = nil, nil, 0, nil
	c.mu.Unlock()
	c.ws.Close()
	for _, tell := range asked {
		tell(0)
	}
	peer.Closed()
}

// buffer holds one message while it is parsed, or until it is written. Large ones are not kept.
type buffer struct{ b []byte }

const keptBuffer = 16 << 10

// coded returns a frame in a buffer, which is to be freed.
func (a *Acceptor) coded(f wire.Frame) *buffer {
	buf := a.buffers.Get().(*buffer)
	buf.b = f.Append(buf.b[:0])
	return buf
}

// free keeps a buffer for others, who will overwrite it.
func (a *Acceptor) free(buf *buffer) {
	if cap(buf.b) <= keptBuffer {
		a.buffers.Put(buf)
	}
}

func (f *buffer) read(r io.Reader) ([]byte, error) {
	if f.b == nil {
		f.b = make([]byte, 0, 2<<10)
	}
	f.b = f.b[:0]
	for {
		n, err := r.Read(f.b[len(f.b):cap(f.b)])
		f.b = f.b[:len(f.b)+n]
		switch {
		case err == io.EOF:
			return f.b, nil
		case err != nil:
			return nil, err
		case len(f.b) == cap(f.b):
			f.b = append(f.b, 0)[:len(f.b)]
		}
	}
}

// bucket is how many requests the other end has left.
type bucket struct {
	used float64
	at   time.Time
}

// perRequest is how many bytes cost as much as a request: a stream of large ones is worth fewer.
const perRequest = 32 << 10

func (b *bucket) take(now time.Time, bounds *Bounds, cost float64) bool {
	b.used = max(0, b.used-max(0, now.Sub(b.at).Seconds())*bounds.PerSecond) + cost
	b.at = now
	return b.used <= bounds.Burst
}
