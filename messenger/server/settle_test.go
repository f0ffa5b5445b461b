package server

import (
	"context"
	"encoding/base64"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/wire"
)

// lateLogin is a store that, once armed, lets one login see the account as it is and then waits, so that the account changes under it.
type lateLogin struct {
	store.Store
	armed      atomic.Bool
	came, gone chan struct{}
}

func (s *lateLogin) Account(ctx context.Context, number string) (store.Account, error) {
	a, err := s.Store.Account(ctx, number)
	if s.armed.CompareAndSwap(true, false) {
		s.came <- struct{}{}
		<-s.gone
	}
	return a, err
}

// between connects alice's device, and changes something when its login was seen to be right and nobody can find the connection yet.
func between(t *testing.T, change func(w *world)) (w *world, a *client) {
	late := &lateLogin{came: make(chan struct{}), gone: make(chan struct{})}
	w = newWorld(t, func(c *Config) {
		late.Store = c.Store
		c.Store = late
	})
	w.register(alice)
	w.register(bob)
	srv := w.listen()
	late.armed.Store(true)
	connected := make(chan *client)
	go func() {
		defer close(connected) // also if it fails
		connected <- w.connect(srv, alice)
	}()
	<-late.came
	change(w)
	close(late.gone)
	if a = <-connected; a == nil {
		t.FailNow()
	}
	return w, a
}

// A connection that was being opened while the device changed its signaling key seals with the new one (7.4).
func TestKeyChangesWhileConnecting(t *testing.T) {
	key := make([]byte, signaling.KeySize)
	w, a := between(t, func(w *world) {
		w.want(alice, "PUT", "/v1/accounts/attributes", map[string]any{"signalingKey": base64.StdEncoding.EncodeToString(key), "registrationId": 5, "fetchesMessages": true}, 204, "-")
	})
	answered := w.meanwhile(bob, alice, message(1, [2]uint32{1, 5}))
	r := a.request()
	if body, err := (*signaling.Key)(key).Open(r.Body); err != nil {
		t.Errorf("%x: %v", body, err)
	}
	a.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
	answered()
}

// A connection that was being opened while the account was deleted ends.
func TestDeletedWhileConnecting(t *testing.T) {
	_, a := between(t, func(w *world) { w.want(alice, "DELETE", "/v3/account", nil, 204, "-") })
	if code := a.closed(); code != websocket.ClosePolicyViolation {
		t.Errorf("closed with %d", code)
	}
}
