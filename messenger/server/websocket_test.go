package server

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/wire"
)

func TestWebsocketLogin(t *testing.T) {
	w := newWorld(t, nil)
	second := w.link(w.register(alice), 6)
	srv := w.listen()
	for _, c := range []struct {
		login, password string
		status          int
	}{
		{alice, password, 101}, {strings.Replace(alice, "+", "%2B", 1), password, 101}, {second, password, 101},
		{alice, "wrong password again", 403}, {"+14155550099", password, 403}, {alice + ".7", password, 403}, {"", "", 401},
	} {
		ws, resp, err := websocket.DefaultDialer.Dial(socketURL(srv, c.login, c.password), nil)
		if resp == nil || resp.StatusCode != c.status || (err == nil) != (c.status == 101) {
			t.Errorf("%s: %v, %v, want %d", c.login, resp, err, c.status)
		}
		if ws != nil {
			ws.Close()
		}
	}
	dial(w, "ws"+strings.TrimPrefix(srv.URL, "http")+"/v1/websocket", w.request(alice, "GET", "/", nil).Header) // today's clients
	if rec := w.call(alice, "GET", "/v1/websocket", nil); rec.Code != 400 && rec.Code != 426 {
		t.Errorf("without upgrade: %d", rec.Code)
	}
}

func TestTunnelledRequests(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	a := w.connect(w.listen(), alice)
	for _, c := range []struct {
		verb, path, body string
		status           uint32
		want             string
	}{
		{"GET", "/v1/keepalive", "", 200, ""},
		{"GET", "/v3/account", "", 200, `{"number":"` + alice + `","account":"#1","deviceId":1}`},
		{"PUT", "/v1/messages/" + bob, `{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":"eA"}],"timestamp":5}`, 200, `{"needsSync":false}`},
		{"PUT", "/v1/messages/" + bob, `{"messages":[],"timestamp":5}`, 409, `{"missingDevices":[1],"extraDevices":[]}`},
		{"PUT", "/v1/messages/" + bob + "/", "{", 422, `{"error":"the body is not the JSON wanted here: unexpected end of JSON input"}`},
		{"GET", "no slash", "", 400, ""},
		{"GET", "/nowhere", "", 404, "404 page not found\n"},
		{"GET", "/v3/blobs/5", "", 404, `{"error":"not through a websocket"}`},
		{"GET", "/v1/websocket", "", 404, `{"error":"not through a websocket"}`},
	} {
		r := a.tunnel(c.verb, c.path, c.body)
		if r.Status != c.status || string(r.Body) != c.want || r.Message == "" {
			t.Errorf("%s %s: %d %q %s, want %d %s", c.verb, c.path, r.Status, r.Message, r.Body, c.status, c.want)
		}
	}
	// The Go peer's keepalive has no id; it is answered with id 0.
	a.write(wire.Frame{Request: &wire.Request{Verb: "GET", Path: "/v1/keepalive"}})
	if r := a.read().Response; r == nil || r.ID != 0 || r.Status != 200 {
		t.Errorf("%+v", r)
	}
	// Attachment locations name the host the websocket came to.
	if r := a.tunnel("GET", "/v1/attachments", ""); !strings.Contains(string(r.Body), `"location":"http://127.0.0.1:`) {
		t.Errorf("%s", r.Body)
	}
}

func TestDelivery(t *testing.T) {
	w := newWorld(t, nil)
	key, err := signaling.NewKey(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	w.register(alice)
	w.register(bob)
	srv := w.listen()
	send := func(timestamp uint64) {
		t.Helper()
		w.want(bob, "PUT", "/v1/messages/"+alice, message(timestamp, [2]uint32{1, 5}), 200, "")
	}
	// The backlog comes in order; what is not acknowledged stays, and comes again with the same id.
	for n := uint64(1); n <= 3; n++ {
		send(n)
	}
	a := w.connect(srv, alice)
	if e := a.envelope(200); e.Timestamp != 1 || e.Source != bob || e.SourceDevice != 1 || string(e.Content) != "ciphertext" || e.ServerGUID == "" || e.ServerTimestamp == 0 {
		t.Fatalf("%+v", e)
	}
	second := a.envelope(0)
	a.envelope(200)
	a.ws.Close()
	w.eventually("two are gone from the queue", func() bool {
		n, _, err := w.store.Depth(t.Context(), w.device(alice).Key)
		return err == nil && n == 1
	})
	a = w.connect(srv, alice)
	if again := a.envelope(200); again.ServerGUID != second.ServerGUID || again.Timestamp != 2 {
		t.Fatalf("%+v, want again %+v", again, second)
	}
	w.eventually("the queue is empty", func() bool {
		return len(get[api.Queued](w, alice, "/v1/messages").Messages) == 0
	})
	// Bob, who was away, has the receipts in his queue.
	b := w.connect(srv, bob)
	got := map[uint64]bool{}
	for range 3 {
		e := b.envelope(200)
		if e.Type != wire.EnvelopeReceipt || e.Source != alice || e.SourceDevice != 1 {
			t.Fatalf("%+v", e)
		}
		got[e.Timestamp] = true
	}
	if !got[1] || !got[2] || !got[3] {
		t.Errorf("receipts for %v", got)
	}
	// With a signaling key, envelopes come encrypted, from the next one on.
	w.want(alice, "PUT", "/v1/accounts/attributes", api.AccountAttributes{RegistrationID: 5, FetchesMessages: true, SignalingKey: key[:]}, 204, "-")
	answered := w.meanwhile(bob, alice, message(4, [2]uint32{1, 5}))
	r := a.request()
	plain, err := key.Open(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := wire.ParseEnvelope(plain); err != nil || e.Timestamp != 4 {
		t.Fatalf("%+v, %v", e, err)
	}
	a.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
	answered()
	if e := b.envelope(200); e.Type != wire.EnvelopeReceipt || e.Timestamp != 4 {
		t.Fatalf("%+v", e)
	}
	// Who wants no receipt gets none.
	m := message(5, [2]uint32{1, 5})
	m.NoReceipt = true
	for _, m := range []api.Messages{m, message(6, [2]uint32{1, 5})} {
		answered = w.meanwhile(bob, alice, m)
		r = a.request()
		a.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
		answered()
	}
	if e := b.envelope(200); e.Timestamp != 6 {
		t.Errorf("a receipt for %d", e.Timestamp)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestDisplacedAndDisconnected(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	second := w.link(p, 6)
	srv := w.listen()
	first := w.connect(srv, alice)
	w.live(alice)
	again := w.connect(srv, alice)
	if code := first.closed(); code != 4409 {
		t.Errorf("displaced with %d, want 4409", code)
	}
	two := w.connect(srv, second)
	if r := two.tunnel("GET", "/v1/keepalive", ""); r.Status != 200 {
		t.Errorf("%+v", r)
	}
	w.want(alice, "DELETE", "/v1/devices/2", nil, 204, "-")
	if code := two.closed(); code != websocket.ClosePolicyViolation {
		t.Errorf("removed with %d", code)
	}
	if r := again.tunnel("GET", "/v1/keepalive", ""); r.Status != 200 {
		t.Errorf("the other device lost its connection: %+v", r)
	}
}

// On another server a removed device is noticed when it next asks for anything.
func TestKeepaliveEndsLostSubscriptions(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	second := w.link(p, 6)
	two := w.connect(w.listen(), second)
	w.live(second)
	a, err := w.store.Account(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.RemoveDevice(t.Context(), a.Key, 2); err != nil {
		t.Fatal(err)
	}
	if r := two.tunnel("GET", "/v1/keepalive", ""); r.Status != 401 {
		t.Errorf("%+v", r)
	}
	if code := two.closed(); code != websocket.ClosePolicyViolation {
		t.Errorf("closed with %d", code)
	}
}

func TestQueueEmptyIsToldToWhoAsks(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	w.want(bob, "PUT", "/v1/messages/"+alice, message(1, [2]uint32{1, 5}), 200, "")
	a := dial(w, socketURL(w.listen(), alice, password), http.Header{"X-Queue-Empty": {"true"}})
	a.envelope(200)
	if r := a.request(); r.Verb != "PUT" || r.Path != "/api/v1/queue/empty" || len(r.Body) != 0 {
		t.Errorf("%+v", r)
	}
}

// 10,000 messages between devices that are online write nothing (design 9): the store's own counters say so.
func TestOnlineMessagesWriteNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LimitFactor = 0; c.Socket.PerSecond, c.Socket.Burst = 1e9, 1e9 })
	const pairs, each = 10, 1000
	srv := w.listen()
	var senders []*client
	var received, receipts atomic.Int64
	numbers := func(n int) (string, string) { return "+1415555" + four(1000+n), "+1415555" + four(2000+n) }
	for n := range pairs {
		from, to := numbers(n)
		w.register(from)
		w.register(to)
		senders = append(senders, w.connect(srv, from))
		go w.connect(srv, to).acknowledgeAll(&received)
	}
	var warm atomic.Int64
	for n, c := range senders {
		from, to := numbers(n)
		w.live(from)
		w.live(to)
		flowing(t, func() { c.sendMany(to, 1, &warm) }, w)
	}
	before, early := w.store.Stats(), received.Load()
	var group sync.WaitGroup
	for n, c := range senders {
		_, to := numbers(n)
		group.Go(func() { c.sendMany(to, each, &receipts) })
	}
	group.Wait()
	w.eventually("all receipts", func() bool { return receipts.Load() == pairs*each })
	after := w.store.Stats()
	if after.Bytes != before.Bytes || after.Commits != before.Commits || after.Enqueued != before.Enqueued {
		t.Errorf("%d messages wrote %d bytes in %d commits, %d envelopes were queued; want nothing", received.Load(), after.Bytes-before.Bytes, after.Commits-before.Commits, after.Enqueued-before.Enqueued)
	}
	if n := received.Load() - early; n != pairs*each {
		t.Errorf("%d messages came, want %d", n, pairs*each)
	}
}

func four(n int) string {
	return string([]byte{'0' + byte(n/1000%10), '0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)})
}

// sendMany sends n messages through the websocket, one after another, and acknowledges what comes meanwhile until there were n receipts.
func (c *client) sendMany(to string, n int, receipts *atomic.Int64) {
	body := `{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":"eA"}],"timestamp":5}`
	sent, answered, got := 0, 0, 0
	for answered < n || got < n {
		if sent == answered && sent < n {
			sent++
			c.write(wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/messages/" + to, Body: []byte(body), ID: uint64(sent)}})
		}
		f := c.read()
		switch {
		case f.Response != nil && f.Response.Status == 200:
			answered++
		case f.Response != nil:
			c.Errorf("%d %s", f.Response.Status, f.Response.Body)
			return
		default:
			got++
			receipts.Add(1)
			c.write(wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: 200}})
		}
	}
}

// Drain under load: every answered message is either acknowledged by its device or in its queue, and clients are told to come again.
func TestDrainLosesNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LimitFactor = 0; c.Socket.PerSecond, c.Socket.Burst = 1e9, 1e9 })
	w.register(alice)
	w.register(bob)
	srv := w.listen()
	a, b := w.connect(srv, alice), w.connect(srv, bob)
	w.live(alice)
	w.live(bob)
	seen := make(chan map[uint64]bool)
	go func() { // alice acknowledges everything she gets
		got := map[uint64]bool{}
		for {
			_, m, err := a.ws.ReadMessage()
			if err != nil {
				if e, ok := err.(*websocket.CloseError); !ok || e.Code != websocket.CloseServiceRestart {
					t.Errorf("alice's connection ended with %v, want 1012", err)
				}
				seen <- got
				return
			}
			f, _ := wire.ParseFrame(m)
			if f.Request != nil {
				e, _ := wire.ParseEnvelope(f.Request.Body)
				got[e.Timestamp] = true
				_ = a.ws.WriteMessage(websocket.BinaryMessage, wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: 200}}.Append(nil))
			}
		}
	}()
	answered := make(chan []uint64)
	started := make(chan struct{})
	go func() { // bob sends until he is told to stop
		var ok []uint64
		for n := uint64(1); ; n++ {
			body := mustJSON(message(n, [2]uint32{1, 5}))
			if b.ws.WriteMessage(websocket.BinaryMessage, wire.Frame{Request: &wire.Request{Verb: "PUT", Path: "/v1/messages/" + alice, Body: []byte(body), ID: n}}.Append(nil)) != nil {
				answered <- ok
				return
			}
			for waiting := true; waiting; {
				_, m, err := b.ws.ReadMessage()
				if err != nil {
					answered <- ok
					return
				}
				f, _ := wire.ParseFrame(m)
				switch {
				case f.Response != nil && f.Response.ID == n && f.Response.Status == 200:
					ok, waiting = append(ok, n), false
				case f.Request != nil: // a receipt
					_ = b.ws.WriteMessage(websocket.BinaryMessage, wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: 200}}.Append(nil))
				}
			}
			if n == 200 {
				close(started)
			}
		}
	}()
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.server.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	got, ok := <-seen, <-answered
	after, queued := int64(0), 0
	for {
		page, err := w.store.Page(t.Context(), w.device(alice).Key, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			e, err := envelopeOf(s)
			if err != nil {
				t.Fatal(err)
			}
			got[e.Timestamp] = true
			queued++
			after = s.ID
		}
	}
	for _, n := range ok {
		if !got[n] {
			t.Errorf("message %d was answered for and is lost", n)
		}
	}
	if len(ok) < 200 {
		t.Errorf("only %d messages were answered", len(ok))
	}
	t.Logf("%d answered, %d in the queue", len(ok), queued)
	if rec := w.call("", "GET", "/ready", nil); rec.Code != 503 || rec.Body.String() != `{"status":"draining","version":"1.4.0"}` {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if _, resp, err := websocket.DefaultDialer.Dial(socketURL(srv, alice, password), nil); err == nil || resp.StatusCode != 503 {
		t.Errorf("a draining server took a connection: %v", resp)
	}
}

func TestProvisioning(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	srv := w.listen()
	base := "ws" + strings.TrimPrefix(srv.URL, "http")
	d := dial(w, base+"/v1/websocket/provisioning/", nil)
	r := d.request()
	address, err := wire.ParseProvisionAddress(r.Body)
	if r.Verb != "PUT" || r.Path != "/v1/address" || err != nil || len(address) != 22 {
		t.Fatalf("%+v %v", r, err)
	}
	d.write(wire.Frame{Response: &wire.Response{ID: r.ID, Status: 200}})
	if r := d.tunnel("GET", "/v1/keepalive/provisioning", ""); r.Status != 200 {
		t.Errorf("%+v", r)
	}
	if r := d.tunnel("GET", "/v1/devices", ""); r.Status != 401 {
		t.Errorf("a stranger's request: %+v", r)
	}
	w.want("", "PUT", "/v1/provisioning/"+string(address), api.Provision{Body: api.Bytes("envelope")}, 401, "")
	w.want(alice, "PUT", "/v1/provisioning/nobody", api.Provision{Body: api.Bytes("envelope")}, 404, "")
	w.want(alice, "PUT", "/v1/provisioning/"+string(address), api.Provision{}, 422, "")
	status := make(chan int)
	go func() {
		status <- w.call(alice, "PUT", "/v1/provisioning/"+string(address), api.Provision{Body: api.Bytes("envelope")}).Code
	}()
	m := d.request()
	if m.Path != "/v1/message" || string(m.Body) != "envelope" {
		t.Fatalf("%+v", m)
	}
	d.write(wire.Frame{Response: &wire.Response{ID: m.ID, Status: 200}})
	if s := <-status; s != 204 {
		t.Errorf("the master was told %d", s)
	}
	if code := d.closed(); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d, want 1001", code)
	}
	w.want(alice, "PUT", "/v1/provisioning/"+string(address), api.Provision{Body: api.Bytes("again")}, 404, "")
}

// late is a router that takes its time to register.
type late struct{ route.Router }

func (l late) Register(key route.Key, epoch int64, live route.Live) (func(), error) {
	time.Sleep(50 * time.Millisecond)
	return l.Router.Register(key, epoch, live)
}

// Whoever knows an address reaches the device that waits there, however soon: it is told its address when it can be reached.
func TestAddressIsToldWhenReachable(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Router = late{c.Router} })
	w.register(alice)
	d := dial(w, "ws"+strings.TrimPrefix(w.listen().URL, "http")+"/v1/websocket/provisioning/", nil)
	address, err := wire.ParseProvisionAddress(d.request().Body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		m := d.request()
		d.write(wire.Frame{Response: &wire.Response{ID: m.ID, Status: 200}})
	}()
	w.want(alice, "PUT", "/v1/provisioning/"+string(address), api.Provision{Body: api.Bytes("envelope")}, 204, "-")
}

// absent is a presence in which arrivals wait.
type absent struct {
	deliver.Alone
	came, enter chan struct{}
}

func (a *absent) Arrive(ctx context.Context, d store.DeviceKey, p store.Place) (store.Place, error) {
	close(a.came)
	<-a.enter
	return a.Alone.Arrive(ctx, d, p)
}

// A device that goes while it is still being attached has not gone before that is over, and leaves nothing.
func TestGoneWhileConnecting(t *testing.T) {
	presence := &absent{came: make(chan struct{}), enter: make(chan struct{})}
	w := newWorld(t, func(c *Config) {
		c.Hub = deliver.NewHub(c.Store, presence, c.Router, c.Now, deliver.Options{Poll: -1, Lease: lease})
	})
	w.register(alice)
	a := w.connect(w.listen(), alice)
	<-presence.came
	c := w.server.live.of(w.device(alice).Key)
	a.ws.Close()
	w.eventually("the server has noticed", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.half })
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.server.Drain(now); err == nil {
		t.Error("drained, though a device is being attached")
	}
	close(presence.enter)
	if err := w.server.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if there, err := presence.Where(t.Context(), []store.DeviceKey{c.device()}, w.clock.Now()); err != nil || len(there) != 0 {
		t.Errorf("still present: %v, %v", there, err)
	}
}

// The seed gist's socket: texts, once, no acknowledgement (10.2).
func TestTempWebsocket(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	d := dial(w, "ws"+strings.TrimPrefix(w.listen().URL, "http")+"/v1/temp_websocket", nil)
	var u api.TempUUID
	if err := d.ws.ReadJSON(&u); err != nil || u.UUID == "" {
		t.Fatalf("%+v, %v", u, err)
	}
	w.want(alice, "PUT", "/v1/messages/"+u.UUID, `{"messages":[{"type":5,"body":"ZW52ZWxvcGU="}],"relay":"this.server"}`, 200, "")
	var m api.TempMessage
	if err := d.ws.ReadJSON(&m); err != nil || m.Message != "ZW52ZWxvcGU=" {
		t.Fatalf("%+v, %v", m, err)
	}
	if code := d.closed(); code != websocket.CloseNormalClosure {
		t.Errorf("closed with %d", code)
	}
	w.want(alice, "PUT", "/v1/messages/"+u.UUID, `{"messages":[{"type":5,"body":"ZW52ZWxvcGU="}]}`, 404, "")
}

// Strangers who open sockets are few per source, and cannot use up memory.
func TestFloodOfNewcomers(t *testing.T) {
	w := newWorld(t, nil)
	srv := w.listen()
	codes := map[int]int{}
	for range 40 {
		ws, resp, _ := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/v1/websocket/provisioning", nil)
		if resp != nil {
			codes[resp.StatusCode]++
		}
		if ws != nil {
			defer ws.Close()
		}
	}
	if codes[101] != 30 || codes[413] != 10 {
		t.Errorf("%v, want 30 connections", codes)
	}
}

func TestTooManyWebsockets(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxSockets = 1 })
	w.register(alice)
	w.register(bob)
	srv := w.listen()
	w.connect(srv, alice)
	w.live(alice)
	if _, resp, err := websocket.DefaultDialer.Dial(socketURL(srv, bob, password), nil); err == nil || resp.StatusCode != 503 {
		t.Errorf("%v", resp)
	}
}
