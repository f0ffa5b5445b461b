// Package server is the messenger's server behind HTTP and websockets: the interface of the TextSecure servers of 2016 under /v1 and /v2, as the
// wire specification gives it, and what is younger under /v3. The file openapi.json says which requests there are.
//
// Its world: devices of registered people, who show a number and a password; strangers, who may register, look for nothing and fetch
// nothing; and the parts it stands on, each behind its own package: store (what is remembered), deliver and route (how an envelope
// reaches a device), attach (ciphertext of attachments), verify (codes on their way to telephones), limit (how often), socket (one
// connection). All come in by Config, and so do time and randomness.
//
// A server can drop and delay what people send each other and see who writes to whom and when. It reads nothing: texts, names and
// attachments reach it encrypted. It logs no number, no size and no time of a message, and counts without names.
//
// Numbers in comments are sections of the wire specification.
package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/server/metric"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/socket"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/verify"
)

// Config is everything a server stands on.
type Config struct {
	Version  string
	Store    store.Store
	Sender   *deliver.Sender
	Hub      *deliver.Hub
	Router   route.Router
	Blobs    attach.Blobs
	Verifier verify.Verifier
	Metrics  *metric.Set
	// Peers are the servers whose users and ours may write to each other; nil is none.
	Peers *federation.Node
	Log   *slog.Logger
	Now   func() time.Time
	Rand  io.Reader

	// About is what the program says of itself, for GET /v3/about; nil: nothing.
	About func() api.About

	// URL is how clients reach us, without slash at the end: for the locations of attachments. Empty: as each request came.
	URL string
	// Proxies are whose X-Forwarded-For and X-Forwarded-Proto are believed: none by default.
	Proxies []netip.Prefix
	// MaxDevices bounds the devices of an account (6.2). 0 means 6.
	MaxDevices int
	// LimitFactor multiplies all rate limits of 6.8; 0 switches them off, which is for load tests.
	LimitFactor float64
	// MaxSockets bounds the websockets open at once. 0 means 100,000.
	MaxSockets int
	// Socket bounds a websocket.
	Socket socket.Bounds
}

// Server answers the requests of clients.
type Server struct {
	Config
	router   *endpoint.Router
	sockets  *socket.Acceptor
	limits   *limits
	live     *live
	receipts chan struct{} // one for each receipt under way
	waiting  atomic.Int64  // new devices that wait for their master
	draining atomic.Bool
}

// New returns a server. It starts nothing that has to be stopped but the connections it accepts: see Drain.
func New(c Config) (*Server, error) {
	if c.Store == nil || c.Sender == nil || c.Hub == nil || c.Router == nil || c.Blobs == nil || c.Verifier == nil || c.Metrics == nil || c.Log == nil || c.Now == nil || c.Rand == nil {
		return nil, errors.New("internal error: a server lacks one of its parts")
	}
	if c.MaxDevices == 0 {
		c.MaxDevices = 6
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 100_000
	}
	if c.LimitFactor == 0 {
		c.Socket.Burst = math.Inf(1) // nor does a websocket count requests
	}
	s := &Server{Config: c, sockets: socket.NewAcceptor(c.Socket, c.Now), limits: newLimits(c.LimitFactor, c.Now), live: newLive(),
		receipts: make(chan struct{}, receiptsAtOnce)}
	s.router = endpoint.NewRouter(s.routes(), s.authenticate)
	s.router.Done = c.Metrics.Answered
	s.router.Failed = func(route string, err error) { c.Log.Error("request failed", "route", route, "error", err) }
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Routes returns the table of all requests.
func (s *Server) Routes() []endpoint.Route { return s.router.Routes() }

// Connections returns how many websockets are open.
func (s *Server) Connections() int { return s.live.count() }

// Drain tells all clients to connect elsewhere or again, and waits until they have gone: what was being sent is finished first, and what was
// not acknowledged is queued. New connections must have been stopped before. When ctx ends the rest is cut.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	return s.live.drain(ctx)
}
