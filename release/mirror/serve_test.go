package mirror

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask makes one request without a network.
func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestServeGivesFilesWithTheRightHeaders(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	h := Handler(dir)
	for name, b := range current(w) {
		got := ask(h, "GET", "/"+name)
		if got.Code != 200 || got.Body.String() != string(b) {
			t.Errorf("%s: %d, %d bytes", name, got.Code, got.Body.Len())
		}
		want := "public, max-age=31536000, immutable"
		if name == "metadata/timestamp.json" || strings.HasPrefix(name, "evidence/") {
			want = "no-cache"
		}
		if cc := got.Header().Get("Cache-Control"); cc != want {
			t.Errorf("%s: Cache-Control %q, want %q", name, cc, want)
		}
		if head := ask(h, "HEAD", "/"+name); head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != got.Header().Get("Content-Length") {
			t.Errorf("%s: HEAD %d, %d bytes", name, head.Code, head.Body.Len())
		}
		part := ask(h, "GET", "/"+name, "Range", "bytes=5-")
		if part.Code != 206 || part.Body.String() != string(b[5:]) {
			t.Errorf("%s: range %d, %d bytes", name, part.Code, part.Body.Len())
		}
		if tag := got.Header().Get("ETag"); strings.HasPrefix(name, "targets/") {
			if again := ask(h, "GET", "/"+name, "If-None-Match", tag); tag == "" || again.Code != 304 {
				t.Errorf("%s: asked again with tag %s: %d, want 304", name, tag, again.Code)
			}
		}
	}
}

func TestServeHidesEverythingElse(t *testing.T) {
	w, top := world(t), t.TempDir()
	dir := filepath.Join(top, "mirror")
	sync(t, options(w, dir))
	for name, content := range map[string]string{"../secret": "x", "README": "x", "metadata/.hidden": "x", "metadata/.git/config": "x"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(top, "secret"), filepath.Join(dir, "metadata", "link.json")); err != nil {
		t.Log(err)
	}
	h := Handler(dir)
	for _, path := range []string{"/", "", "/metadata", "/metadata/", "/targets/stable", "/README", "/metadata/.hidden", "/metadata/.git/config",
		"/" + stateDir + "/" + markFile, "/" + stateDir + "/tuf/root.json", "/metadata/../README", "/metadata/../../secret", "/metadata/..%2fREADME",
		"/metadata/..\\..\\secret", "//metadata/timestamp.json", "/metadata//timestamp.json", "/metadata/./timestamp.json", "/metadata/timestamp.json/",
		"/metadata/link.json", "/metadata/timestamp.json\x00", "/metadata/9.root.json", "/evidence/nothing.json"} {
		got := ask(h, "GET", path)
		if got.Code != 404 || got.Body.String() != "not found\n" {
			t.Errorf("%q: %d %q, want not found", path, got.Code, got.Body)
		}
		if cc := got.Header().Get("Cache-Control"); cc != "no-store" {
			t.Errorf("%q: Cache-Control %q, want no-store", path, cc)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		if got := ask(h, method, "/metadata/timestamp.json"); got.Code != 405 || got.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, want 405", method, got.Code)
		}
	}
}

// Of the log the files that a log has are served, and nothing that only lies there.
func TestServeGivesTheLog(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"log/checkpoint", "log/tile/0/000", "log/tile/0/x001/234.p/7", "log/tile/entries/001.p/255", "log/lock", "log/tile/0/.durable-1-1", "log/tile/data/000", "tile/0/000"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := Handler(dir)
	for path, want := range map[string]string{
		"/log/checkpoint":             "no-cache text/plain; charset=utf-8",
		"/log/tile/0/000":             "public, max-age=31536000, immutable application/octet-stream",
		"/log/tile/0/x001/234.p/7":    "no-cache application/octet-stream",
		"/log/tile/entries/001.p/255": "no-cache application/octet-stream",
	} {
		r := ask(h, "GET", path)
		if got := r.Header().Get("Cache-Control") + " " + r.Header().Get("Content-Type"); r.Code != 200 || r.Body.String() != path[1:] || got != want {
			t.Errorf("%s: %d %q %s, want %s", path, r.Code, r.Body, got, want)
		}
	}
	for _, path := range []string{"/log", "/log/", "/log/lock", "/log/tile/0/.durable-1-1", "/log/tile/data/000", "/log/tile/0/000/", "/log//checkpoint", "log/checkpoint",
		"//log/checkpoint", "/tile/0/000", "/log/../log/checkpoint", "/log/tile/0/x001/234.p", "/log/tile/0/001"} {
		if r := ask(h, "GET", path); r.Code != 404 {
			t.Errorf("%q: %d, want not found", path, r.Code)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, ln, Handler(dir)) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/metadata/timestamp.json")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != string(w.Role("timestamp")) {
		t.Errorf("got %q", b)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("error %v, want none", err)
	}
}

// An answer under way when serving ends is finished, and Serve waits for it: the program may end when it returns. One that takes too long is not.
func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	for takes, finished := range map[time.Duration]bool{graceful - time.Second: true, graceful + time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			ln := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
			ln.conn <- there
			ctx, cancel := context.WithCancel(t.Context())
			began := make(chan struct{})
			done := make(chan error, 1)
			go func() {
				done <- Serve(ctx, ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					close(began)
					time.Sleep(takes)
					_, _ = io.WriteString(w, "whole")
				}))
			}()
			got := make(chan string, 1)
			go func() {
				defer here.Close()
				_, _ = io.WriteString(here, "GET / HTTP/1.0\r\n\r\n")
				b, _ := io.ReadAll(here)
				got <- string(b)
			}()
			<-began
			cancel()
			ended := time.Now()
			if err := <-done; err != nil {
				t.Errorf("error %v, want none", err)
			}
			if took := time.Since(ended); took < min(takes, graceful) || took > graceful {
				t.Errorf("an answer that took %v: Serve returned after %v", takes, took)
			}
			if text := <-got; strings.HasSuffix(text, "whole") != finished {
				t.Errorf("an answer that took %v: got %q", takes, text)
			}
			time.Sleep(2 * time.Second) // the handler ends
		})
	}
}

// oneConn is a listener on which one connection comes in.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
