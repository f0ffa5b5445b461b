package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// put sends a body to a location, as the peers do: without credentials.
func (w *world) put(location, contentRange, body string) *http.Response {
	w.Helper()
	req, err := http.NewRequest("PUT", location, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	if contentRange != "" {
		req.Header.Set("Content-Range", contentRange)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (w *world) allocate(base string) api.Attachment {
	w.Helper()
	req, _ := http.NewRequest("GET", base+"/v1/attachments/", nil)
	req.SetBasicAuth(alice, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var a api.Attachment
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.IDString != strconv.FormatUint(a.ID, 10) || a.Location != base+"/v3/blobs/"+a.IDString {
		w.Fatalf("%+v, %v", a, err)
	}
	return a
}

func (w *world) fetch(location, byteRange string) (int, string) {
	w.Helper()
	req, _ := http.NewRequest("GET", location, nil)
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAttachment(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	srv := w.listen()
	a := w.allocate(srv.URL)
	if status, _ := w.fetch(a.Location, ""); status != 404 {
		t.Errorf("before the upload: %d", status)
	}
	if r := w.put(a.Location, "", "ciphertext of a picture"); r.StatusCode != 200 {
		t.Fatal(r.Status)
	}
	if r := w.put(a.Location, "", "another"); r.StatusCode != 409 {
		t.Errorf("overwritten: %s", r.Status)
	}
	location := get[api.Location](w, bob, "/v1/attachments/"+a.IDString).Location
	if !strings.HasSuffix(location, "/v3/blobs/"+a.IDString) {
		t.Fatal(location)
	}
	if status, got := w.fetch(a.Location, ""); status != 200 || got != "ciphertext of a picture" {
		t.Errorf("%d %q", status, got)
	}
	if status, got := w.fetch(a.Location, "bytes=11-"); status != 206 || got != "of a picture" {
		t.Errorf("%d %q", status, got)
	}
	w.want(bob, "GET", "/v1/attachments/7", nil, 404, "")
	w.want(bob, "GET", "/v1/attachments/"+a.IDString+"?relay=other", nil, 404, "")
	w.clock.add(attachmentLife)
	w.want(bob, "GET", "/v1/attachments/"+a.IDString, nil, 404, "")
	if status, _ := w.fetch(a.Location, ""); status != 404 {
		t.Errorf("after 45 days: %d", status)
	}
}

func TestUploadGoesOn(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	srv := w.listen()
	a := w.allocate(srv.URL)
	for _, c := range []struct {
		contentRange, body string
		status             int
		have               string
	}{
		{"bytes */*", "", 308, ""},
		{"bytes 0-4/12", "hello", 308, "bytes=0-4"},
		{"bytes */*", "", 308, "bytes=0-4"},
		{"bytes 6-11/12", "world!", 416, "bytes=0-4"},
		{"bytes 5-6/12", " w", 308, "bytes=0-6"},
		{"bytes 5-6/12", " w", 416, "bytes=0-6"},
		{"bytes 7-11/5", "orld!", 400, ""},
		{"bytes 7-10/12", "orld!", 400, ""},
		{"bytes 0-99/999999999", strings.Repeat("x", 100), 413, ""},
		{"nonsense", "x", 400, ""},
		{"", "", 400, ""},
		{"bytes 7-11/12", "orld!", 200, ""},
	} {
		r := w.put(a.Location, c.contentRange, c.body)
		if r.StatusCode != c.status || r.Header.Get("Range") != c.have {
			t.Errorf("%q: %s, Range %q; want %d, %q", c.contentRange, r.Status, r.Header.Get("Range"), c.status, c.have)
		}
	}
	if _, got := w.fetch(a.Location, ""); got != "hello world!" {
		t.Errorf("%q", got)
	}
	// Who begins anew replaces what an earlier try left.
	a = w.allocate(srv.URL)
	w.put(a.Location, "bytes 0-4/12", "wrong")
	if r := w.put(a.Location, "", "right"); r.StatusCode != 200 {
		t.Fatal(r.Status)
	}
	if _, got := w.fetch(a.Location, ""); got != "right" {
		t.Errorf("%q", got)
	}
	a = w.allocate(srv.URL)
	w.clock.add(uploadLife)
	if r := w.put(a.Location, "", "late"); r.StatusCode != 404 {
		t.Errorf("after an hour: %s", r.Status)
	}
}

// A connection that breaks costs what was not sent, no more.
func TestBrokenUpload(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	srv := w.listen()
	a := w.allocate(srv.URL)
	c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ := strings.Cut(a.Location, "/v3/")
	_, _ = io.WriteString(c, "PUT /v3/"+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"+strings.Repeat("a", 40))
	c.Close()
	w.eventually("forty bytes have come", func() bool { return w.put(a.Location, "bytes */*", "").Header.Get("Range") == "bytes=0-39" })
	w.eventually("the rest is taken", func() bool { // the first connection may still hold the upload
		return w.put(a.Location, "bytes 40-99/100", strings.Repeat("b", 60)).StatusCode == 200
	})
	if _, got := w.fetch(a.Location, ""); got != strings.Repeat("a", 40)+strings.Repeat("b", 60) {
		t.Errorf("%q", got)
	}
}

// ahead is a listener whose connections' deadlines pass as if it were later than it is.
type ahead struct {
	net.Listener
	by *atomic.Int64 // a time.Duration
}

func (l ahead) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &aheadConn{Conn: c, by: l.by}, err
}

type aheadConn struct {
	net.Conn
	by          *atomic.Int64
	read, write atomic.Pointer[time.Time]
}

func (c *aheadConn) SetReadDeadline(t time.Time) error {
	c.read.Store(&t)
	return c.Conn.SetReadDeadline(t)
}

func (c *aheadConn) SetWriteDeadline(t time.Time) error {
	c.write.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *aheadConn) passed(deadline *time.Time) bool {
	return deadline != nil && !deadline.IsZero() && time.Now().Add(time.Duration(c.by.Load())).After(*deadline)
}

func (c *aheadConn) Read(b []byte) (int, error) {
	if c.passed(c.read.Load()) {
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Read(b)
}

func (c *aheadConn) Write(b []byte) (int, error) {
	if c.passed(c.write.Load()) {
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Write(b)
}

// An upload may take longer than the server allows for other requests, and is answered all the same.
func TestSlowUploadIsAnswered(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	var later atomic.Int64
	srv := httptest.NewUnstartedServer(w.server)
	srv.Listener = ahead{srv.Listener, &later}
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = patience, patience
	srv.Start()
	t.Cleanup(srv.Close)
	a := w.allocate(srv.URL)
	r, body := io.Pipe()
	half := make([]byte, 2<<20)
	req, err := http.NewRequest("PUT", a.Location, r)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(2 * len(half))
	status := make(chan string, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			status <- err.Error()
			return
		}
		resp.Body.Close()
		status <- resp.Status
	}()
	_, _ = body.Write(half)
	w.eventually("half of it is there", func() bool {
		n, err := w.server.Blobs.Received(t.Context(), int64(a.ID))
		return err == nil && n == int64(len(half))
	})
	later.Store(int64(patience + time.Minute))
	_, _ = body.Write(half)
	body.Close()
	if got := <-status; got != "200 OK" {
		t.Error(got)
	}
}

func TestTooLargeUploads(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	srv := w.listen()
	a := w.allocate(srv.URL)
	req, _ := http.NewRequest("PUT", a.Location, bytes.NewReader(make([]byte, 10)))
	req.ContentLength = MaxAttachment + 1
	req.Body = io.NopCloser(&endless{})
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("%s", resp.Status)
		}
	} // else the server cut us while we were sending, which is as good
	for range 49 {
		w.want(alice, "GET", "/v1/attachments", nil, 200, "")
	}
	w.want(alice, "GET", "/v1/attachments", nil, 413, "")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestDirectoryAndProfile(t *testing.T) {
	w := newWorld(t, nil)
	p := w.register(alice)
	w.register("+14152222222") // whose token is in the specification (16.10)
	const token, slashed = "BQVVHxMt5zAFXA", "BQVVHxMt5zAFXA=="
	w.want(alice, "GET", "/v1/directory/"+token, nil, 200, `{"token":"BQVVHxMt5zAFXA"}`)
	w.want(alice, "GET", "/v1/directory/"+slashed+"/", nil, 200, `{"token":"BQVVHxMt5zAFXA"}`)
	w.want(alice, "GET", "/v1/directory/AAAAAAAAAAAAAA", nil, 404, "")
	w.want(alice, "GET", "/v1/directory/AA/AAAAAAAAAAA", nil, 404, "") // a slash is a letter of base64
	w.want(alice, "GET", "/v1/directory/short", nil, 400, "")
	w.want(alice, "PUT", "/v1/directory/tokens/", api.Tokens{Contacts: []string{"nonsense", token, "AAAAAAAAAAAAAA"}}, 200, `{"contacts":[{"token":"BQVVHxMt5zAFXA"}]}`)
	w.want(alice, "PUT", "/v1/directory/tokens", api.Tokens{}, 200, `{"contacts":[]}`)
	w.want(alice, "PUT", "/v1/directory/tokens", api.Tokens{Contacts: make([]string, 10_001)}, 413, "")
	for range 4 {
		w.want(alice, "PUT", "/v1/directory/tokens", api.Tokens{Contacts: make([]string, 10_000)}, 200, "")
	}
	w.want(alice, "PUT", "/v1/directory/tokens", api.Tokens{Contacts: make([]string, 10_000)}, 413, "") // 50,000 a day
	w.clock.add(366 * 24 * time.Hour)
	w.want(alice, "GET", "/v1/directory/"+token, nil, 404, "") // not seen for a year

	name := strings.Repeat("n", 72)
	w.want(alice, "PUT", "/v1/profile/name/"+name, nil, 204, "-")
	w.want(alice, "PUT", "/v1/profile/name/short", nil, 400, "")
	w.want(alice, "GET", "/v1/profile/"+alice, nil, 200, `{"identityKey":"`+b64(p.identity.Public().Bytes())+`","name":"`+name+`"}`)
	w.want(alice, "GET", "/v1/profile/+14155550099", nil, 404, "")
}

func TestUsernames(t *testing.T) {
	w := newWorld(t, nil)
	w.register(alice)
	w.register(bob)
	w.want(bob, "GET", "/v3/usernames/alice", nil, 404, "")
	w.want(alice, "PUT", "/v3/usernames/Alice", nil, 204, "-")
	w.want(bob, "GET", "/v3/usernames/ALICE", nil, 200, `{"number":"`+alice+`"}`)
	w.want(bob, "PUT", "/v3/usernames/alice", nil, 409, `{"error":"the username \"alice\" is taken"}`)
	w.want(alice, "GET", "/v3/account", nil, 200, `{"number":"`+alice+`","account":"#1","deviceId":1,"username":"alice"}`)
	for _, bad := range []string{"ab", "1abc", "a-b-c", "%C3%A9clair", strings.Repeat("a", 33)} {
		w.want(bob, "PUT", "/v3/usernames/"+bad, nil, 400, "")
	}
	w.want(alice, "DELETE", "/v3/usernames/", nil, 204, "-")
	w.want(bob, "PUT", "/v3/usernames/alice", nil, 204, "-")
	codes := map[int]int{}
	for range 40 {
		codes[w.call(alice, "GET", "/v3/usernames/alice", nil).Code]++
	}
	if codes[429] < 10 {
		t.Errorf("enumerating names: %v", codes)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t, nil)
	w.want("", "GET", "/health", nil, 200, `{"status":"ok","version":"1.4.0"}`)
	w.want("", "GET", "/ready/", nil, 200, `{"status":"ok","version":"1.4.0"}`)
	w.want("", "POST", "/health", nil, 405, "")
	w.want("", "GET", "/", nil, 404, "")
	w.want("", "GET", "/v1/keepalive/", nil, 200, "-")
	if got := w.want("", "GET", "/v3/openapi.json", nil, 200, ""); !json.Valid([]byte(got)) {
		t.Error("the served OpenAPI file is not JSON")
	}
	w.storeClosed = true
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.want("", "GET", "/ready", nil, 503, `{"status":"the database does not answer","version":"1.4.0"}`)
	w.want(alice, "GET", "/v1/devices", nil, 503, "")
}
