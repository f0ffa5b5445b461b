package tui_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
)

// swaps makes the server claim that somebody has installed anew, and hand out keys of its own for him.
func (w *world) swaps(number string) {
	var told atomic.Bool
	f := func(rw http.ResponseWriter, r *http.Request) bool {
		rw.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == "PUT" && r.URL.Path == "/v1/messages/"+number && told.CompareAndSwap(false, true):
			rw.WriteHeader(http.StatusGone)
			_ = json.NewEncoder(rw).Encode(api.Stale{StaleDevices: []uint32{1}})
		case r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/v3/keys/"+number):
			rec := httptest.NewRecorder()
			w.honest.ServeHTTP(rec, r)
			var b api.BundlesV3
			if err := json.Unmarshal(rec.Body.Bytes(), &b); err != nil {
				w.Error(err)
				return false
			}
			if err := swap(&b); err != nil {
				w.Error(err)
			}
			_ = json.NewEncoder(rw).Encode(b)
		default:
			return false
		}
		return true
	}
	w.between.Store(&f)
}

// swap puts an identity of the server's own into somebody's keys.
func swap(b *api.BundlesV3) error {
	identity, err := keys.Generate(rand.Reader)
	if err != nil {
		return err
	}
	b.IdentityKey, b.DeviceList = identity.Public().Bytes(), nil
	for i := range b.Devices {
		k, err := keys.Generate(rand.Reader)
		if err != nil {
			return err
		}
		s, err := handshake.SignPrekey(identity, 5, k.Public(), rand.Reader)
		if err != nil {
			return err
		}
		pq, err := keys.GenerateKyber(rand.Reader)
		if err != nil {
			return err
		}
		q, err := handshake.SignKyber(identity, 6, pq.Public(), rand.Reader)
		if err != nil {
			return err
		}
		b.Devices[i].SignedPreKey = &api.SignedPreKey{KeyID: 5, PublicKey: s.Key.Bytes(), Signature: s.Signature[:]}
		b.Devices[i].PQPreKey = &api.SignedPreKey{KeyID: 6, PublicKey: q.Key.Bytes(), Signature: q.Signature[:]}
		b.Devices[i].PreKey = nil
	}
	return nil
}

// A server that puts itself between Alice and Bob, whom she has verified, gets nothing: she is asked, and what was held goes out when she has compared
// again.
func TestTheServerSwapsAKey(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("Alice"), w.person("Bob")
	a := alice.screen(bob.number, 220, 30) // so that nothing is wrapped
	a.enters("hello")
	a.shows("hello  (sent)")
	bob.does("send", map[string]any{"recipient": alice.number, "message": "hello back"}, nil)
	a.shows("Bob: hello back")
	a.enters("/verify " + bob.digits(alice.number))
	a.shows("Bob · verified")
	w.swaps(bob.number)
	a.enters("the secret")
	a.shows("NOT SENT: the safety number of "+bob.number+" has changed since it was verified", "[v] show the new number   [ctrl+y] accept it without comparing, and send")
	a.shows("SAFETY NUMBER CHANGED", "!! The safety number has changed since it was verified.", "the secret", "(NOT SENT: the safety number of ")
	a.press("esc")
	a.enters("another")
	a.shows("[h] hold the message until I have decided")
	a.types("h")
	a.until("two are held", func() bool { return strings.Count(a.view(), "(NOT SENT: ") == 2 })
	a.enters("/verify")
	a.shows("CHANGED: nothing is sent until you verify or accept it")
	a.enters("/verify " + bob.digits(alice.number))
	a.shows("safety numbers differ")
	a.press("esc")
	// The attack is over: what Bob writes comes with his own key.
	w.between.Store(nil)
	bob.does("send", map[string]any{"recipient": alice.number, "message": "are you there?"}, nil)
	a.shows("Bob: are you there?")
	b := bob.screen(alice.number, 110, 30)
	a.beside, b.beside = b, a
	b.shows("hello back")
	if strings.Contains(b.view(), "the secret") {
		t.Error("it was sent")
	}
	a.enters("/verify " + bob.digits(alice.number))
	a.shows("Bob · verified")
	b.shows("Alice: the secret", "Alice: another")
	a.hides("NOT SENT")
}
