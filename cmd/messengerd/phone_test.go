//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/wire"
)

// phone is a client that keeps a websocket to one of several servers, sends one message after another, and notes all in a ledger.
type phone struct {
	number string
	to     []string // recipients, in turn
	ledger *ledger
	home   atomic.Int32 // index of the server it tries first
	where  func(try int) (address string)
	coy    bool // goes away now and then, so that its messages wait in the queue
	asleep bool // sends nothing, and does not notice when its server is silent
	// giveUp is how long it waits for the answer to a request before it goes to another server: long, unless there is one that is silent.
	giveUp time.Duration

	quiet    atomic.Bool  // sends nothing any more
	restarts atomic.Int64 // close frames that said: come again
	moves    atomic.Int64 // connections
	slow     atomic.Int64 // sends that took as long as the server's patience with a device, which is 1.5 s
	all      atomic.Int64 // sends that were answered with success

	mu sync.Mutex
	ws *websocket.Conn // mu
}

// register makes an account that can be written to, with the code the development verifier shows.
func (r *running) register(number string) {
	r.o.Helper()
	code, body := r.request("http", "", "GET", "/v1/accounts/dev/code/"+number, "")
	if code != 200 {
		r.o.Fatalf("%d %s", code, body)
	}
	if code, body := r.request("http", number, "PUT", "/v1/accounts/code/"+body, "{"+attributes); code != 204 {
		r.o.Fatalf("%d %s", code, body)
	}
	identity, err := keys.Generate(rand.Reader)
	if err != nil {
		r.o.Fatal(err)
	}
	if code, body := r.request("http", number, "PUT", "/v2/keys", r.prekeys(identity, 0)); code != 204 {
		r.o.Fatalf("%d %s", code, body)
	}
}

func signedPreKey(t testing.TB, identity *keys.Private) *api.SignedPreKey {
	t.Helper()
	one, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := handshake.SignPrekey(identity, 1, one.Public(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &api.SignedPreKey{KeyID: 1, PublicKey: signed.Key.Bytes(), Signature: signed.Signature[:]}
}

// phones registers n accounts in a ring: each writes to the next.
func (r *running) phones(n int, l *ledger, where func(p *phone, try int) string) []*phone {
	r.o.Helper()
	list := make([]*phone, n)
	for i := range list {
		list[i] = &phone{number: fmt.Sprintf("+1415555%04d", i), ledger: l, giveUp: patience}
		list[i].where = func(try int) string { return where(list[i], try) }
		r.register(list[i].number)
	}
	for i, p := range list {
		p.to = []string{list[(i+1)%n].number}
	}
	return list
}

// start runs phones until the test or stop ends them.
func start(t testing.TB, phones []*phone) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, p := range phones {
		running.Go(func() { p.run(ctx) })
	}
	stop = func() {
		cancel()
		for _, p := range phones {
			p.hangUp()
		}
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// hush makes phones stop to send; they go on receiving.
func hush(phones []*phone) {
	for _, p := range phones {
		p.quiet.Store(true)
	}
}

func (p *phone) run(ctx context.Context) {
	for try := 0; ctx.Err() == nil; try++ {
		if p.connected(ctx, p.where(try)) {
			try = -1
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// connected is one connection, from its beginning to its end. It returns whether there was one.
func (p *phone) connected(ctx context.Context, address string) bool {
	dialer := websocket.Dialer{HandshakeTimeout: p.giveUp}
	u := "ws://" + address + "/v1/websocket/?login=" + url.QueryEscape(p.number) + "&password=" + url.QueryEscape(passphrase)
	ws, resp, err := dialer.DialContext(ctx, u, nil)
	if err != nil {
		if resp != nil {
			p.ledger.refuse(fmt.Sprintf("websocket: %d", resp.StatusCode))
		}
		return false
	}
	defer ws.Close()
	p.mu.Lock()
	p.ws = ws
	p.mu.Unlock()
	p.moves.Add(1)
	c := &call{phone: p, ws: ws, answers: make(chan *wire.Response, 1), gone: make(chan struct{})}
	go c.read()
	c.talk(ctx)
	ws.Close()
	<-c.gone
	return true
}

// hangUp ends the connection there is.
func (p *phone) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ws != nil {
		p.ws.Close()
	}
}

// call is a phone's connection.
type call struct {
	*phone
	ws      *websocket.Conn
	answers chan *wire.Response
	gone    chan struct{} // closed when the reader has ended
	writing sync.Mutex
	got     atomic.Int64
}

func (c *call) write(f wire.Frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.giveUp))
	return c.ws.WriteMessage(websocket.BinaryMessage, f.Append(nil))
}

// read notes what comes, acknowledges it, and hands over answers.
func (c *call) read() {
	defer close(c.gone)
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			if e := new(websocket.CloseError); errors.As(err, &e) && e.Code == websocket.CloseServiceRestart {
				c.restarts.Add(1)
			}
			return
		}
		f, err := wire.ParseFrame(b)
		if err != nil {
			c.ledger.refuse(err.Error())
			return
		}
		if f.Response != nil {
			c.answers <- f.Response
			continue
		}
		if f.Request.Path == "/api/v1/message" {
			e, err := wire.ParseEnvelope(f.Request.Body)
			if err != nil {
				c.ledger.refuse(err.Error())
				return
			}
			c.ledger.bring(key{e.Source, e.Timestamp}, c.number, e.ServerGUID)
			c.got.Add(1)
		}
		if c.write(wire.Frame{Response: &wire.Response{ID: f.Request.ID, Status: 200, Message: "OK"}}) != nil {
			return
		}
	}
}

// talk sends one message after another, each when the one before was answered; a quiet phone says every second that it is there.
func (c *call) talk(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		if c.coy && !c.quiet.Load() && c.got.Load() > 50 {
			c.ws.Close() // in the middle of what comes
			time.Sleep(200 * time.Millisecond)
			return
		}
		if c.asleep {
			<-c.gone
			return
		}
		if !c.quiet.Load() {
			if !c.send(c.to[n%len(c.to)]) {
				return
			}
			continue
		}
		if c.ask("GET", "/v1/keepalive", "") == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-c.gone:
			return
		case <-time.After(time.Second):
		}
	}
}

// send sends one message, and says whether the connection can go on.
func (c *call) send(to string) bool {
	k := key{c.number, c.ledger.timestamp()}
	body := fmt.Sprintf(`{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":%q}],"timestamp":%d,"noReceipt":true}`, text, k.timestamp)
	began := time.Now()
	r := c.ask("PUT", "/v1/messages/"+to, body)
	if r == nil {
		return false
	}
	if r.Status != 200 {
		c.ledger.refuse(fmt.Sprintf("%d %.80s", r.Status, r.Body))
		time.Sleep(20 * time.Millisecond) // as a client does that was told to wait
		return true
	}
	if time.Since(began) >= 1500*time.Millisecond {
		c.slow.Add(1)
	}
	c.all.Add(1)
	c.ledger.promise(k, to)
	return true
}

// text is what all of them say: 600 bytes of ciphertext.
var text = strings.Repeat("QUJD", 200)

var lastID atomic.Uint64

// ask sends a request and returns its answer, or nil when the connection is of no use any more.
func (c *call) ask(verb, path, body string) *wire.Response {
	id := lastID.Add(1)
	if c.write(wire.Frame{Request: &wire.Request{Verb: verb, Path: path, Body: []byte(body), ID: id}}) != nil {
		return nil
	}
	timer := time.NewTimer(c.giveUp)
	defer timer.Stop()
	select {
	case r := <-c.answers:
		return c.check(r, id)
	case <-c.gone:
		select {
		case r := <-c.answers: // the last that was said
			return c.check(r, id)
		default:
		}
	case <-timer.C:
		c.ledger.refuse("no answer: " + verb)
	}
	return nil
}

func (c *call) check(r *wire.Response, id uint64) *wire.Response {
	if r.ID != id {
		c.ledger.refuse(fmt.Sprintf("answer %d to request %d", r.ID, id))
		return nil
	}
	return r
}

// post sends a message by plain HTTP, and returns the status.
func (r *running) post(from, to string, timestamp uint64) (int, string) {
	r.o.Helper()
	return r.request("http", from, http.MethodPut, "/v1/messages/"+to,
		fmt.Sprintf(`{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":5,"content":%q}],"timestamp":%d,"noReceipt":true}`, text, timestamp))
}

// atomicText is where a server is just now.
type atomicText struct{ p atomic.Pointer[string] }

func (a *atomicText) set(s string) { a.p.Store(&s) }
func (a *atomicText) get() string  { return *a.p.Load() }
