package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/wire"
)

const (
	// keepalive is how often we ask for a sign of life, and silence after how long without any a connection counts as dead. The server's idle limit is 90 s (7.1).
	keepalive = 25 * time.Second
	silence   = 60 * time.Second
	// writeLimit is how long a write may take.
	writeLimit = 20 * time.Second
)

// ErrDisplaced says that the same device has connected elsewhere.
var ErrDisplaced = errors.New("the same device has connected from elsewhere")

// displaced is the close code of it (7.1).
const displaced = 4409

// Listener takes what comes over the websocket. Its methods are called one after another.
type Listener interface {
	// Connected is called once the server has let us in.
	Connected()
	// Envelopes handles those that have come, in their order; false means that we could not keep that one, and it must come again. None is acknowledged
	// before the call returns.
	Envelopes(blobs [][]byte) []bool
	// Empty is called when the backlog is through.
	Empty()
}

// Listen connects and receives until the connection or ctx ends; its error says why.
func (s *Server) Listen(ctx context.Context, who Login, l Listener) error {
	header := http.Header{"X-Queue-Empty": {"true"}, "User-Agent": {agent}}
	req := &http.Request{Header: header}
	req.SetBasicAuth(who.User, who.Password)
	c, err := s.dial(ctx, "/v1/websocket/", header)
	if err != nil {
		return err
	}
	defer c.close(ctx)()
	l.Connected()
	q := newAhead()
	defer q.close()
	go q.fill(c)
	for {
		list, err := q.take()
		if err == nil {
			err = c.handle(list, l)
		}
		if err != nil {
			return c.ended(ctx, err)
		}
	}
}

// handle answers requests in their order, envelopes that follow one another together.
func (c *connection) handle(list []*wire.Request, l Listener) error {
	for len(list) > 0 {
		n := 0
		var blobs [][]byte
		for n < len(list) && envelope(list[n]) {
			blobs = append(blobs, list[n].Body)
			n++
		}
		if n > 0 {
			for i, kept := range l.Envelopes(blobs) {
				status := uint32(http.StatusOK)
				if !kept {
					status = http.StatusInternalServerError
				}
				if err := c.answer(list[i], status); err != nil {
					return err
				}
			}
			list = list[n:]
			continue
		}
		empty := list[0].Verb == http.MethodPut && list[0].Path == "/api/v1/queue/empty"
		status := uint32(http.StatusNotFound)
		if empty {
			status = http.StatusOK
		}
		if err := c.answer(list[0], status); err != nil {
			return err
		}
		if empty {
			l.Empty()
		}
		list = list[1:]
	}
	return nil
}

func envelope(r *wire.Request) bool { return r.Verb == http.MethodPut && r.Path == "/api/v1/message" }

func (c *connection) answer(r *wire.Request, status uint32) error {
	return c.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: status, Message: http.StatusText(int(status))}})
}

// dial opens a websocket below our server.
func (s *Server) dial(ctx context.Context, path string, header http.Header) (*connection, error) {
	w := s.way.Load()
	u := *w.base
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	u.Path += path
	ws, resp, err := w.dialer.DialContext(ctx, u.String(), header)
	if err != nil {
		if resp != nil {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
			return nil, statusError(resp, body)
		}
		return nil, w.unreached(err)
	}
	ws.SetReadLimit(wire.MaxFrame)
	return &connection{ws: ws, way: w}, nil
}

// connection is a websocket with one reader.
type connection struct {
	ws    *websocket.Conn
	way   *way
	quiet bool       // the draft's socket knows no keepalive
	mu    sync.Mutex // of writers
}

// close starts the keepalive and returns what ends it, and the connection.
func (c *connection) close(ctx context.Context) func() {
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(keepalive)
		defer tick.Stop()
		for n := uint64(1); ; n++ {
			select {
			case <-ctx.Done():
				_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
				_ = c.ws.Close() // ends the reader
				return
			case <-stop:
				return
			case <-tick.C:
				if c.quiet {
					continue
				}
				if c.write(wire.Frame{Request: &wire.Request{Verb: http.MethodGet, Path: "/v1/keepalive", ID: n}}) != nil {
					_ = c.ws.Close()
					return
				}
			}
		}
	}()
	return func() {
		close(stop)
		_ = c.ws.Close()
	}
}

func (c *connection) read() (wire.Frame, error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(silence))
	_, b, err := c.ws.ReadMessage()
	if err != nil {
		return wire.Frame{}, err
	}
	return wire.ParseFrame(b)
}

func (c *connection) write(f wire.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeLimit))
	return c.ws.WriteMessage(websocket.BinaryMessage, f.Append(nil))
}

// ended says in our words why a connection is over.
func (c *connection) ended(ctx context.Context, err error) error {
	var closed *websocket.CloseError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.way.open.Err() != nil:
		return ErrMoved
	case errors.As(err, &closed) && closed.Code == displaced:
		return ErrDisplaced
	}
	return fmt.Errorf("the connection ended: %w", err)
}

// Newcomer waits as a new device for its master's envelope (10.1, and with draft 10.2). Address is called once, with where the master shall send it.
func (s *Server) Newcomer(ctx context.Context, draft bool, address func(string) error) (envelope []byte, err error) {
	path := "/v1/websocket/provisioning/"
	if draft {
		path = "/v1/temp_websocket"
	}
	c, err := s.dial(ctx, path, http.Header{"User-Agent": {agent}})
	if err != nil {
		return nil, err
	}
	c.ws.SetReadLimit(64 << 10)
	c.quiet = draft
	defer c.close(ctx)()
	if draft {
		return c.newcomerDraft(ctx, address)
	}
	for told := false; ; {
		f, err := c.read()
		if err != nil {
			return nil, c.ended(ctx, err)
		}
		if f.Request == nil {
			continue
		}
		answer := wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: http.StatusOK, Message: "OK"}}
		switch {
		case f.Request.Path == "/v1/address" && !told:
			a, err := wire.ParseProvisionAddress(f.Request.Body)
			if err != nil {
				return nil, err
			}
			told = true
			if err := errors.Join(c.write(answer), address(string(a))); err != nil {
				return nil, err
			}
		case f.Request.Path == "/v1/message" && told:
			return f.Request.Body, c.write(answer)
		}
	}
}

func (c *connection) newcomerDraft(ctx context.Context, address func(string) error) ([]byte, error) {
	text := func(v any) error {
		_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Minute))
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return c.ended(ctx, err)
		}
		return json.Unmarshal(b, v)
	}
	var a api.TempUUID
	if err := text(&a); err != nil {
		return nil, err
	}
	if err := address(a.UUID); err != nil {
		return nil, err
	}
	var m api.TempMessage
	if err := text(&m); err != nil {
		return nil, err
	}
	return api.ParseBytes(m.Message)
}
