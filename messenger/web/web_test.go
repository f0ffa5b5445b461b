package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/web"
	"github.com/countersign-project/countersign/messenger/web/page"
)

// world is a page before an account is there, with a clock that tests move on. It goes by itself, too: the page reckons with it how long a connection may take.
type world struct {
	*testing.T
	page  *web.Page
	dir   string // of the account
	at    string
	bell  *rpc.Bell
	stop  func()
	ended chan struct{}
	open  bool // the account has no passphrase

	ahead atomic.Int64 // of the real time
}

func (w *world) clock() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) later(d time.Duration) { w.ahead.Add(int64(d)) }

// newWorld serves a page.
func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := web.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, dir: t.TempDir(), at: l.Addr().String(), bell: new(rpc.Bell), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := &rpc.Server{Door: &rpc.Door{Options: client.Options{Dir: w.dir}}, Version: "1.2.3", Log: quiet, Bell: w.bell}
	w.page = web.New(ctx, web.Options{Files: page.Files(), Server: func() *rpc.Server { return server }, Log: quiet, Now: w.clock, Rand: rand.Reader, Locks: func() bool { return !w.open },
		Check: func(_ context.Context, passphrase []byte) error {
			if string(passphrase) != "right" {
				return errors.New("the passphrase does not open this account")
			}
			return nil
		}}, w.at)
	go func() {
		defer close(w.ended)
		if err := w.page.Serve(l); err != nil {
			t.Error(err)
		}
	}()
	w.stop = func() { cancel(); <-w.ended }
	t.Cleanup(w.stop)
	return w
}

// ask makes a request; headers are pairs. "Host" is the request's.
func (w *world) ask(method, path, body string, headers ...string) (status int, answer string, header http.Header) {
	w.Helper()
	q, err := http.NewRequest(method, "http://"+w.at+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	q.Close = true
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			q.Host = headers[i+1]
			continue
		}
		q.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func (w *world) key() string {
	w.Helper()
	key, _, err := w.page.Key()
	if err != nil {
		w.Fatal(err)
	}
	return key
}

func (w *world) exchange(key string) (status int, token string) {
	w.Helper()
	status, body, _ := w.ask("POST", "/token", fmt.Sprintf(`{"key":%q}`, key), "Content-Type", "application/json")
	var out struct{ Token string }
	_ = json.Unmarshal([]byte(body), &out)
	return status, out.Token
}

func (w *world) enter() string {
	w.Helper()
	status, token := w.exchange(w.key())
	if status != 200 || len(token) != 43 {
		w.Fatal(status, token)
	}
	return token
}

func (w *world) call(token, method, params string) (status int, answer string) {
	w.Helper()
	status, answer, _ = w.ask("POST", "/rpc", fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, params), "Content-Type", "application/json", "Authorization", "Bearer "+token)
	return status, strings.TrimSpace(answer)
}

// says wants an answer to hold something.
func (w *world) says(token, method, params, want string) {
	w.Helper()
	if status, got := w.call(token, method, params); status != 200 || !strings.Contains(got, want) {
		w.Errorf("%s %s: %d %s, want %s", method, params, status, got, want)
	}
}

// What is no backup is refused as that, and nothing is left of it.
func TestRestoringWhatIsNoBackup(t *testing.T) {
	w := newWorld(t)
	words, err := archive.NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parameters := url.PathEscape(fmt.Sprintf(`{"recoveryWords":%q,"passphrase":"p"}`, words.Words()))
	status, answer, _ := w.ask("POST", "/restore", strings.Repeat("no backup", 1000), "Authorization", "Bearer "+w.enter(), "Content-Type", "application/octet-stream", "X-Parameters", parameters)
	if status != 422 || !strings.Contains(answer, "backup") || strings.Contains(answer, "internal") {
		t.Errorf("%d %s", status, answer)
	}
	if left, err := os.ReadDir(w.dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestOnlyTheOneHost(t *testing.T) {
	w := newWorld(t)
	_, port, _ := strings.Cut(w.at, ":")
	for host, want := range map[string]int{w.at: 200, "localhost:" + port: 421, "evil.example:" + port: 421, "127.0.0.1": 421, "[::1]:" + port: 421, w.at + ".evil.example": 421, "127.0.0.1:1": 421} {
		if status, _, header := w.ask("GET", "/", "", "Host", host); status != want || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("host %s: %d, want %d; %v", host, status, want, header)
		}
	}
}

func TestAKeyWorksOnceAndNotForLong(t *testing.T) {
	w := newWorld(t)
	key := w.key()
	if status, _ := w.exchange(key[:len(key)-1] + "-"); status != 401 {
		t.Error("a wrong key:", status)
	}
	if status, token := w.exchange(key); status != 200 || token == key {
		t.Error(status, token)
	}
	if status, _ := w.exchange(key); status != 401 {
		t.Error("twice:", status)
	}
	old := w.key()
	w.later(2 * time.Minute)
	if status, _ := w.exchange(old); status != 401 {
		t.Error("too late:", status)
	}
	first := w.key()
	for range 16 {
		w.key()
	}
	if status, _ := w.exchange(first); status != 401 {
		t.Error("too many openings keep the oldest:", status)
	}
	for body, kind := range map[string]string{`{"key":"` + w.key() + `"}`: "text/plain", `"`: "application/json", `{"key":"` + strings.Repeat("x", 2000) + `"}`: "application/json"} {
		if status, _, _ := w.ask("POST", "/token", body, "Content-Type", kind); status == 200 || status >= 500 {
			t.Errorf("%.30s as %s: %d", body, kind, status)
		}
	}
}

func TestRequestsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	token := w.enter()
	body := `{"jsonrpc":"2.0","id":1,"method":"version"}`
	auth := []string{"Content-Type", "application/json", "Authorization", "Bearer " + token}
	for _, c := range []struct {
		want    int
		headers []string
	}{
		{200, auth},
		{200, append([]string{"Origin", "http://" + w.at, "Sec-Fetch-Site", "same-origin"}, auth...)},
		{403, append([]string{"Origin", "http://evil.example"}, auth...)},
		{403, append([]string{"Sec-Fetch-Site", "cross-site"}, auth...)},
		{403, append([]string{"Sec-Fetch-Site", "same-site"}, auth...)},
		{415, []string{"Content-Type", "text/plain", "Authorization", "Bearer " + token}},
		{401, []string{"Content-Type", "application/json"}},
		{401, []string{"Content-Type", "application/json", "Authorization", "Bearer " + token[1:]}},
		{401, []string{"Content-Type", "application/json", "Authorization", token}},
		{401, []string{"Content-Type", "application/json", "Cookie", "token=" + token}},
	} {
		if status, answer, _ := w.ask("POST", "/rpc", body, c.headers...); status != c.want {
			t.Errorf("%v: %d %s, want %d", c.headers, status, answer, c.want)
		}
	}
	for _, path := range []string{"/rpc", "/token", "/upload", "/file", "/backup", "/restore", "/history"} {
		if status, _, _ := w.ask("GET", path, "", auth...); status != 404 && status != 405 {
			t.Errorf("GET %s: %d: a GET must do nothing", path, status)
		}
		if status, _, _ := w.ask("POST", path, "", "Content-Type", "application/octet-stream"); path != "/token" && status != 401 {
			t.Errorf("POST %s of a stranger: %d", path, status)
		}
	}
	if status, _, _ := w.ask("POST", "/rpc", strings.Repeat(" ", 1<<20+1), auth...); status != 413 {
		t.Error("a long request:", status)
	}
}

func TestWhoLeavesIsAskedForThePassphrase(t *testing.T) {
	w := newWorld(t)
	token := w.enter()
	w.says(token, "version", "{}", "1.2.3")
	w.later(14 * time.Minute)
	w.says(token, "version", "{}", "1.2.3")
	w.later(15 * time.Minute)
	w.says(token, "version", "{}", `"code":-5`)
	w.says(token, "status", "{}", `{"state":"locked","version":"1.2.3"}`)
	w.says(token, "lockAfter", `{"seconds":0}`, `"code":-5`)
	w.says(token, "unlock", `{"passphrase":"wrong"}`, `does not open`)
	w.says(token, "unlock", `{}`, `want the passphrase`)
	w.says(token, "version", "{}", `"code":-5`)
	if status, _, _ := w.ask("POST", "/upload", "x", "Authorization", "Bearer "+token); status != 403 {
		t.Error("an upload while it is locked:", status)
	}
	w.says(token, "unlock", `{"passphrase":"right"}`, `"result":{}`)
	w.says(token, "version", "{}", "1.2.3")
	w.says(token, "lock", "{}", `"result":{}`)
	w.says(w.enter(), "version", "{}", `"code":-5`) // another tab is no way around it
	w.says(token, "unlock", `{"passphrase":"right"}`, `"result":{}`)
	w.says(token, "lockAfter", `{"seconds":60}`, `"result":{}`)
	w.later(time.Minute)
	w.says(token, "version", "{}", `"code":-5`)
	w.says(token, "unlock", `{"passphrase":"right"}`, `"result":{}`)
	w.says(token, "lockAfter", `{"seconds":5}`, `want 0 for never`)
	w.says(token, "lockAfter", `{"seconds":0}`, `"result":{}`)
	w.later(1000 * time.Hour)
	w.says(token, "version", "{}", "1.2.3")
}

// Where there is no passphrase nothing could unlock the page again: it does not lock itself, and refuses to be locked.
func TestNothingToLockWith(t *testing.T) {
	w := newWorld(t)
	w.open = true
	token := w.enter()
	w.says(token, "lock", "{}", "there is nothing to lock the page with")
	w.later(1000 * time.Hour)
	w.says(token, "version", "{}", "1.2.3")
}

// listen opens the websocket and says who it is.
func (w *world) listen(origin, token string) (*websocket.Conn, *http.Response, error) {
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+w.at+"/events", http.Header{"Origin": {origin}})
	if err == nil {
		w.Cleanup(func() { ws.Close() })
		err = ws.WriteMessage(websocket.TextMessage, []byte(token))
	}
	return ws, resp, err
}

func read(ws *websocket.Conn) string {
	_, b, err := ws.ReadMessage()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestEventsReachTheTab(t *testing.T) {
	w := newWorld(t)
	token := w.enter()
	for _, origin := range []string{"", "http://evil.example", "https://" + w.at, "null"} {
		if _, resp, err := w.listen(origin, token); err == nil || resp == nil || resp.StatusCode != 403 {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	stranger, _, err := w.listen("http://"+w.at, "nobody's")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(stranger); !strings.Contains(got, "4401") {
		t.Error(got)
	}
	ws, _, err := w.listen("http://"+w.at, token)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(ws); !strings.Contains(got, `"ready"`) {
		t.Fatal(got)
	}
	w.bell.Ring("update", map[string]string{"step": "judge"})
	if got := read(ws); got != `{"jsonrpc":"2.0","method":"update","params":{"step":"judge"}}` {
		t.Error(got)
	}
	w.says(token, "lock", "{}", "result")
	w.bell.Ring("update", map[string]string{"step": "secret"})
	w.says(token, "unlock", `{"passphrase":"right"}`, "result")
	w.bell.Ring("update", map[string]string{"step": "last"})
	var got []string
	for range 3 {
		got = append(got, read(ws))
	}
	if all := strings.Join(got, "\n"); !strings.Contains(all, `"locked"`) || !strings.Contains(all, `"unlocked"`) || !strings.Contains(all, "last") || strings.Contains(all, "secret") {
		t.Error(all)
	}
}

// After an update the same tab goes on in the next process, with the passphrase and not without.
func TestATabOutlivesTheProcess(t *testing.T) {
	before := newWorld(t)
	token := before.enter()
	before.stop()
	file := filepath.Join(t.TempDir(), "state")
	restart := func(same bool, wait time.Duration) *world {
		w := newWorld(t)
		w.later(wait)
		if err := before.page.Save(file, addr(before.at), 1); err != nil {
			t.Fatal(err)
		}
		s, err := web.ReadState(file)
		if err != nil || strings.Contains(fmt.Sprint(s), token) {
			t.Fatal(s, err)
		}
		if s.Address != before.at {
			t.Error(s)
		}
		if same { // the port may be somebody else's by now; what is judged is what both are called
			s.Address = w.at
		}
		w.page.Restore(s)
		return w
	}
	after := restart(true, time.Minute)
	after.says(token, "version", "{}", `"code":-5`)
	after.says(token, "status", "{}", "locked")
	after.says(after.enter(), "version", "{}", "1.2.3") // who comes with a key is not meant
	if status, _, _ := after.ask("POST", "/restore", "", "Authorization", "Bearer "+token, "Content-Type", "application/octet-stream"); status != 403 {
		t.Error(status)
	}
	thief, _, err := after.listen("http://"+after.at, token)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(thief); !strings.Contains(got, `"locked":true`) {
		t.Error(got)
	}
	after.bell.Ring("update", map[string]string{"step": "secret"})
	after.says(token, "unlock", `{"passphrase":"wrong"}`, "does not open")
	_, answer := after.call(token, "unlock", `{"passphrase":"right"}`)
	var unlocked struct{ Result struct{ Token string } }
	if err := json.Unmarshal([]byte(answer), &unlocked); err != nil || unlocked.Result.Token == "" {
		t.Fatal(answer, err)
	}
	after.says(unlocked.Result.Token, "version", "{}", "1.2.3")
	if status, _ := after.call(token, "version", "{}"); status != 401 {
		t.Error("the old token is good still:", status)
	}
	for got := read(thief); ; got = read(thief) {
		if strings.Contains(got, "secret") {
			t.Error("a socket of the old token hears", got)
		}
		if strings.Contains(got, "close") || strings.Contains(got, "EOF") {
			break
		}
	}
	after.stop()
	if status, _ := restart(true, 11*time.Minute).call(token, "version", "{}"); status != 401 {
		t.Error("an old state:", status)
	}
	if status, _ := restart(false, time.Minute).call(token, "version", "{}"); status != 401 {
		t.Error("another port:", status)
	}
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

// What we serve obeys the policy by itself: no inline scripts or handlers, nothing from elsewhere.
func TestTheFilesOfThePage(t *testing.T) {
	w := newWorld(t)
	total := 0
	inline, handler, remote := regexp.MustCompile(`<script(>| [^>]*>[^<])`), regexp.MustCompile(`<[^>]+ on\w+=`), regexp.MustCompile(`(src|href)="https?:`)
	err := fs.WalkDir(page.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(page.Files(), name)
		if err != nil {
			return err
		}
		status, body, header := w.ask("GET", "/"+name, "")
		if status != 200 || !bytes.Equal([]byte(body), b) || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d", name, status)
		}
		total += len(b)
		if strings.HasSuffix(name, ".html") && (inline.Match(b) || handler.Match(b) || remote.Match(b)) {
			t.Errorf("%s has what the policy forbids", name)
		}
		return nil
	})
	if err != nil || total == 0 || total > 300_000 {
		t.Errorf("%d bytes, want some and at most 300,000: %v", total, err)
	}
	for _, path := range []string{"/nothing.js", "/../web.go", "/%2e%2e/page.go", "/page.go", "//etc/passwd"} {
		if status, _, _ := w.ask("GET", path, ""); status == 200 {
			t.Errorf("%s is served", path)
		}
	}
}
