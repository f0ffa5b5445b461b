package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/metric"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
	"github.com/countersign-project/countersign/messenger/server/verify"
)

const password = "correct horse battery"

// patience ends what would hang for ever: a test, or a message to a device that does not acknowledge.
const patience = 2 * time.Minute

// clock is moved by tests only.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sms is a verifier that remembers the codes it brought.
type sms struct {
	mu    sync.Mutex
	codes map[string]string
	fail  error
}

func (s *sms) Knows(transport string) bool {
	return transport == verify.SMS || transport == verify.Voice
}

func (s *sms) Send(_ context.Context, d verify.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[d.Number] = d.Code
	return s.fail
}

// world is a server with all its parts but the network.
type world struct {
	*testing.T
	clock       *clock
	sms         *sms
	store       store.Store
	server      *Server
	log         *journal
	waker       *waker
	storeClosed bool // by the test
}

// waker is the sender's router, which counts wakes that have been told.
type waker struct {
	route.Router
	told atomic.Uint64
}

func (r *waker) Wake(ctx context.Context, node string, key route.Key) bool {
	defer r.told.Add(1)
	return r.Router.Wake(ctx, node, key)
}

// newWorld starts a server over a store on disk. change may alter its configuration.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}, sms: &sms{codes: map[string]string{}}, log: new(journal)}
	dir := t.TempDir()
	e := chosen(t, filepath.Join(dir, "store.db"))
	var err error
	if w.store, err = engine.Open(t.Context(), e.database, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	blobs, err := attach.NewDisk(filepath.Join(dir, "attachments"), 0)
	if err != nil {
		t.Fatal(err)
	}
	router, presence := e.routing(t, w.store)
	w.waker = &waker{Router: router}
	c := Config{
		Version: "1.4.0", Store: w.store, Router: router, Blobs: blobs, Verifier: w.sms, Metrics: metric.New("1.4.0"),
		Sender: &deliver.Sender{Queue: w.store, Presence: presence, Router: w.waker, Now: w.clock.Now},
		Hub:    deliver.NewHub(w.store, presence, router, w.clock.Now, deliver.Options{Poll: -1, Lease: lease}),
		Log:    slog.New(slog.NewTextHandler(w.log, nil)), Now: w.clock.Now, Rand: rand.Reader, LimitFactor: 1,
	}
	if change != nil {
		change(&c)
	}
	if w.server, err = New(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Hub.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.server.Drain(ctx); err != nil {
			t.Error(err)
		}
		c.Sender.Close()
		if err := c.Hub.Close(ctx); err != nil && !w.storeClosed {
			t.Error(err)
		}
		if err := w.store.Close(); err != nil && !w.storeClosed {
			t.Error(err)
		}
	})
	return w
}

// journal is a log that is read while others write to it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // mu
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// request is one call: as is a login, or empty for a stranger; body is a text, or what becomes JSON.
func (w *world) request(as, method, path string, body any) *http.Request {
	w.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			w.Fatal(err)
		}
		r = bytes.NewReader(j)
	}
	req := httptest.NewRequest(method, path, r)
	if as != "" {
		req.SetBasicAuth(as, password)
	}
	return req
}

func (w *world) call(as, method, path string, body any) *httptest.ResponseRecorder {
	w.Helper()
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, w.request(as, method, path, body))
	return rec
}

// want calls and compares status and body; want "" is any body, "-" none.
func (w *world) want(as, method, path string, body any, status int, want string) string {
	w.Helper()
	rec := w.call(as, method, path, body)
	got := rec.Body.String()
	if rec.Code != status || want == "-" && got != "" || want != "" && want != "-" && got != want {
		w.Fatalf("%s %s: %d %s, want %d %s", method, path, rec.Code, got, status, want)
	}
	return got
}

// get calls, wants 200, and reads the answer.
func get[T any](w *world, as, path string) (v T) {
	w.Helper()
	if err := json.Unmarshal([]byte(w.want(as, "GET", path, nil, 200, "")), &v); err != nil {
		w.Fatal(err)
	}
	return v
}

// person is an account with its keys.
type person struct {
	number   string
	identity *keys.Private
}

// register makes an account whose first device can be written to.
func (w *world) register(number string) person {
	w.Helper()
	w.want("", "GET", "/v1/accounts/sms/code/"+number, nil, 204, "-")
	w.want(number, "PUT", "/v1/accounts/code/"+w.sms.codes[number], api.AccountAttributes{RegistrationID: 5, FetchesMessages: true}, 204, "-")
	p := person{number, newKey(w)}
	w.want(number, "PUT", "/v2/keys", p.preKeys(w, 3), 204, "-")
	return p
}

// link adds a device.
func (w *world) link(p person, registrationID uint32) string {
	w.Helper()
	code := get[api.VerificationCode](w, p.number, "/v1/devices/provisioning/code").Code
	var id api.DeviceID
	if err := json.Unmarshal([]byte(w.want(p.number, "PUT", "/v1/devices/"+code, api.AccountAttributes{RegistrationID: registrationID, FetchesMessages: true}, 200, "")), &id); err != nil {
		w.Fatal(err)
	}
	login := fmt.Sprintf("%s.%d", p.number, id.DeviceID)
	w.want(login, "PUT", "/v2/keys", p.preKeys(w, 3), 204, "-")
	return login
}

func newKey(t testing.TB) *keys.Private {
	t.Helper()
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// preKeys makes n one-time keys with ids 1 to n, and a signed one with id 9.
func (p person) preKeys(t testing.TB, n uint32) api.PreKeys {
	t.Helper()
	signed := p.signed(t, 9)
	k := api.PreKeys{IdentityKey: p.identity.Public().Bytes(), SignedPreKey: &signed, PreKeys: []api.PreKey{}}
	for id := uint32(1); id <= n; id++ {
		k.PreKeys = append(k.PreKeys, api.PreKey{KeyID: id, PublicKey: newKey(t).Public().Bytes()})
	}
	return k
}

func (p person) signed(t testing.TB, id uint32) api.SignedPreKey {
	t.Helper()
	s, err := handshake.SignPrekey(p.identity, id, newKey(t).Public(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return api.SignedPreKey{KeyID: id, PublicKey: s.Key.Bytes(), Signature: s.Signature[:]}
}

func (p person) kyber(t testing.TB, id uint32) api.SignedPreKey {
	t.Helper()
	private, err := keys.GenerateKyber(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := handshake.SignKyber(p.identity, id, private.Public(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return api.SignedPreKey{KeyID: id, PublicKey: k.Key.Bytes(), Signature: k.Signature[:]}
}

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// message is the body of a send to devices, each as id and registration id.
func message(timestamp uint64, devices ...[2]uint32) api.Messages {
	m := api.Messages{Timestamp: timestamp, Messages: []api.Message{}}
	for _, d := range devices {
		m.Messages = append(m.Messages, api.Message{Type: 1, DeviceID: d[0], RegistrationID: d[1], Content: api.Bytes("ciphertext")})
	}
	return m
}
