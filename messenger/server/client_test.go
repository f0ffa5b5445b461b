package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/wire"
)

// listen puts a world's server on a port of the system's choice.
func (w *world) listen() *httptest.Server {
	srv := httptest.NewServer(w.server)
	w.Cleanup(srv.Close)
	return srv
}

// client is the other end of a device's websocket.
type client struct {
	testing.TB
	ws     *websocket.Conn
	nextID uint64
	held   []wire.Frame // came while something else was waited for
}

// socketURL is how the Java client writes it: the plus sign is not escaped, and arrives as a blank.
func socketURL(srv *httptest.Server, login, password string) string {
	return "ws" + strings.TrimPrefix(srv.URL, "http") + "/v1/websocket/?login=" + login + "&password=" + url.QueryEscape(password)
}

func dial(t testing.TB, address string, header http.Header) *client {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(address, header)
	if err != nil {
		t.Fatalf("%v, %+v", err, resp)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Minute)) // it only ends a test that would wait for ever
	return &client{TB: t, ws: ws}
}

func (w *world) connect(srv *httptest.Server, login string) *client {
	w.Helper()
	return dial(w, socketURL(srv, login, password), nil)
}

func (c *client) write(f wire.Frame) {
	c.Helper()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, f.Append(nil)); err != nil {
		c.Fatal(err)
	}
}

func (c *client) read() wire.Frame {
	c.Helper()
	_, b, err := c.ws.ReadMessage()
	if err != nil {
		c.Fatal(err)
	}
	f, err := wire.ParseFrame(b)
	if err != nil {
		c.Fatal(err)
	}
	return f
}

// request waits for the server's next request.
func (c *client) request() *wire.Request {
	c.Helper()
	for i, f := range c.held {
		if f.Request != nil {
			c.held = append(c.held[:i:i], c.held[i+1:]...)
			return f.Request
		}
	}
	for {
		f := c.read()
		if f.Request != nil {
			return f.Request
		}
		c.held = append(c.held, f)
	}
}

// envelope waits for an envelope and answers with status; 0 is no answer.
func (c *client) envelope(status uint32) wire.Envelope {
	c.Helper()
	r := c.request()
	if r.Verb != "PUT" || r.Path != "/api/v1/message" {
		c.Fatalf("%+v, want an envelope", r)
	}
	e, err := wire.ParseEnvelope(r.Body)
	if err != nil {
		c.Fatal(err)
	}
	if status != 0 {
		c.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: status, Message: "OK"}})
	}
	return e
}

// tunnel sends a request through the websocket and waits for the answer.
func (c *client) tunnel(verb, path, body string) *wire.Response {
	c.Helper()
	c.nextID++
	id := c.nextID << 40 // as large as the Java client's
	c.write(wire.Frame{Request: &wire.Request{Verb: verb, Path: path, Body: []byte(body), ID: id, Headers: []string{"content-type:application/json"}}})
	for i, f := range c.held {
		if f.Response != nil && f.Response.ID == id {
			c.held = append(c.held[:i:i], c.held[i+1:]...)
			return f.Response
		}
	}
	for {
		f := c.read()
		if f.Response != nil && f.Response.ID == id {
			return f.Response
		}
		c.held = append(c.held, f)
	}
}

// closed reads on until the connection ends, and returns the close code.
func (c *client) closed() int {
	for {
		if _, _, err := c.ws.ReadMessage(); err != nil {
			if e, ok := err.(*websocket.CloseError); ok {
				return e.Code
			}
			return 0
		}
	}
}

// acknowledgeAll answers every envelope until the connection ends, and counts them.
func (c *client) acknowledgeAll(count *atomic.Int64) {
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		f, err := wire.ParseFrame(b)
		if err != nil {
			c.Error(err)
			return
		}
		if f.Request != nil {
			count.Add(1)
			ack := wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: 200}}
			if c.ws.WriteMessage(websocket.BinaryMessage, ack.Append(nil)) != nil {
				return
			}
		}
	}
}

// live waits until the device is attached: later connections displace this one, and its end is the end of an attached one. Its backlog may still
// be on the way, and then what is sent now goes to the queue first; see flowing.
func (w *world) live(login string) {
	w.Helper()
	device := w.device(login).Key
	w.eventually(login+" is attached", func() bool {
		c := w.server.live.of(device)
		if c == nil {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.attachment != nil
	})
}

// flowing repeats an exchange between devices that are attached until it went past all queues: then their backlogs are through, and no wake is on its
// way that would let them look again. After an exchange that was queued, the drain it began is given more and more time to come to its end, so that
// the next one does not keep it going.
func flowing(t *testing.T, exchange func(), worlds ...*world) {
	t.Helper()
	queued := func() (n uint64) {
		for _, w := range worlds {
			w.eventually("whoever was written to is awake", func() bool { return w.waker.told.Load() == w.store.Stats().Enqueued })
			n += w.store.Stats().Enqueued
		}
		return n
	}
	for tries := range 35 {
		before := queued()
		if exchange(); queued() == before {
			return
		}
		time.Sleep(time.Duration(tries) * 20 * time.Millisecond)
	}
	t.Fatal("everything goes through the queues")
}

// meanwhile sends a message while the caller acts for the device, whose acknowledgement the server waits for. What it returns waits for the answer.
func (w *world) meanwhile(as, to string, m api.Messages) (answered func()) {
	status := make(chan int, 1)
	go func() { status <- w.call(as, "PUT", "/v1/messages/"+to, m).Code }()
	return func() {
		w.Helper()
		if s := <-status; s != 200 {
			w.Errorf("the message to %s: %d", to, s)
		}
	}
}
