package federation

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
)

const sendPath = "/v1/federation/messages/" + carol + "/1/" + alice

// A peer is known by its key alone; what it says of relays is cleared.
func TestThePeerIsWhoseKeyItIs(t *testing.T) {
	h := newHouse(t, "")
	body := `{"messages":[{"type":1,"destinationDeviceId":1,"relay":"good"}],"timestamp":5,"relay":"ours"}`
	if status, text := h.ask(h.as(h.evil), "PUT", sendPath, body); status != 200 {
		t.Fatal(status, text)
	}
	if status, text := h.ask(h.as(h.good), "PUT", "/v1/federation/receipt/"+carol+"/2/"+alice+"/9", ""); status != 204 {
		t.Fatal(status, text)
	}
	if got, want := fmt.Sprint(h.us.seen()), `[message evil +14155550003.1 +14155550001 "" "" 5 receipt good +14155550003.2 +14155550001 9]`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, text := h.ask(h.as(h.evil), "GET", "/v3/federation/hello", ""); text != `{"name":"ours","you":"evil"}` {
		t.Error(text)
	}
}

// Whose key is not pinned, or who has none, or has old TLS, sends no request.
func TestStrangersAreTurnedAway(t *testing.T) {
	h := newHouse(t, "")
	old := dialTLS(h.evil, []Pin{h.key.Pin()})
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	stolen := dialTLS(newKey(t), []Pin{h.key.Pin()}) // evil's certificate, which is no secret, with another key
	stolen.Certificates = []tls.Certificate{{Certificate: h.evil.pair.Certificate, PrivateKey: newKey(t).private}}
	for name, config := range map[string]*tls.Config{
		"another key": dialTLS(newKey(t), []Pin{h.key.Pin()}),
		"no key":      {InsecureSkipVerify: true},
		"TLS 1.2":     old,
		"stolen":      stolen,
	} {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: patience}
		if resp, err := c.Get("https://" + h.address + "/v3/federation/hello"); err == nil {
			t.Errorf("%s: %d, want no answer at all", name, resp.StatusCode)
		}
	}
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /v3/federation/hello HTTP/1.1\r\nHost: x\r\n\r\n")
	b, _ := io.ReadAll(c)
	if strings.Contains(string(b), "200") {
		t.Errorf("without TLS: %q", b)
	}
	if len(h.us.seen()) != 0 {
		t.Errorf("reached us: %q", h.us.seen())
	}
}

// silent opens connections that say nothing. What comes through the channel is one that we have closed.
func (h *house) silent(n int) (closed chan struct{}) {
	closed = make(chan struct{}, n)
	for range n {
		c, err := net.Dial("tcp", h.address)
		if err != nil {
			h.Fatal(err)
		}
		h.Cleanup(func() { c.Close() })
		go func() {
			_, _ = c.Read(make([]byte, 1))
			closed <- struct{}{}
		}()
	}
	return closed
}

// Strangers who connect and say nothing are bounded per source.
func TestSilentStrangersAreBounded(t *testing.T) {
	h := newHouse(t, "")
	closed := h.silent(maxPerSource + 20)
	for range 20 {
		<-closed
	}
	refused := func() int { return h.counters.get("strangers at the listener for peers") }
	for refused() < 20 { // it is counted after the connection was closed
		time.Sleep(time.Millisecond)
	}
	if n := refused(); n != 20 || len(closed) != 0 {
		t.Errorf("%d of the silent connections were closed at once, want those above %d", n, maxPerSource)
	}
}

// They do not keep a peer out for ever: the peer here has the same source, so it has to wait until they are cut.
func TestSilentStrangersAreCut(t *testing.T) {
	h := newHouse(t, "", func(n *Node) { n.within = 500 * time.Millisecond })
	closed := h.silent(maxPerSource)
	for end := time.Now().Add(patience); ; {
		status, _, err := h.try(h.as(h.good), "GET", "/v3/federation/hello", "")
		if status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	for range maxPerSource {
		<-closed
	}
}

// A flood is refused with a time to wait, and the other peer is served meanwhile.
func TestFloodIsRefused(t *testing.T) {
	h := newHouse(t, "requests=2 at-once=4")
	evil, good := h.as(h.evil), h.as(h.good)
	refused := 0
	for range 40 {
		req, _ := http.NewRequest("GET", "https://"+h.address+"/v3/federation/profile/"+alice, nil)
		resp, err := evil.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == 429 {
			refused++
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if got := len(h.us.seen()); got != 10 || refused != 30 {
		t.Errorf("%d of 40 were refused, %d reached us; want 10, at 2 a second with bursts of 5 s", refused, got)
	}
	if status, _ := h.ask(evil, "PUT", sendPath, "{}"); status != 413 {
		t.Errorf("under /v1: %d, want 413", status)
	}
	for range 40 {
		if status, _ := h.ask(good, "GET", "/v3/federation/profile/"+alice, ""); status != 200 {
			t.Fatalf("the good peer got %d", status)
		}
	}
	if h.counters.get("peer evil: requests") != 31 {
		t.Error("not counted")
	}
}

// Bytes are limited, too, before a body is read.
func TestBytesAreLimited(t *testing.T) {
	h := newHouse(t, "megabytes=10")
	evil, passed := h.as(h.evil), 0
	body := `{"messages":[{"type":1,"content":"` + strings.Repeat("A", 1<<20-100) + `"}],"timestamp":5}`
	for range 20 {
		status, text := h.ask(evil, "PUT", sendPath, body)
		switch status {
		case 200:
			passed++
		case 413:
		default:
			t.Fatal(status, text)
		}
	}
	if passed != 10 {
		t.Errorf("%d bodies of a megabyte passed, want 10", passed)
	}
}

// slowly opens connections that begin a message and do not end it.
func (h *house) slowly(n int) (all []*tls.Conn) {
	for range n {
		c := h.dial(h.evil)
		fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n{", sendPath)
		all = append(all, c)
	}
	return all
}

// waiting is how many requests of the hostile peer are under way.
func (h *house) waiting() int { return len(h.node.byPin[h.evil.Pin()].handler.(*inbound).meter.slots) }

// Slow bodies hold the peer's own slots and nobody else's.
func TestSlowBodies(t *testing.T) {
	h := newHouse(t, "at-once=3", func(n *Node) { n.server.ReadTimeout = 2 * patience })
	h.slowly(3)
	for end := time.Now().Add(patience); h.waiting() < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the slow bodies did not arrive")
		}
	}
	if status, text := h.ask(h.as(h.evil), "GET", "/v3/federation/hello", ""); status != 429 {
		t.Errorf("%d %s, want 429: its slots are taken", status, text)
	}
	if status, _ := h.ask(h.as(h.good), "GET", "/v3/federation/hello", ""); status != 200 {
		t.Errorf("the good peer got %d", status)
	}
}

// They are cut in the end, and their slots are free again.
func TestSlowBodiesAreCut(t *testing.T) {
	h := newHouse(t, "at-once=3", func(n *Node) { n.server.ReadTimeout = 3 * time.Second })
	for _, c := range h.slowly(3) {
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatal("slow bodies are not cut")
		}
	}
	for end := time.Now().Add(patience); h.waiting() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was cut keeps its slot")
		}
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// A peer has a bounded number of connections.
func TestConnectionsOfAPeerAreBounded(t *testing.T) {
	h := newHouse(t, "at-once=2")
	open := 0
	for range 12 {
		c := h.dial(h.evil)
		fmt.Fprintf(c, "GET /v3/federation/hello HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			open++
		}
	}
	if open != 8 {
		t.Errorf("%d connections, want 8", open)
	}
}

// What is malformed is refused before anything is made of it.
func TestMalformedRequests(t *testing.T) {
	h := newHouse(t, "requests=1000000")
	evil := h.as(h.evil)
	many := `{"timestamp":1,"messages":[` + strings.Repeat("{},", 300_000) + `{}]}`
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"no JSON":             {"PUT", sendPath, "nonsense", 422},
		"another type":        {"PUT", sendPath, `{"messages":7,"timestamp":1}`, 422},
		"two values":          {"PUT", sendPath, `{"timestamp":1}{}`, 422},
		"no time":             {"PUT", sendPath, `{"messages":[]}`, 422},
		"deep":                {"PUT", sendPath, strings.Repeat("[", 500_000), 422},
		"many objects":        {"PUT", sendPath, many, 422},
		"huge":                {"PUT", sendPath, strings.Repeat(" ", messageBody+1), 413},
		"device 0":            {"PUT", "/v1/federation/messages/" + carol + "/0/" + alice, "{}", 400},
		"device 128":          {"PUT", "/v1/federation/messages/" + carol + "/128/" + alice, "{}", 400},
		"device 2^32+1":       {"PUT", "/v1/federation/messages/" + carol + "/4294967297/" + alice, "{}", 400},
		"source with a name":  {"PUT", "/v1/federation/messages/" + carol + "@good/1/" + alice, "{}", 400},
		"source of nobody":    {"PUT", "/v1/federation/messages/%20/1/" + alice, "{}", 400},
		"to a channel":        {"PUT", "/v1/federation/messages/" + carol + "/1/0b7d0c8e", "{}", 400},
		"receipt at no time":  {"PUT", "/v1/federation/receipt/" + carol + "/1/" + alice + "/x", "", 400},
		"keys of a path":      {"GET", "/v2/federation/key/..%2f../1", "", 400},
		"keys of device x":    {"GET", "/v2/federation/key/" + alice + "/x", "", 400},
		"clients' interface":  {"GET", "/v3/account", "", 404},
		"all users":           {"GET", "/v1/federation/user_count", "", 404},
		"all users' tokens":   {"GET", "/v1/federation/user_tokens/0", "", 404},
		"ten thousand tokens": {"PUT", "/v3/federation/directory", `{"contacts":[` + strings.Repeat(`"",`, 10_000) + `""]}`, 413},
	} {
		if status, text := h.ask(evil, c.method, c.path, c.body); status != c.want {
			t.Errorf("%s: %d %.100s, want %d", name, status, text, c.want)
		}
	}
	c := h.dial(h.evil)
	fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", sendPath)
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 400 {
		t.Errorf("chunked: %v %v, want 400", resp, err)
	}
	if len(h.us.seen()) != 0 {
		t.Errorf("reached us: %q", h.us.seen())
	}
}

// The worst a peer can do with all its slots at once keeps memory within bounds: bodies of a megabyte that would become fifty megabytes each.
func TestMemoryIsBounded(t *testing.T) {
	h := newHouse(t, "requests=1000000 megabytes=1000000")
	evil := h.as(h.evil)
	body := `{"timestamp":1,"messages":[` + strings.Repeat("{},", 340_000) + `{}]}`
	var peak atomic.Uint64
	stop := make(chan struct{})
	var watch, group sync.WaitGroup
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
		}
	})
	for range DefaultLimits().AtOnce {
		group.Go(func() {
			for range 4 {
				if status, _ := h.ask(evil, "PUT", sendPath, body); status != 422 && status != 413 { // 413: one too many at once
					t.Errorf("%d", status)
				}
			}
		})
	}
	group.Wait()
	close(stop)
	watch.Wait()
	grew := (int64(peak.Load()) - int64(before.HeapAlloc)) >> 20
	t.Logf("the heap grew by %d MiB", grew)
	if grew > 256 {
		t.Errorf("the heap grew by %d MiB, want at most 256", grew)
	}
}

// refusal returns the status of what a Remote returned.
func refusal(err error) int {
	var r *endpoint.Refusal
	if errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// Answers that cannot be true become 502, whatever is asked; true ones pass.
func TestAnswersThatLie(t *testing.T) {
	var status int
	var body string
	header := http.Header{}
	r, counters := liar(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	me, ctx := From{alice, 1}, t.Context()
	sent := api.Messages{Timestamp: 1, Messages: []api.Message{{Type: 1, DeviceID: 1}, {Type: 1, DeviceID: 2}}}
	send := func() error { return r.Send(ctx, me, carol, sent) }
	keysOf := func(device string) func() error {
		return func() error { _, err := r.Keys(ctx, carol, device); return err }
	}
	id := identity(t)
	bundle := func(device int) string {
		return fmt.Sprintf(`{"deviceId":%d,"preKey":{"keyId":1,"publicKey":"%s"}}`, device, id)
	}
	var endless []string
	for n := range 1000 {
		endless = append(endless, fmt.Sprint(n+3))
	}
	for name, c := range map[string]struct {
		ask    func() error
		status int
		body   string
		want   int
	}{
		"sent":                    {send, 200, `{"needsSync":true}`, 0},
		"mismatch":                {send, 409, `{"missingDevices":[3],"extraDevices":[1]}`, 409},
		"endless missing devices": {send, 409, `{"missingDevices":[` + strings.Join(endless, ",") + `],"extraDevices":[]}`, 502},
		"endless answer":          {send, 409, `{"missingDevices":[3],"extraDevices":[]` + strings.Repeat(" ", smallAnswer) + `}`, 502},
		"missing and addressed":   {send, 409, `{"missingDevices":[1]}`, 502},
		"extra and not addressed": {send, 409, `{"extraDevices":[3]}`, 502},
		"missing device 128":      {send, 409, `{"missingDevices":[128]}`, 502},
		"missing device 0":        {send, 409, `{"missingDevices":[0]}`, 502},
		"missing twice":           {send, 409, `{"missingDevices":[3,3]}`, 502},
		"mismatch of nothing":     {send, 409, `{}`, 502},
		"mismatch without JSON":   {send, 409, `<html>`, 502},
		"stale":                   {send, 410, `{"staleDevices":[2]}`, 410},
		"stale, not addressed":    {send, 410, `{"staleDevices":[3]}`, 502},
		"stale nothing":           {send, 410, `{"staleDevices":[]}`, 502},
		"redirect":                {send, 307, ``, 502},
		"401":                     {send, 401, `{}`, 502},
		"200 with an essay":       {send, 200, strings.Repeat("x", smallAnswer+1), 502},
		"500":                     {send, 500, `x`, 503},
		"411":                     {send, 411, ``, 413},
		"413 without a time":      {send, 413, ``, 413},
		"403":                     {send, 403, `{"error":"<script>"}`, 400},
		"keys":                    {keysOf("*"), 200, `{"identityKey":"` + id + `","devices":[` + bundle(1) + `,` + bundle(2) + `]}`, 0},
		"keys of another device":  {keysOf("1"), 200, `{"identityKey":"` + id + `","devices":[` + bundle(2) + `]}`, 502},
		"keys of a device twice":  {keysOf("*"), 200, `{"identityKey":"` + id + `","devices":[` + bundle(2) + `,` + bundle(2) + `]}`, 502},
		"keys of no device":       {keysOf("*"), 200, `{"identityKey":"` + id + `","devices":[]}`, 502},
		"keys of device 0":        {keysOf("*"), 200, `{"identityKey":"` + id + `","devices":[` + bundle(0) + `]}`, 502},
		"keys without identity":   {keysOf("*"), 200, `{"devices":[` + bundle(1) + `]}`, 502},
		"keys that are none":      {keysOf("*"), 200, `{"identityKey":"` + id + `","devices":[{"deviceId":1}]}`, 502},
		"keys null":               {keysOf("*"), 200, `null`, 502},
		"keys of a thousand":      {keysOf("*"), 200, `{"identityKey":"` + id + `","devices":[` + strings.Repeat(bundle(1)+",", 1000) + bundle(1) + `]}`, 502},
		"contact not asked for":   {func() error { _, err := r.Contacts(ctx, []string{"a"}); return err }, 200, `{"contacts":[{"token":"b"}]}`, 502},
		"contact twice":           {func() error { _, err := r.Contacts(ctx, []string{"a"}); return err }, 200, `{"contacts":[{"token":"a"},{"token":"a"}]}`, 502},
		"username of no number":   {func() error { _, err := r.Username(ctx, "x"); return err }, 200, `{"number":"+1@good"}`, 502},
		"profile with a script":   {func() error { _, err := r.Profile(ctx, carol); return err }, 200, `{"name":"<b>","avatar":""}`, 502},
		"profile, long avatar":    {func() error { _, err := r.Profile(ctx, carol); return err }, 200, `{"avatar":"` + strings.Repeat("x", 300) + `"}`, 502},
		"list without signature":  {func() error { _, err := r.DeviceList(ctx, carol); return err }, 200, `{"list":"AAAA"}`, 502},
	} {
		status, body = c.status, c.body
		if got := refusal(c.ask()); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if counters.get("evil out nonsense") < 20 {
		t.Error("nonsense is not counted")
	}
	header.Set("Retry-After", "99999999")
	status, body = 429, ""
	var refused *endpoint.Refusal
	if err := send(); !errors.As(err, &refused) || refused.Status != 429 || refused.Wait != time.Hour {
		t.Errorf("%v, want 429 with an hour at most", err)
	}
	header = http.Header{"X": {strings.Repeat("x", 100_000)}}
	if err := send(); refusal(err) != 503 {
		t.Errorf("a header of 100 kB: %v, want 503", err)
	}
}

// A peer that does not answer costs a user the patience, three times; then nobody waits until it may be back.
func TestSilentPeerIsLeftAlone(t *testing.T) {
	var asked atomic.Int64
	release := make(chan struct{})
	r, counters := liar(t, 50*time.Millisecond, func(w http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		select {
		case <-q.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	var refused *endpoint.Refusal
	for range 10 {
		err := r.Receipt(t.Context(), From{alice, 1}, carol, 1)
		if !errors.As(err, &refused) || refused.Status != 503 || refused.Wait <= 0 || refused.Text != "the server evil does not answer; keep the message and try again" {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n > tolerated {
		t.Errorf("it was asked %d times, want at most %d", n, tolerated)
	}
	if counters.get("evil out unreachable") != tolerated {
		t.Errorf("%v", counters.counts)
	}
}

// An answer with the wrong key, or from nobody, is none.
func TestWrongKeyOfAPeer(t *testing.T) {
	h := newHouse(t, "")
	n, err := New(Options{Name: "evil", Key: h.evil, Counters: new(tally), Now: time.Now, Peers: []Peer{mustPeer(t, "ours https://"+h.address+" "+ones)}})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := n.Remote("ours")
	if _, err := r.Hello(t.Context()); !errors.Is(err, ErrPin) || !strings.Contains(err.Error(), h.key.Pin().String()) {
		t.Errorf("%v, want the pin it got", err)
	}
	if err := r.Receipt(t.Context(), From{carol, 1}, alice, 1); refusal(err) != 503 {
		t.Errorf("%v", err)
	}
	if len(h.us.seen()) != 0 {
		t.Errorf("reached us: %q", h.us.seen())
	}
}

// Downloads: what is longer than told, shorter, too large, or of another range than asked for.
func TestAttachmentsThatLie(t *testing.T) {
	var answer http.HandlerFunc
	r, _ := liar(t, 0, func(w http.ResponseWriter, q *http.Request) { answer(w, q) })
	fetch := func(offset int64) (string, error) {
		b, err := r.Attachment(t.Context(), "somebody", "5", offset, 1000)
		if err != nil {
			return "", err
		}
		defer b.Close()
		all, err := io.ReadAll(b)
		return string(all), err
	}
	say := func(status int, length, contentRange, body string) {
		answer = func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprintf(c, "HTTP/1.1 %d x\r\n%s%s\r\n%s", status, length, contentRange, body)
		}
	}
	say(200, "Content-Length: 3\r\n", "", "abc")
	if got, err := fetch(0); got != "abc" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	say(200, "Content-Length: 3\r\n", "", "abcdef")
	if got, err := fetch(0); got != "abc" || err != nil {
		t.Errorf("longer than told: %q %v", got, err)
	}
	say(200, "Content-Length: 9\r\n", "", "abc")
	if _, err := fetch(0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("shorter than told: %v", err)
	}
	for _, c := range []struct {
		status                     int
		length, contentRange, body string
		offset                     int64
	}{
		{200, "Content-Length: 1001\r\n", "", "", 0},
		{200, "", "", "abc", 0}, // no length
		{206, "Content-Length: 3\r\n", "Content-Range: bytes 0-2/3\r\n", "abc", 0},
		{200, "Content-Length: 3\r\n", "", "abc", 2},
		{206, "Content-Length: 3\r\n", "Content-Range: bytes 3-5/6\r\n", "abc", 2},
		{302, "Content-Length: 0\r\nLocation: http://127.0.0.1/\r\n", "", "", 0},
	} {
		say(c.status, c.length, c.contentRange, c.body)
		if _, err := fetch(c.offset); refusal(err) != 502 {
			t.Errorf("%+v: %v, want 502", c, err)
		}
	}
	say(206, "Content-Length: 3\r\n", "Content-Range: bytes 2-4/5\r\n", "abc")
	if got, err := fetch(2); got != "abc" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// While a peer changes keys both count, as one peer with one set of limits.
func TestTwoPinsAreOnePeer(t *testing.T) {
	next := newKey(t)
	h := newHouse(t, next.Pin().String()+" requests=1")
	passed := 0
	for n := range 10 {
		key := h.evil
		if n%2 == 1 {
			key = next
		}
		if status, text := h.ask(h.as(key), "GET", "/v3/federation/hello", ""); status == 200 && text == `{"name":"ours","you":"evil"}` {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d passed, want 5", passed)
	}
}

// Large bodies are few at once, so that small messages always find room.
func TestFewLargeBodiesAtOnce(t *testing.T) {
	m := newMeter("evil", DefaultLimits(), time.Now, new(tally))
	for range DefaultLimits().AtOnce / 8 {
		if _, err := m.enter(light + 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.enter(light + 1); refusal(err) != 429 {
		t.Errorf("%v, want 429", err)
	}
	leave, err := m.enter(light)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if len(m.slots) != DefaultLimits().AtOnce/8 {
		t.Errorf("%d slots are taken, want %d", len(m.slots), DefaultLimits().AtOnce/8)
	}
}

// One user has a few downloads of a peer at once, and others theirs beside.
func TestDownloadsOfAUserAreBounded(t *testing.T) {
	r, _ := liar(t, 0, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abc") })
	fetch := func(user string) *Blob {
		b, err := r.Attachment(t.Context(), user, "5", 0, 1000)
		if err != nil && refusal(err) != 429 {
			t.Fatal(err)
		}
		return b
	}
	var open []*Blob
	for range maxDownloads {
		open = append(open, fetch("somebody"))
	}
	if fetch("somebody") != nil {
		t.Error("one more than allowed")
	}
	if b := fetch("somebody else"); b == nil {
		t.Error("refused another user")
	} else {
		b.Close()
	}
	for _, b := range open {
		b.Close()
	}
	if b := fetch("somebody"); b == nil {
		t.Error("it stays full")
	} else {
		b.Close()
	}
	if len(r.streams) != 0 || len(r.downloads.users) != 0 {
		t.Errorf("%d streams, %v", len(r.streams), r.downloads.users)
	}
}
