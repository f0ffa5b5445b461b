package socket

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/wire"
)

// patience ends what would hang for ever.
const patience = 2 * time.Minute

// server is a world of one acceptor; its Peer echoes bodies.
type server struct {
	*httptest.Server
	acceptor *Acceptor
	conns    chan *Conn
	closed   atomic.Int32
	hold     chan struct{} // when not nil, Serve waits for it
	begun    chan struct{} // and says so here first
}

func (s *server) Serve(r *wire.Request) *wire.Response {
	if s.hold != nil {
		s.begun <- struct{}{}
		<-s.hold
	}
	return &wire.Response{Status: 200, Message: "OK", Body: append([]byte(r.Path+" "), r.Body...)}
}

func (s *server) Closed() { s.closed.Add(1) }

func start(t *testing.T, b Bounds) *server {
	s := &server{acceptor: NewAcceptor(b, time.Now), conns: make(chan *Conn, 10)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.acceptor.Accept(w, r)
		if err != nil {
			return
		}
		c.Run(s)
		s.conns <- c
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) dial(t *testing.T) (*websocket.Conn, *Conn) {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return ws, <-s.conns
}

func write(t *testing.T, ws *websocket.Conn, f wire.Frame) {
	t.Helper()
	if err := ws.WriteMessage(websocket.BinaryMessage, f.Append(nil)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, ws *websocket.Conn) wire.Frame {
	t.Helper()
	_, b, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	f, err := wire.ParseFrame(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ends reads until the connection ends and returns the close code, or 0 when it was cut.
func ends(ws *websocket.Conn) int {
	for {
		_, _, err := ws.ReadMessage()
		if e, ok := err.(*websocket.CloseError); ok && e.Code != websocket.CloseAbnormalClosure {
			return e.Code
		}
		if err != nil {
			return 0
		}
	}
}

func (s *server) waitClosed(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); s.closed.Load() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("Closed was called %d times, want once", s.closed.Load())
		}
	}
}

func TestRequestsAreAnsweredInOrder(t *testing.T) {
	s := start(t, Bounds{})
	ws, _ := s.dial(t)
	for i := range 10 {
		write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/x", Body: fmt.Append(nil, i), ID: 1 << 60 << i}})
	}
	for i := range 10 {
		r := read(t, ws).Response
		if r == nil || r.ID != 1<<60<<i || string(r.Body) != fmt.Sprint("/x ", i) {
			t.Fatalf("answer %d: %+v", i, r)
		}
	}
}

func TestAsking(t *testing.T) {
	s := start(t, Bounds{})
	ws, c := s.dial(t)
	status := make(chan int, 10)
	for range 3 {
		c.Ask(wire.Request{Verb: "PUT", Path: "/api/v1/message", Body: []byte("e")}, func(s int) { status <- s })
	}
	for id := uint64(1); id <= 3; id++ {
		if r := read(t, ws).Request; r == nil || r.ID != id || r.Path != "/api/v1/message" || string(r.Body) != "e" {
			t.Fatalf("%+v", r)
		}
	}
	write(t, ws, wire.Frame{Response: &wire.Response{ID: 0, Status: 200}}) // what one peer says to answers
	write(t, ws, wire.Frame{Response: &wire.Response{ID: 2, Status: 200}})
	write(t, ws, wire.Frame{Response: &wire.Response{ID: 2, Status: 500}}) // again: ignored
	write(t, ws, wire.Frame{Response: &wire.Response{ID: 1, Status: 500}})
	if a, b := <-status, <-status; a != 200 || b != 500 {
		t.Fatalf("told %d, %d; want 200, 500", a, b)
	}
	ws.Close()
	if got := <-status; got != 0 {
		t.Fatalf("the unanswered request was told %d, want 0", got)
	}
	s.waitClosed(t)
	c.Ask(wire.Request{}, func(s int) { status <- s })
	if got := <-status; got != 0 {
		t.Fatalf("after the end: told %d, want 0", got)
	}
}

// A drain: the answer in the making is written, acknowledgements on their way count, new requests do not.
func TestCloseFinishesWhatIsUnderWay(t *testing.T) {
	s := start(t, Bounds{})
	s.hold, s.begun = make(chan struct{}), make(chan struct{}, 10)
	ws, c := s.dial(t)
	status := make(chan int, 1)
	c.Ask(wire.Request{Verb: "PUT", Path: "/m"}, func(s int) { status <- s })
	read(t, ws)
	write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/first", ID: 5}})
	<-s.begun
	c.Close(CloseRestart, "restarting")
	c.Close(CloseNormal, "too late")
	write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/second", ID: 6}})
	write(t, ws, wire.Frame{Response: &wire.Response{ID: 1, Status: 200}})
	if got := <-status; got != 200 {
		t.Fatalf("acknowledgement during the drain: told %d, want 200", got)
	}
	close(s.hold)
	if r := read(t, ws).Response; r == nil || r.ID != 5 {
		t.Fatalf("%+v, want the answer to request 5", r)
	}
	if code := ends(ws); code != CloseRestart {
		t.Fatalf("closed with %d, want %d", code, CloseRestart)
	}
	s.waitClosed(t)
}

func TestText(t *testing.T) {
	s := start(t, Bounds{})
	ws, c := s.dial(t)
	c.SendText(`{"uuid":"x"}`)
	kind, b, err := ws.ReadMessage()
	if err != nil || kind != websocket.TextMessage || string(b) != `{"uuid":"x"}` {
		t.Fatalf("%d %q %v", kind, b, err)
	}
	_ = ws.WriteMessage(websocket.TextMessage, []byte("whatever"))
	c.SendText("2")
	if _, b, err = ws.ReadMessage(); string(b) != "2" {
		t.Fatalf("%q %v", b, err)
	}
}

// The hostile-client table: each loses its connection, and nothing else happens.
func TestHostile(t *testing.T) {
	request := wire.Frame{Request: &wire.Request{Verb: "GET", Path: "/v1/keepalive", ID: 1}}.Append(nil)
	for name, c := range map[string]struct {
		bounds Bounds
		do     func(ws *websocket.Conn)
		code   int
	}{
		"huge frame":   {Bounds{}, func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.BinaryMessage, make([]byte, wire.MaxFrame+1)) }, websocket.CloseMessageTooBig},
		"text":         {Bounds{}, func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.TextMessage, request) }, ClosePolicy},
		"not protobuf": {Bounds{}, func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.BinaryMessage, []byte{0xff}) }, ClosePolicy},
		"silence":      {Bounds{Idle: 50 * time.Millisecond}, func(*websocket.Conn) {}, 0},
		"flood of requests": {Bounds{Burst: 20, PerSecond: 0.001}, func(ws *websocket.Conn) {
			for range 21 {
				_ = ws.WriteMessage(websocket.BinaryMessage, request)
			}
		}, ClosePolicy},
		"flood of large requests": {Bounds{Burst: 20, PerSecond: 0.001}, func(ws *websocket.Conn) {
			large := wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/keepalive", ID: 1, Body: make([]byte, 600<<10)}}.Append(nil)
			for range 2 { // twenty requests' worth each
				_ = ws.WriteMessage(websocket.BinaryMessage, large)
			}
		}, ClosePolicy},
		"flood of pings": {Bounds{Burst: 20, PerSecond: 0.001}, func(ws *websocket.Conn) {
			for range 21 {
				_ = ws.WriteControl(websocket.PingMessage, nil, time.Time{})
			}
		}, 0},
		"flood of stray answers": {Bounds{Burst: 20, PerSecond: 0.001}, func(ws *websocket.Conn) {
			for range 21 {
				_ = ws.WriteMessage(websocket.BinaryMessage, wire.Frame{Response: &wire.Response{ID: 9, Status: 200}}.Append(nil))
			}
		}, ClosePolicy},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.bounds)
			ws, _ := s.dial(t)
			c.do(ws)
			if code := ends(ws); code != c.code {
				t.Errorf("closed with %d, want %d", code, c.code)
			}
			s.waitClosed(t)
		})
	}
}

// Requests beyond the inbox are refused at once, each generation with the status it knows.
func TestFullInbox(t *testing.T) {
	s := start(t, Bounds{Inbox: 2})
	s.hold, s.begun = make(chan struct{}), make(chan struct{}, 10)
	ws, _ := s.dial(t)
	write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/a", ID: 1}})
	<-s.begun
	for id, path := range []string{2: "/v1/a", 3: "/v1/a", 4: "/v1/a", 5: "/v3/a"} {
		if path != "" {
			write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: path, ID: uint64(id)}})
		}
	}
	old, ours := read(t, ws).Response, read(t, ws).Response
	if old.ID != 4 || old.Status != 413 || ours.ID != 5 || ours.Status != 429 || len(ours.Headers) != 1 || ours.Headers[0] != "Retry-After:1" {
		t.Fatalf("%+v %+v", old, ours)
	}
	close(s.hold)
	for id := uint64(1); id <= 3; id++ {
		if r := read(t, ws).Response; r.ID != id || r.Status != 200 {
			t.Fatalf("%+v", r)
		}
	}
}

// Large requests fill it sooner.
func TestInboxOfLargeRequests(t *testing.T) {
	s := start(t, Bounds{})
	s.hold, s.begun = make(chan struct{}), make(chan struct{}, 10)
	ws, _ := s.dial(t)
	write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/a", ID: 1}})
	<-s.begun
	for id := uint64(2); id <= 5; id++ {
		write(t, ws, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/a", ID: id, Body: make([]byte, wire.MaxFrame-100)}})
	}
	for id := uint64(4); id <= 5; id++ {
		if r := read(t, ws).Response; r.ID != id || r.Status != 413 {
			t.Fatalf("%+v, want %d refused", r, id)
		}
	}
	close(s.hold)
	for id := uint64(1); id <= 3; id++ {
		if r := read(t, ws).Response; r.ID != id || r.Status != 200 {
			t.Fatalf("%+v", r)
		}
	}
}

// A device that does not read costs at most the outbox, and then its connection; who asks is told.
func TestSlowReaderIsCut(t *testing.T) {
	s := start(t, Bounds{Outbox: 1 << 20, Write: time.Minute})
	_, c := s.dial(t)
	var told sync.WaitGroup
	body := bytes.Repeat([]byte{1}, 64<<10)
	for range 1000 { // 64 MB, far more than the kernel takes
		told.Add(1)
		c.Ask(wire.Request{Verb: "PUT", Path: "/m", Body: body}, func(status int) {
			if status != 0 {
				t.Errorf("told %d", status)
			}
			told.Done()
		})
		c.mu.Lock()
		if c.outBytes > 1<<20 {
			t.Errorf("%d bytes wait", c.outBytes)
		}
		c.mu.Unlock()
	}
	told.Wait()
	s.waitClosed(t)
}

func FuzzTake(f *testing.F) {
	f.Add(websocket.BinaryMessage, wire.Frame{Request: &wire.Request{Verb: "GET", Path: "/", ID: 1}}.Append(nil))
	f.Add(websocket.TextMessage, []byte("x"))
	a := NewAcceptor(Bounds{}, time.Now)
	f.Fuzz(func(t *testing.T, kind int, b []byte) {
		c := &Conn{a: a, said: true}
		frame, wrong := c.parse(kind, b)
		if (frame.Request != nil || frame.Response != nil) == (wrong != "") || len(wrong) > 120 {
			t.Fatalf("%+v, %q", frame, wrong)
		}
	})
}
