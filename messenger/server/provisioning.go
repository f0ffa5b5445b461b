package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/socket"
	"github.com/countersign-project/countersign/messenger/wire"
)

// waitingLife is how long a new device may wait for its master, and maxWaiting how many may wait at once.
const (
	waitingLife = 10 * time.Minute
	maxWaiting  = 10_000
	// strangersFrame is how many bytes a frame of theirs may have: they answer, and ask for keepalives.
	strangersFrame = 16 << 10
)

// provisioningKey is where the router finds a device that waits at an address.
func provisioningKey(address string) route.Key { return route.Key("p" + address) }

// provisioningSocket is GET /v1/websocket/provisioning (10.1).
func (s *Server) provisioningSocket(w http.ResponseWriter, r *http.Request) {
	s.wait(w, r, "GET /v1/websocket/provisioning", false)
}

// tempSocket is GET /v1/temp_websocket: the same in the seed gist's form (10.2), where everything is text.
func (s *Server) tempSocket(w http.ResponseWriter, r *http.Request) {
	s.wait(w, r, "GET /v1/temp_websocket", true)
}

func (s *Server) wait(w http.ResponseWriter, r *http.Request, name string, gist bool) {
	if err := s.admitWaiting(r); err != nil {
		s.router.Write(w, r, name, err)
		return
	}
	random := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, random); err != nil {
		s.router.Write(w, r, name, err)
		return
	}
	conn, err := s.sockets.Accept(w, r)
	if err != nil {
		s.Metrics.Answered(name, http.StatusBadRequest)
		return
	}
	conn.Bound(strangersFrame)
	s.Metrics.Answered(name, http.StatusSwitchingProtocols)
	d := &newcomer{s: s, conn: conn, gist: gist, tunnel: s.tunnel(r, nil), address: base64.RawURLEncoding.EncodeToString(random)}
	d.start()
}

func (s *Server) admitWaiting(r *http.Request) error {
	if err := s.admitSocket(r); err != nil {
		return err
	}
	if s.waiting.Load() >= maxWaiting {
		return endpoint.TooMany(time.Minute)
	}
	return s.allow("registrations of a source", s.limits.strangers, s.source(r))
}

// newcomer is a device that has no account yet and waits for its master's envelope: the socket's Peer, and the router's Live.
type newcomer struct {
	s          *Server
	conn       *socket.Conn
	gist       bool
	tunnel     *endpoint.Tunnel
	address    string
	timer      *time.Timer
	unregister func() // nil if the router would not have it

	mu  sync.Mutex
	got bool // mu; one envelope per address
}

// start makes the device reachable, and then tells it its address: whoever has read that from its screen finds it.
func (d *newcomer) start() {
	s := d.s
	s.waiting.Add(1)
	s.Metrics.Connected()
	s.live.add(d.conn, nil)
	d.timer = time.AfterFunc(waitingLife, func() { d.conn.Close(socket.CloseNormal, "nobody came") })
	var err error
	d.unregister, err = s.Router.Register(provisioningKey(d.address), 1, d)
	switch {
	case err != nil || s.draining.Load():
		d.conn.Close(socket.CloseRestart, "try again")
	case d.gist: // before the first read, so that it is known to be a text socket
		b, _ := json.Marshal(api.TempUUID{UUID: d.address})
		d.conn.SendText(string(b))
	default:
		d.conn.Ask(wire.Request{Verb: http.MethodPut, Path: "/v1/address", Body: wire.ProvisionAddress(d.address).Encode()}, func(int) {})
	}
	d.conn.Run(d)
}

// Serve implements socket.Peer: a keepalive, mostly. Without an account it gets what strangers get.
func (d *newcomer) Serve(r *wire.Request) *wire.Response {
	return d.s.router.ServeFrame(context.Background(), d.tunnel, r)
}

// Closed implements socket.Peer.
func (d *newcomer) Closed() {
	d.timer.Stop()
	if d.unregister != nil {
		d.unregister()
	}
	d.s.live.remove(d.conn)
	d.s.waiting.Add(-1)
	d.s.Metrics.Disconnected()
}

// Offer implements route.Live: the master's envelope, once.
func (d *newcomer) Offer(f route.Frame, done func(acked bool)) {
	d.mu.Lock()
	again := d.got
	d.got = true
	d.mu.Unlock()
	if again {
		done(false)
		return
	}
	if d.gist {
		b, err := json.Marshal(api.TempMessage{Message: base64.StdEncoding.EncodeToString(f.Body)})
		if err != nil {
			panic("internal error: " + err.Error())
		}
		d.conn.SendText(string(b))
		done(true) // the gist has no acknowledgement
		d.conn.Close(socket.CloseNormal, "")
		return
	}
	d.conn.Ask(wire.Request{Verb: http.MethodPut, Path: "/v1/message", Body: f.Body}, func(status int) {
		done(status/100 == 2)
		d.conn.Close(socket.CloseGoingAway, "provisioned")
	})
}

// Wake implements route.Live.
func (*newcomer) Wake() {}

// Displace implements route.Live: addresses are random, so nobody does.
func (d *newcomer) Displace() { d.conn.Close(socket.CloseDisplaced, "") }

// provision is PUT /v1/provisioning/{address}.
func (s *Server) provision(c *endpoint.Call) (any, error) {
	if err := s.allow("changes", s.limits.changes, deviceBucket(c)); err != nil {
		return nil, err
	}
	var body api.Provision
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	return nil, s.toNewcomer(c, c.PathValue("address"), body.Body)
}

// sendToChannel is what the seed gist uses instead: an ordinary message to a channel's uuid (10.2).
func (s *Server) sendToChannel(c *endpoint.Call, uuid string, body *api.Messages) error {
	if len(body.Messages) != 1 {
		return endpoint.Refuse(http.StatusUnprocessableEntity, "%d messages to a channel, want 1", len(body.Messages))
	}
	m := body.Messages[0]
	if len(m.Body) == 0 {
		m.Body = m.Content
	}
	return s.toNewcomer(c, uuid, m.Body)
}

func (s *Server) toNewcomer(c *endpoint.Call, address string, envelope []byte) error {
	const what = "nobody waits at this address: the code on the other screen is used up or too old"
	if len(envelope) == 0 || len(envelope) > smallBody {
		return endpoint.Refuse(http.StatusUnprocessableEntity, "an envelope of %d bytes, want 1 to %d", len(envelope), smallBody)
	}
	key := provisioningKey(address)
	if route.ValidName(string(key)) != nil {
		return endpoint.Refuse(http.StatusNotFound, what)
	}
	g, err := newGUID(s.Rand)
	if err != nil {
		return fmt.Errorf("provisioning: %w", err)
	}
	if s.Router.Deliver(c.Context(), key, route.Frame{GUID: g, Body: envelope}) != route.Acked {
		return endpoint.Refuse(http.StatusNotFound, what)
	}
	return nil
}
