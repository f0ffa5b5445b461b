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

// live waits until the hub knows the device and its backlog is through: what is sent now goes straight to it.
func (w *world) live(login string) {
	w.Helper()
	number, _, _ := strings.Cut(login, ".")
	a, err := w.store.Account(w.Context(), number)
	if err != nil {
		w.Fatal(err)
	}
	for range 2000 {
		if w.server.live.of(a.Devices[0].Key) != nil {
			time.Sleep(20 * time.Millisecond) // the drain of an empty queue
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.Fatal("the device did not get online")
}
