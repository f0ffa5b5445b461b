package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

const dave = "+14155550004" // on no server; Carol is on the second one

// end is one server of a pair: a world, its key, and its listener for peers.
type end struct {
	*world
	name     string
	key      *federation.Key
	node     *federation.Node
	listener net.Listener
	local    func(federation.Local) federation.Local                              // stands before the server, if the test wants
	dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil is the network
	stop     func()
}

func newPeerKey(t *testing.T) *federation.Key {
	t.Helper()
	text, err := federation.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := federation.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newEnd reserves a listener, so that two ends can name each other before either runs.
func newEnd(t *testing.T, name string) *end {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &end{name: name, key: newPeerKey(t), listener: l}
}

// as is an end as it stands in the settings of another.
func (e *end) as(t *testing.T, more string) federation.Peer {
	t.Helper()
	p, err := federation.ParsePeer(e.name + " https://" + e.listener.Addr().String() + " " + e.key.Pin().String() + " " + more)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run starts an end with its peers. silence is how long they may take to answer; 0 is as long as a test. change may alter the server's configuration.
func (e *end) run(t *testing.T, silence time.Duration, change func(*Config), peers ...federation.Peer) {
	t.Helper()
	if silence == 0 {
		silence = patience
	}
	e.world = newWorld(t, func(c *Config) {
		var err error
		e.node, err = federation.New(federation.Options{Name: e.name, Key: e.key, Peers: peers, Counters: c.Metrics, Now: c.Now, Patience: silence, Dial: e.dial,
			Failed: func(route string, err error) { c.Log.Error("peer", "route", route, "error", err) }})
		if err != nil {
			t.Fatal(err)
		}
		c.Peers = e.node
		if change != nil {
			change(c)
		}
	})
	var local federation.Local = e.server
	if e.local != nil {
		local = e.local(local)
	}
	done := make(chan error, 1)
	go func() { done <- e.node.Serve(e.listener, local) }()
	e.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = e.node.Shutdown(ctx)
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(e.stop)
}

// newPair is two servers, a.example with Alice and b.example with Carol, that know each other.
func newPair(t *testing.T) (a, b *end) {
	t.Helper()
	a, b = newEnd(t, "a.example"), newEnd(t, "b.example")
	a.run(t, 0, nil, b.as(t, "directory"))
	b.run(t, 0, nil, a.as(t, ""))
	a.register(alice)
	b.register(carol)
	return a, b
}

// Somebody here writes to somebody there: keys, the message by both forms of the address, its receipt, the answer by the relay of the envelope.
func TestPeopleOfTwoServersWrite(t *testing.T) {
	a, b := newPair(t)
	bundle := get[api.Bundles](a.world, alice, "/v2/keys/"+carol+"/*?relay=b.example")
	if len(bundle.Devices) != 1 || bundle.Devices[0].RegistrationID != 5 || bundle.Devices[0].PreKey == nil || bundle.Devices[0].SignedPreKey == nil {
		t.Fatalf("%+v", bundle)
	}
	if n := get[api.KeyCount](b.world, carol, "/v2/keys").Count; n != 2 {
		t.Errorf("%d prekeys are left, want 2: one was used up", n)
	}
	get[api.BundlesV3](a.world, alice, "/v3/keys/"+carol+"@b.example/1")
	get[api.PreKeyV1](a.world, alice, "/v1/keys/"+carol+"?relay=b.example")

	m := message(7, [2]uint32{1, 5})
	m.Relay = "b.example"
	a.want(alice, "PUT", "/v1/messages/"+carol, m, 200, `{"needsSync":false}`)
	a.want(alice, "PUT", "/v1/messages/"+carol+"@b.example", message(8, [2]uint32{1, 5}), 200, `{"needsSync":false}`)
	q := get[api.Queued](b.world, carol, "/v1/messages")
	if len(q.Messages) != 2 || q.Messages[0].Source != alice || q.Messages[0].SourceDevice != 1 || q.Messages[0].Relay != "a.example" || string(q.Messages[0].Content) != "ciphertext" || q.Messages[1].Timestamp != 8 {
		t.Fatalf("%+v", q)
	}
	if q := get[api.Queued](a.world, alice, "/v1/messages"); len(q.Messages) != 0 {
		t.Errorf("something stayed here: %+v", q)
	}
	b.want(carol, "DELETE", "/v1/messages/"+alice+"/7?relay=a.example", nil, 204, "-") // which sends the receipt
	receipt := a.waitFor(alice)
	if receipt.Type != uint32(wire.EnvelopeReceipt) || receipt.Source != carol || receipt.Relay != "b.example" || receipt.Timestamp != 7 {
		t.Errorf("%+v", receipt)
	}
	a.want(alice, "DELETE", "/v1/messages/"+carol+"/7", nil, 204, "-")
	b.want(carol, "PUT", "/v1/receipt/"+alice+"/9?relay=a.example", nil, 204, "-") // asked for by the client
	if r := a.waitFor(alice); r.Type != 5 || r.Timestamp != 9 {
		t.Errorf("%+v", r)
	}
	b.want(carol, "PUT", "/v1/messages/"+alice+"@a.example", message(10, [2]uint32{1, 5}), 200, "")
	if q := get[api.Queued](a.world, alice, "/v1/messages"); len(q.Messages) != 2 || q.Messages[1].Relay != "b.example" || q.Messages[1].Source != carol {
		t.Errorf("%+v", q)
	}
	a.want(alice, "PUT", "/v1/messages/"+alice+"@a.example", message(11), 200, "") // our own name is here
}

// waitFor waits for the first envelope in a queue.
func (w *world) waitFor(login string) (e api.Envelope) {
	w.Helper()
	w.eventually("an envelope comes", func() bool {
		q := get[api.Queued](w, login, "/v1/messages")
		if len(q.Messages) > 0 {
			e = q.Messages[0]
		}
		return len(q.Messages) > 0
	})
	return e
}

// 409, 410 and 404 of the other server reach the sender as their own server would say them, and nothing is delivered.
func TestMismatchesPassThrough(t *testing.T) {
	a, b := newPair(t)
	path := "/v1/messages/" + carol + "@b.example"
	a.want(alice, "PUT", path, message(1), 409, `{"missingDevices":[1],"extraDevices":[]}`)
	a.want(alice, "PUT", path, message(1, [2]uint32{1, 5}, [2]uint32{9, 5}), 409, `{"missingDevices":[],"extraDevices":[9]}`)
	a.want(alice, "PUT", path, message(1, [2]uint32{1, 6}), 410, `{"staleDevices":[1]}`)
	a.want(alice, "PUT", "/v1/messages/"+dave+"@b.example", message(1, [2]uint32{1, 5}), 404, "")
	a.want(alice, "GET", "/v2/keys/"+dave+"/*?relay=b.example", nil, 404, "")
	a.want(alice, "GET", "/v2/keys/"+carol+"/2?relay=b.example", nil, 404, "")
	if q := get[api.Queued](b.world, carol, "/v1/messages"); len(q.Messages) != 0 {
		t.Errorf("%+v", q)
	}
}

// What contradicts itself, or names a server we do not know, is refused here; and so are notes to oneself (8).
func TestRelayRefusals(t *testing.T) {
	a, _ := newPair(t)
	with := func(body, part string) api.Messages {
		m := message(1, [2]uint32{1, 5})
		m.Relay, m.Messages[0].Relay = body, part
		return m
	}
	a.want(alice, "PUT", "/v1/messages/"+carol, with("c.example", ""), 404, `{"error":"no server \"c.example\" is known here"}`)
	a.want(alice, "PUT", "/v1/messages/"+carol, with("", "c.example"), 404, "")
	a.want(alice, "PUT", "/v1/messages/"+carol+"@b.example", with("c.example", ""), 400, `{"error":"two servers are named: \"b.example\" and \"c.example\""}`)
	a.want(alice, "PUT", "/v1/messages/"+carol, with("b.example", "a.example"), 400, "")
	a.want(alice, "PUT", "/v1/messages/"+alice+"@b.example", with("", ""), 400, `{"error":"one's own devices are not on another server"}`)
	a.want(alice, "PUT", "/v1/messages/x@b.example", with("", ""), 404, "")
	a.want(alice, "GET", "/v2/keys/..%2f..@b.example/*", nil, 404, "")
	a.want(alice, "PUT", "/v1/receipt/"+carol+"/1?relay=c.example", nil, 404, "")
	a.want(alice, "GET", "/v1/attachments/5?relay=c.example", nil, 404, "")
	a.want(alice, "PUT", "/v3/messages", api.Multi{Type: 7, Recipients: []api.Recipient{{Number: carol + "@b.example"}}}, 422, "")
}

// Profiles, device lists, usernames and contacts of the other server, one at a time.
func TestLookUpsOnDemand(t *testing.T) {
	a, b := newPair(t)
	b.want(carol, "PUT", "/v3/usernames/carol", nil, 204, "-")
	b.want(carol, "PUT", "/v1/profile/name/"+strings.Repeat("n", 72), nil, 204, "-")
	a.want(alice, "GET", "/v3/usernames/carol@b.example", nil, 200, `{"number":"`+carol+`@b.example"}`)
	a.want(alice, "GET", "/v3/usernames/dave@b.example", nil, 404, "")
	if p := get[api.Profile](a.world, alice, "/v1/profile/"+carol+"?relay=b.example"); p.Name != strings.Repeat("n", 72) || len(p.IdentityKey) != 33 {
		t.Errorf("%+v", p)
	}
	a.want(alice, "GET", "/v3/devices/list/"+carol+"@b.example", nil, 404, "")
	token, unknown := directory.NewToken(carol).String(), directory.NewToken(dave).String()
	if c := get[api.Contact](a.world, alice, "/v1/directory/"+url.PathEscape(token)); c.Relay != "b.example" || c.Token != token {
		t.Errorf("%+v", c)
	}
	a.want(alice, "GET", "/v1/directory/"+url.PathEscape(unknown), nil, 404, "")
	var found api.Contacts
	text := a.want(alice, "PUT", "/v1/directory/tokens", api.Tokens{Contacts: []string{token, unknown, directory.NewToken(alice).String(), token}}, 200, "")
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Contacts) != 2 || found.Contacts[0].Relay != "" || found.Contacts[1].Relay != "b.example" {
		t.Errorf("%s", text)
	}
	b.want(carol, "GET", "/v1/directory/"+url.PathEscape(directory.NewToken(alice).String()), nil, 404, "") // b's operator has not said "directory"
	get[api.Contact](b.world, carol, "/v1/directory/"+url.PathEscape(directory.NewToken(alice).String())+"?relay=a.example")
}

// An attachment comes through our own server, whole or from where it broke off, by a location that only we can make.
func TestAttachmentsOfPeers(t *testing.T) {
	a, b := newPair(t)
	ours, theirs := a.listen(), b.listen()
	at := get[api.Attachment](b.world, carol, "/v1/attachments")
	ciphertext := strings.Repeat("ciphertext ", 100_000)
	req, err := http.NewRequest("PUT", theirs.URL+"/v3/blobs/"+at.IDString, strings.NewReader(ciphertext))
	if err != nil {
		t.Fatal(err)
	}
	a.want(alice, "GET", "/v1/attachments/"+at.IDString+"?relay=b.example", nil, 404, "") // not whole yet
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	location := get[api.Location](a.world, alice, "/v1/attachments/"+at.IDString+"?relay=b.example").Location
	u, err := url.Parse(location)
	if err != nil || u.Host != "example.com" {
		t.Fatalf("%s: %v", location, err)
	}
	fetch := func(query, ranges string) (int, string) {
		req := httptest.NewRequest("GET", ours.URL+u.Path+"?"+query, nil)
		req.RequestURI = ""
		if ranges != "" {
			req.Header.Set("Range", ranges)
		}
		return do(t, req)
	}
	if status, body := fetch(u.RawQuery, ""); status != 200 || body != ciphertext {
		t.Fatalf("%d, %d bytes", status, len(body))
	}
	if status, body := fetch(u.RawQuery, "bytes=1000000-"); status != 206 || body != ciphertext[1000000:] {
		t.Errorf("%d, %d bytes", status, len(body))
	}
	if status, _ := fetch(u.RawQuery, "bytes=99000000-"); status != 416 {
		t.Errorf("%d", status)
	}
	for _, query := range []string{"", "until=99999999999&key=00", strings.Replace(u.RawQuery, "until=1", "until=9", 1), strings.Replace(u.RawQuery, "for=", "for=x", 1)} {
		if status, _ := fetch(query, ""); status != 404 {
			t.Errorf("%s: %d, want 404", query, status)
		}
	}
	a.clock.add(61 * time.Minute)
	if status, _ := fetch(u.RawQuery, ""); status != 404 {
		t.Errorf("an hour later: %d, want 404", status)
	}
	a.want(alice, "GET", "/v1/attachments/"+strconv.Itoa(1<<40)+"?relay=b.example", nil, 404, "")
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

// A peer that is down: the sender is told, and when; nothing is acknowledged and nothing kept. When it is back the same message goes through.
func TestPeerThatIsDown(t *testing.T) {
	a, b := newEnd(t, "a.example"), newEnd(t, "b.example")
	var up atomic.Bool
	a.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !up.Load() {
			return nil, syscall.ECONNREFUSED
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	a.run(t, 0, nil, b.as(t, ""))
	b.run(t, 0, nil, a.as(t, ""))
	a.register(alice)
	b.register(carol)
	path, m := "/v1/messages/"+carol+"@b.example", message(7, [2]uint32{1, 5})
	for range 5 { // after three tries it is left alone
		rec := a.call(alice, "PUT", path, m)
		if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || rec.Body.String() != `{"error":"the server b.example does not answer; keep the message and try again"}` {
			t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
		}
	}
	a.want(alice, "GET", "/v2/keys/"+carol+"/*?relay=b.example", nil, 503, "")
	a.want(alice, "GET", "/v1/attachments/5?relay=b.example", nil, 503, "")
	a.want(alice, "PUT", "/v1/messages/"+alice, message(8), 200, "") // those here write to each other
	up.Store(true)
	a.want(alice, "PUT", path, m, 503, "") // nobody tries so soon
	a.clock.add(10 * time.Second)
	a.want(alice, "PUT", path, m, 200, "")
	if q := get[api.Queued](b.world, carol, "/v1/messages"); len(q.Messages) != 1 || q.Messages[0].Timestamp != 7 {
		t.Errorf("%+v", q)
	}
}

// cut is a Local that has the first message, and then breaks the connection instead of answering.
type cut struct {
	federation.Local
	once sync.Once
}

func (l *cut) PeerMessage(ctx context.Context, peer string, from federation.From, destination string, m api.Messages) error {
	err := l.Local.PeerMessage(ctx, peer, from, destination, m)
	l.once.Do(func() { panic(http.ErrAbortHandler) })
	return err
}

// The answer is lost on the way: the sender is told that nothing is known, and sends again. It has the same id, by which the client drops it; a
// message that was encrypted anew has another, but the same source and timestamp.
func TestLostAnswerIsNoSecondMessage(t *testing.T) {
	a, b := newEnd(t, "a.example"), newEnd(t, "b.example")
	b.local = func(l federation.Local) federation.Local { return &cut{Local: l} }
	a.run(t, 0, nil, b.as(t, ""))
	b.run(t, 0, nil, a.as(t, ""))
	a.register(alice)
	b.register(carol)
	path, m := "/v1/messages/"+carol+"@b.example", message(7, [2]uint32{1, 5})
	a.want(alice, "PUT", path, m, 503, "")
	a.want(alice, "PUT", path, m, 200, "")
	m.Messages[0].Content = api.Bytes("encrypted anew")
	a.want(alice, "PUT", path, m, 200, "")
	q := get[api.Queued](b.world, carol, "/v1/messages").Messages
	if len(q) != 3 || q[0].GUID == "" || q[0].GUID != q[1].GUID || q[0].GUID == q[2].GUID {
		t.Fatalf("%+v", q)
	}
	for _, e := range q {
		if e.Source != alice || e.SourceDevice != 1 || e.Relay != "a.example" || e.Timestamp != 7 {
			t.Errorf("%+v", e)
		}
	}
}

// A peer speaks for its own users: not for ours, and not for another peer's.
func TestForgedSource(t *testing.T) {
	a, b := newPair(t)
	a.register(bob)
	evil, _ := b.node.Remote("a.example")
	m := message(1, [2]uint32{1, 5})
	if err := evil.Send(t.Context(), federation.From{Number: bob, Device: 1}, alice, m); !refusedWith(err, 400) {
		t.Errorf("a message of a user here, from elsewhere: %v, want a refusal", err)
	}
	if err := evil.Receipt(t.Context(), federation.From{Number: bob, Device: 1}, alice, 5); !refusedWith(err, 400) {
		t.Errorf("a receipt of a user here, from elsewhere: %v, want a refusal", err)
	}
	m.Relay, m.Messages[0].Relay = "c.example", "c.example"
	if err := evil.Send(t.Context(), federation.From{Number: carol, Device: 1}, alice, m); err != nil {
		t.Fatal(err)
	}
	m.Messages[0].Type = 5
	if err := evil.Send(t.Context(), federation.From{Number: carol, Device: 1}, alice, m); !refusedWith(err, 400) {
		t.Errorf("a forged receipt: %v", err)
	}
	q := get[api.Queued](a.world, alice, "/v1/messages").Messages
	if len(q) != 1 || q[0].Relay != "b.example" || q[0].Source != carol {
		t.Errorf("%+v", q)
	}
	b.want(carol, "PUT", "/v1/messages/"+alice, message(3, [2]uint32{1, 5}), 404, "") // a relay is needed: Alice is not there
}

func refusedWith(err error, status int) bool {
	var r *endpoint.Refusal
	return errors.As(err, &r) && r.Status == status
}

// A flood of a peer fills half of a queue and no more, and uses up no more prekeys than one can make; users here are not harmed.
func TestFloodOfAPeer(t *testing.T) {
	a, b := newPair(t)
	a.register(bob)
	evil, _ := b.node.Remote("a.example")
	passed, last := 0, error(nil)
	for n := range 1200 {
		from := federation.From{Number: "+1999555" + strconv.Itoa(1000+n), Device: 1} // as many users as it likes
		if last = evil.Send(t.Context(), from, alice, message(uint64(n+1), [2]uint32{1, 5})); last == nil {
			passed++
		}
		if n%100 == 0 {
			a.clock.add(time.Minute) // what its limits per user here would let through
		}
	}
	if passed != peerShare || !refusedWith(last, 429) {
		t.Errorf("%d messages passed, want %d; the last got %v", passed, peerShare, last)
	}
	a.want(bob, "PUT", "/v1/messages/"+alice, message(5, [2]uint32{1, 5}), 200, "")
	if err := evil.Receipt(t.Context(), federation.From{Number: carol, Device: 1}, alice, 5); !refusedWith(err, 429) {
		t.Errorf("receipts fill it, too: %v", err)
	}
	fetched := 0
	for range 200 {
		if _, err := evil.Keys(t.Context(), alice, "*"); err == nil {
			fetched++
		}
	}
	if fetched > 40 {
		t.Errorf("%d prekeys fetched at once, want about 30 at most", fetched)
	}
}

// A peer that answers nothing holds up only those who write to it.
func TestFrozenPeerHarmsNobodyElse(t *testing.T) {
	a, b := newEnd(t, "a.example"), newEnd(t, "b.example") // b accepts connections, by its kernel, and never answers
	a.run(t, 300*time.Millisecond, nil, b.as(t, ""))
	a.register(alice)
	a.register(bob)
	var group sync.WaitGroup
	for n := range 40 {
		group.Go(func() {
			if rec := a.call(alice, "PUT", "/v1/messages/"+carol+"@b.example", message(uint64(n+1), [2]uint32{1, 5})); rec.Code != 503 {
				t.Errorf("%d", rec.Code)
			}
		})
		group.Go(func() { a.want(bob, "PUT", "/v1/messages/"+alice, message(uint64(n+1), [2]uint32{1, 5}), 200, "") })
	}
	group.Wait()
}

// Nothing of what peers do says who: neither the log nor the metrics.
func TestFederationNamesNobody(t *testing.T) {
	a, b := newPair(t)
	a.want(alice, "PUT", "/v1/messages/"+carol+"@b.example", message(7, [2]uint32{1, 5}), 200, "")
	a.want(alice, "GET", "/v2/keys/"+carol+"/*?relay=b.example", nil, 200, "")
	for _, e := range []*end{a, b} {
		rec := httptest.NewRecorder()
		e.server.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		for what, text := range map[string]string{"metrics": rec.Body.String(), "log": e.log.String()} {
			if strings.Contains(text, "1415555") || strings.Contains(text, "127.0.0.1") {
				t.Errorf("the %s of %s name somebody:\n%s", what, e.name, text)
			}
		}
		if want := `messengerd_federation_requests_total{direction=`; !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// Between two people who are both connected a message and its receipt cross two servers and touch the disk of neither.
func TestOnlineMessagesOfTwoServersWriteNothing(t *testing.T) {
	a, b := newPair(t)
	from, to := a.connect(a.listen(), alice), b.connect(b.listen(), carol)
	a.live(alice)
	b.live(carol)
	exchange := func(n int) {
		t.Helper()
		body := mustJSON(message(uint64(n+1), [2]uint32{1, 5}))
		got := make(chan wire.Envelope, 1)
		go func() { got <- to.envelope(200) }()
		if r := from.tunnel("PUT", "/v1/messages/"+carol+"@b.example", body); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if e := <-got; e.Relay != "a.example" || e.Source != alice || e.Timestamp != uint64(n+1) {
			t.Fatalf("%+v", e)
		}
		if e := from.envelope(200); e.Type != wire.EnvelopeReceipt || e.Relay != "b.example" || e.Source != carol || e.Timestamp != uint64(n+1) {
			t.Fatalf("%+v", e)
		}
	}
	const many = 20
	flowing(t, func() { exchange(many) }, a.world, b.world)
	before := [2]store.Stats{a.store.Stats(), b.store.Stats()}
	for n := range many {
		exchange(n)
	}
	for i, e := range []*end{a, b} {
		if after := e.store.Stats(); after.Bytes != before[i].Bytes || after.Enqueued != before[i].Enqueued {
			t.Errorf("%s wrote %d bytes and queued %d envelopes", e.name, after.Bytes-before[i].Bytes, after.Enqueued-before[i].Enqueued)
		}
	}
}
