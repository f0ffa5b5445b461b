package federation

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// patience ends what would hang for ever.
const patience = 2 * time.Minute

const (
	alice = "+14155550001" // on our server
	carol = "+14155550003" // on the peer
)

// tally is Counters that remember.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) Federated(peer, direction, route, outcome string) {
	c.add(strings.Join([]string{peer, direction, outcome}, " "))
}

func (c *tally) Limited(limit string) { c.add(limit) }

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[what]++
}

func (c *tally) get(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[what]
}

// us is a Local that notes what reaches it.
type us struct {
	mu    sync.Mutex
	calls []string
	blob  string
}

func (u *us) note(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, fmt.Sprintf(format, args...))
}

func (u *us) seen() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.calls...)
}

func (u *us) PeerKeys(_ context.Context, peer, number, device string) (api.BundlesV3, error) {
	u.note("keys %s %s %s", peer, number, device)
	return api.BundlesV3{}, store.ErrNotFound
}

func (u *us) PeerMessage(_ context.Context, peer string, from From, destination string, m api.Messages) error {
	u.note("message %s %s.%d %s %q %q %d", peer, from.Number, from.Device, destination, m.Relay, m.Messages[0].Relay, m.Timestamp)
	return nil
}

func (u *us) PeerReceipt(_ context.Context, peer string, from From, destination string, timestamp uint64) error {
	u.note("receipt %s %s.%d %s %d", peer, from.Number, from.Device, destination, timestamp)
	return nil
}

type blob struct{ *strings.Reader }

func (blob) Close() error { return nil }

func (u *us) PeerAttachment(context.Context, string) (io.ReadSeekCloser, int64, error) {
	return blob{strings.NewReader(u.blob)}, int64(len(u.blob)), nil
}

func (u *us) PeerContacts(_ context.Context, peer string, tokens []string) ([]api.Contact, error) {
	u.note("contacts %s %d", peer, len(tokens))
	return []api.Contact{}, nil
}

func (u *us) PeerProfile(_ context.Context, peer, number string) (api.Profile, error) {
	u.note("profile %s %s", peer, number)
	return api.Profile{}, nil
}

func (u *us) PeerDeviceList(context.Context, string, string) (api.DeviceList, error) {
	return api.DeviceList{}, store.ErrNotFound
}

func (u *us) PeerUsername(context.Context, string, string) (api.Username, error) {
	return api.Username{}, store.ErrNotFound
}

// house is our server with a hostile peer, "evil", and a good one, "good", whose keys the test has.
type house struct {
	*testing.T
	us         us
	counters   tally
	key        *Key
	evil, good *Key
	node       *Node
	address    string
}

func mustPeer(t *testing.T, line string) Peer {
	t.Helper()
	p, err := ParsePeer(line)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newHouse starts our server. evil has the given limits, whose clock stands still.
func newHouse(t *testing.T, limits string, change ...func(*Node)) *house {
	t.Helper()
	h := &house{T: t, key: newKey(t), evil: newKey(t), good: newKey(t)}
	node, err := New(Options{Name: "ours", Key: h.key, Counters: &h.counters, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Peers: []Peer{
		mustPeer(t, "evil https://127.0.0.1:1 "+h.evil.Pin().String()+" "+limits), mustPeer(t, "good https://127.0.0.1:1 "+h.good.Pin().String())}})
	if err != nil {
		t.Fatal(err)
	}
	node.within = patience
	for _, f := range change {
		f(node)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.node, h.address = node, l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- node.Serve(l, &h.us) }()
	t.Cleanup(func() {
		node.server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return h
}

// as is a client with a key, which trusts us. It sends a body when it is told to go on: who is refused before that reads the refusal, and not that
// the connection was cut while it was still writing.
func (h *house) as(k *Key) *http.Client {
	t := &http.Transport{TLSClientConfig: dialTLS(k, []Pin{h.key.Pin()}), MaxIdleConnsPerHost: 100, ExpectContinueTimeout: patience}
	h.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: patience}
}

// ask returns the status, and the text of the answer.
func (h *house) ask(c *http.Client, method, path, body string) (int, string) {
	h.Helper()
	status, text, err := h.try(c, method, path, body)
	if err != nil {
		h.Error(err)
	}
	return status, text
}

func (h *house) try(c *http.Client, method, path, body string) (int, string, error) {
	req, err := http.NewRequest(method, "https://"+h.address+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// dial opens a connection past net/http.
func (h *house) dial(k *Key) *tls.Conn {
	h.Helper()
	c, err := tls.Dial("tcp", h.address, dialTLS(k, []Pin{h.key.Pin()}))
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// liar is a peer that answers what the test wants, and our node that asks it, whose clock stands still. silence is how long the peer may take; 0 is as
// long as a test.
func liar(t *testing.T, silence time.Duration, answer http.HandlerFunc) (*Remote, *tally) {
	t.Helper()
	if silence == 0 {
		silence = patience
	}
	theirs, counters := newKey(t), new(tally)
	l, err := tls.Listen("tcp", "127.0.0.1:0", acceptTLS(theirs, func(Pin) bool { return true }))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: answer}
	go func() { _ = srv.Serve(l) }() // ends by Close
	t.Cleanup(func() { srv.Close() })
	n, err := New(Options{Name: "ours", Key: newKey(t), Counters: counters, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Patience: silence,
		Peers: []Peer{mustPeer(t, "evil https://"+l.Addr().String()+" "+theirs.Pin().String())}})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := n.Remote("evil")
	t.Cleanup(r.transport.CloseIdleConnections)
	return r, counters
}

// identity is a public key as JSON has it.
func identity(t testing.TB) string {
	t.Helper()
	k, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return api.Bytes(k.Public().Bytes()).String()
}
