package server

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/socket"
)

// health is GET /health: this process answers.
func (s *Server) health(*endpoint.Call) (any, error) {
	return api.Health{Status: "ok", Version: s.Version}, nil
}

// ready is GET /ready: it can do its work, so that a balancer may send it clients.
func (s *Server) ready(c *endpoint.Call) (any, error) {
	if s.draining.Load() {
		return endpoint.Status{Code: http.StatusServiceUnavailable, Body: api.Health{Status: "draining", Version: s.Version}}, nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
	defer cancel()
	if err := s.Store.Ping(ctx); err != nil {
		s.Log.Warn("not ready", "error", err)
		return endpoint.Status{Code: http.StatusServiceUnavailable, Body: api.Health{Status: "the database does not answer", Version: s.Version}}, nil
	}
	return api.Health{Status: "ok", Version: s.Version}, nil
}

// about is GET /v3/about: who vouches for this program, as it sees that itself.
func (s *Server) about(c *endpoint.Call) (any, error) {
	if s.About == nil {
		return nil, endpoint.Refuse(http.StatusNotFound, "this server says nothing of itself")
	}
	if err := s.allow("questions about the server of a source", s.limits.abouts, s.source(c.Request)); err != nil {
		return nil, err
	}
	return s.About(), nil
}

// keepalive is GET /v1/keepalive (6.7). Through a websocket whose device is not registered any more it ends that.
func (s *Server) keepalive(c *endpoint.Call) (any, error) {
	if t := endpoint.TunnelOf(c.Request); t != nil && t.Who.Device != 0 {
		if _, err := s.tunnelCaller(c.Context(), t); err != nil {
			if conn := s.live.of(t.Who.Device); conn != nil {
				conn.conn.Close(socket.ClosePolicy, unregistered)
			}
			return nil, err
		}
	}
	return endpoint.Text(""), nil
}

//go:embed openapi.json
var openapi []byte

// openAPI is GET /v3/openapi.json.
func (*Server) openAPI(*endpoint.Call) (any, error) { return json.RawMessage(openapi), nil }
