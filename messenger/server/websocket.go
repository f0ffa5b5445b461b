package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/socket"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/wire"
)

// unanswered is how long a device may take to answer an envelope before it counts as refused: one peer never answers what it
// cannot read, and the rest of its queue must not wait for that.
const unanswered = 20 * time.Second

// websocket is GET /v1/websocket (7.1).
func (s *Server) websocket(w http.ResponseWriter, r *http.Request) {
	const route = "GET /v1/websocket"
	caller, err := s.socketLogin(r)
	if err != nil {
		s.router.Write(w, r, route, err)
		return
	}
	conn, err := s.sockets.Accept(w, r)
	if err != nil {
		s.Metrics.Answered(route, http.StatusBadRequest)
		return
	}
	s.Metrics.Answered(route, http.StatusSwitchingProtocols)
	c := &connection{s: s, conn: conn, wantsEmpty: strings.EqualFold(r.Header.Get("X-Queue-Empty"), "true"), tunnel: s.tunnel(r, caller)}
	c.start(caller.Device.SignalingKey)
}

// socketLogin reads the credentials from the query (7.1), or, as today's clients send them, from the Authorization header.
func (s *Server) socketLogin(r *http.Request) (*endpoint.Caller, error) {
	if err := s.admitSocket(r); err != nil {
		return nil, err
	}
	login, password := r.URL.Query().Get("login"), r.URL.Query().Get("password")
	if login == "" {
		login, password, _ = r.BasicAuth()
	}
	cred, ok := parseLogin(login, password)
	if !ok {
		return nil, unauthorized()
	}
	caller, err := s.login(r, cred)
	if refused, ok := err.(*endpoint.Refusal); ok && refused.Status == http.StatusUnauthorized {
		return nil, endpoint.Refuse(http.StatusForbidden, "wrong number or password") // what the Java client understands
	}
	return caller, err
}

func (s *Server) admitSocket(r *http.Request) error {
	if s.draining.Load() {
		return &endpoint.Refusal{Status: http.StatusServiceUnavailable, Text: "the server is about to restart", Wait: time.Second}
	}
	if s.live.count() >= s.MaxSockets {
		s.Metrics.Limited("websockets")
		return &endpoint.Refusal{Status: http.StatusServiceUnavailable, Text: "too many connections; try again later", Wait: time.Minute}
	}
	return s.allow("websockets of a source", s.limits.sockets, s.source(r))
}

// tunnel keeps of a request what the websocket's requests need, and no more: a connection lives long, and what it holds is not freed.
func (s *Server) tunnel(r *http.Request, caller *endpoint.Caller) *endpoint.Tunnel {
	t := &endpoint.Tunnel{Host: strings.Clone(r.Host), Secure: s.secure(r), Remote: s.remote(r).String()}
	if caller != nil {
		t.Who = caller.Identity()
	}
	return t
}

// connection is a device with a websocket: the socket's Peer, and the hub's Connection.
type connection struct {
	s          *Server
	conn       *socket.Conn
	tunnel     *endpoint.Tunnel
	key        atomic.Pointer[signaling.Key] // nil: envelopes go bare (7.4)
	wantsEmpty bool

	mu         sync.Mutex
	attachment *deliver.Attachment // mu
	half       bool                // mu; one of start and the socket is at its end
}

func (c *connection) device() store.DeviceKey { return c.tunnel.Who.Device }

func (c *connection) setKey(key []byte) {
	if len(key) != signaling.KeySize {
		c.key.Store(nil)
		return
	}
	c.key.Store((*signaling.Key)(key))
}

// start makes the device reachable; key is the signaling key at its login. Nothing of the request may be kept.
func (c *connection) start(key []byte) {
	c.s.Metrics.Connected()
	c.setKey(key)
	c.s.live.add(c.conn, c)
	c.conn.Run(c)
	defer c.ended()
	if err := c.settle(key); err != nil {
		c.conn.Close(socket.ClosePolicy, unregistered)
		return
	}
	if c.s.draining.Load() { // Drain may have looked before we were there
		c.conn.Close(socket.CloseRestart, "restarting")
		return
	}
	a, err := c.s.Hub.Attach(context.Background(), c.device(), c)
	if err != nil {
		c.s.Log.Error("device not attached", "error", err)
		c.conn.Close(socket.CloseRestart, "try again")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attachment = a
}

// ended is called at the end of start and at that of the socket, which may be earlier. Whoever is second takes the connection away: so whoever
// waits until it has gone, as Drain does, meets nobody who still attaches it.
func (c *connection) ended() {
	c.mu.Lock()
	second, a := c.half, c.attachment
	c.half = true
	c.mu.Unlock()
	if !second {
		return
	}
	if a != nil {
		a.Detach(context.Background())
	}
	c.s.live.remove(c.conn)
	c.s.Metrics.Disconnected()
}

// settle takes up what became of the device between its login and now that rekey and disconnect find it: another signaling key, or that it is not
// registered any more, which is the error. A database that does not answer is none: the next request asks it again.
func (c *connection) settle(key []byte) error {
	for {
		caller, err := c.s.tunnelCaller(context.Background(), c.tunnel)
		if _, refused := errors.AsType[*endpoint.Refusal](err); refused {
			return err
		}
		if err != nil || bytes.Equal(caller.Device.SignalingKey, key) {
			return nil
		}
		key = caller.Device.SignalingKey
		c.setKey(key)
	}
}

// Serve implements socket.Peer.
func (c *connection) Serve(r *wire.Request) *wire.Response {
	return c.s.router.ServeFrame(context.Background(), c.tunnel, r)
}

// Closed implements socket.Peer.
func (c *connection) Closed() { c.ended() }

// Push implements deliver.Connection (7.2).
func (c *connection) Push(e deliver.Pushed, done func(acked bool)) {
	envelope, _, err := decoded(e.Body)
	if err == nil {
		if key := c.key.Load(); key != nil {
			envelope, err = key.Seal(envelope, c.s.Rand)
		}
	}
	if err != nil {
		c.s.Log.Error("envelope not sealed", "error", err)
		done(false)
		return
	}
	var once sync.Once
	timer := time.AfterFunc(unanswered, func() { once.Do(func() { done(false) }) })
	c.conn.Ask(wire.Request{Verb: http.MethodPut, Path: "/api/v1/message", Body: envelope}, func(status int) {
		timer.Stop()
		once.Do(func() {
			acked := status/100 == 2
			done(acked)
			if acked {
				c.s.acknowledged(e.Body, c.tunnel.Who)
			}
		})
	})
}

// Empty implements deliver.Connection: only who asked for it is told (7.2).
func (c *connection) Empty() {
	if c.wantsEmpty {
		c.conn.Ask(wire.Request{Verb: http.MethodPut, Path: "/api/v1/queue/empty"}, func(int) {})
	}
}

// Displace implements deliver.Connection.
func (c *connection) Displace() { c.conn.Close(socket.CloseDisplaced, "connected elsewhere") }
