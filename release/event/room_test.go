package event_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-project/countersign/release/event"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// room serves the world's events over HTTP.
func room(t *testing.T, w *World) (*event.HTTPStore, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(&event.Handler{Store: w.Room.Events, Busy: make(chan struct{}, 2)})
	t.Cleanup(srv.Close)
	return event.HTTP(srv.URL+"/events/", srv.Client()), srv
}

// Over HTTP an event is what it is in its directory, and answers are taken and refused alike.
func TestRoomOverHTTP(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	store, _ := room(t, w)
	list, err := store.List(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	found, err := event.Find(t.Context(), store, id.Short())
	if err != nil || found != id {
		t.Fatal(found, err)
	}
	p, err := event.Load(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckFiles(t.Context(), store, nil); err != nil {
		t.Error(err)
	}
	sigs, err := p.Sign("stable", w.People[Ana].Auditor)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if err := store.PutSignature(t.Context(), id, sigs[0]); err != nil {
			t.Fatal(err)
		}
		if err := store.PutStatement(t.Context(), id, w.Bundle(Ana, w.Rebuilt(id))); err != nil {
			t.Fatal(err)
		}
	}
	if p, err = event.Load(t.Context(), store, id); err != nil || len(p.Signatures) != 1 || len(p.Statements) != 1 {
		t.Fatal(p, err)
	}
	if !bytes.Equal(export(t, store, id, false), export(t, w.Room.Events, id, false)) {
		t.Error("the export over HTTP differs")
	}
	other := w.Stage("1.0.0", "beta")
	refused(t, store.PutSignature(t.Context(), other, sigs[0]), "signature is for event "+id.Short()+", not for "+other.Short()+"; what is signed for one event counts for no other")
	refused(t, store.PutStatement(t.Context(), other, w.Bundle(Ana, w.Rebuilt(id))), ", not about "+other.Short())
	missing := id
	missing[5] ^= 1
	if err := store.PutSignature(t.Context(), missing, sigs[0]); !errors.Is(err, event.ErrNoEvent) {
		t.Error(err)
	}
	if _, err := event.Load(t.Context(), store, missing); !errors.Is(err, event.ErrNoEvent) {
		t.Error(err)
	}
}

// What strangers may ask for, and what they get.
func TestRoomAgainstStrangers(t *testing.T) {
	w, id := staged(t)
	_, srv := room(t, w)
	base := "/events/" + id.String() + "/"
	do := func(method, path string, body io.Reader) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, srv.URL+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = path // exactly as written, dots and all
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, c := range []struct {
		method, path string
		body         io.Reader
		want         int
	}{
		{"GET", base + "event.json", nil, 200},
		{"GET", base, nil, 200},
		{"HEAD", base + "source.bundle", nil, 200},
		{"GET", base + "../../../etc/passwd", nil, 404},
		{"GET", base + "..%2f..%2frepository%2fmetadata%2ftimestamp.json", nil, 404},
		{"GET", base + ".lock", nil, 404},
		{"GET", base + "signatures/", nil, 404},
		{"GET", base + "artifacts", nil, 404},
		{"GET", "/events/" + strings.ToUpper(id.String()) + "/event.json", nil, 404},
		{"GET", "/events/" + id.String(), nil, 404},
		{"GET", "/events/" + strings.Repeat("0", 64) + "/", nil, 404},
		{"DELETE", base + "event.json", nil, 405},
		{"POST", base + "signatures/x", strings.NewReader("x"), 405},
		{"PUT", base + "event.json", strings.NewReader("x"), 422},
		{"PUT", base + "signatures/stable." + strings.Repeat("a", 64) + ".json", strings.NewReader("{}"), 422},
		{"PUT", base + "signatures/../event.json", strings.NewReader("{}"), 422},
		{"PUT", base + "statements/new", strings.NewReader("{}"), 422},
		{"PUT", base + "statements/new", strings.NewReader(strings.Repeat("x", 600<<10)), 413},
		{"PUT", base + "signatures/stable." + strings.Repeat("a", 64) + ".json", strings.NewReader(strings.Repeat("x", 5<<10)), 413},
	} {
		if got, text := do(c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s: %d %q, want %d", c.method, c.path, got, text, c.want)
		}
	}
	if err, bad := check(t, w, id); err != nil || bad != nil {
		t.Error("the event after all that:", err, bad)
	}
}

// A fetch goes on where it stopped, from a server with ranges or without, and wrong bytes never get the
// file's name.
func TestFetchResumes(t *testing.T) {
	w, id := staged(t)
	store, _ := room(t, w)
	p := w.Load(id)
	const name = "artifacts/linux-amd64/messenger"
	dir := t.TempDir()
	ignoring := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		(&event.Handler{Store: w.Room.Events}).ServeHTTP(rw, r)
	}))
	defer ignoring.Close()
	for i, s := range []event.Store{store, event.HTTP(ignoring.URL+"/events/", nil), w.Room.Events} {
		path := filepath.Join(dir, string(rune('a'+i)), "messenger")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".unverified", []byte("messen"), 0o644); err != nil {
			t.Fatal(err)
		}
		var last int64
		if err := p.Fetch(t.Context(), s, name, path, func(done, total int64) { last = done }); err != nil || last != 15 {
			t.Fatal(i, last, err)
		}
		if b, _ := os.ReadFile(path); string(b) != "messenger 1.0.0" {
			t.Errorf("%d: %q", i, b)
		}
		if _, err := os.Stat(path + ".unverified"); err == nil {
			t.Error("the partial file is still there")
		}
	}
	path := filepath.Join(dir, "bad")
	if err := os.WriteFile(path+".unverified", []byte("nessen"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := p.Fetch(t.Context(), store, name, path, nil)
	if err == nil || !strings.HasPrefix(err.Error(), name+" has sha256 ") {
		t.Error(err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 0 {
		t.Error("wrong bytes stayed:", left)
	}
}

// A room that lies is found out.
func TestLyingRoom(t *testing.T) {
	w, id := staged(t)
	honest := &event.Handler{Store: w.Room.Events}
	for _, c := range []struct {
		name string
		lie  func(path string) (string, bool)
		want string
	}{
		{"another event.json", func(p string) (string, bool) { return "{}", strings.HasSuffix(p, "/event.json") }, "its event.json has the id 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a: it was changed after the event was opened, or put under a wrong name"},
		{"other metadata", func(p string) (string, bool) { return "{}", strings.HasSuffix(p, "/metadata/stable.json") }, "metadata/stable.json is not what event.json and its files derive to: it was changed after the event was opened"},
		{"endless file", func(p string) (string, bool) {
			return strings.Repeat("x", 300<<10), strings.HasSuffix(p, "/event.json")
		}, "event.json is longer than the 262144 bytes allowed"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if text, ok := c.lie(r.URL.Path); ok {
				_, _ = io.WriteString(rw, text)
				return
			}
			honest.ServeHTTP(rw, r)
		}))
		_, err := event.Load(t.Context(), event.HTTP(srv.URL+"/events/", nil), id)
		refused(t, err, c.want)
		srv.Close()
	}
	var garbage = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, "<html>") }))
	defer garbage.Close()
	if _, err := event.HTTP(garbage.URL+"/events/", nil).List(t.Context()); err == nil || isRefusal(err) {
		t.Error("a web page was taken for a room, or for an attack:", err)
	}
}

func isRefusal(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}

// Many people answer at once and nobody's answer is lost.
func TestAnswersAtOnce(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	p := w.Load(id)
	var wg sync.WaitGroup
	for i := range w.People {
		sigs, err := p.Sign("stable", w.People[i].Auditor)
		if err != nil {
			t.Fatal(err)
		}
		stmt := w.Bundle(i, w.Rebuilt(id))
		for range 2 {
			wg.Go(func() {
				if err := w.Room.Events.PutSignature(context.Background(), id, sigs[0]); err != nil {
					t.Error(err)
				}
				if err := w.Room.Events.PutStatement(context.Background(), id, stmt); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if p := w.Load(id); len(p.Signatures) != 5 || len(p.Statements) != 5 || len(p.Bad) != 0 {
		t.Errorf("%d signatures, %d statements, %v", len(p.Signatures), len(p.Statements), p.Bad)
	}
}

// One key cannot fill the room with statements.
func TestStatementFlood(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	r := w.Rebuilt(id)
	for i := range 8 {
		r.Builder = strings.Repeat("x", i+1)
		put(w, id, w.Bundle(Ana, r))
	}
	r.Builder = "one more"
	refused(t, w.Room.Events.PutStatement(t.Context(), id, w.Bundle(Ana, r)), "this key has made 8 statements on event "+id.Short()+" already")
	put(w, id, w.Bundle(Ben, r))
}

// A connection that was used before is closed by the room at the moment an answer is sent on it: the answer is sent on a new one.
func TestAnAnswerOnAConnectionThatIsJustBeingClosed(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	honest := &event.Handler{Store: w.Room.Events}
	var mu sync.Mutex
	read, cut := map[string]bool{}, 0 // connections on which something was read, answers that were cut off
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		used := read[r.RemoteAddr]
		read[r.RemoteAddr] = true
		if used && r.Method == http.MethodPut {
			cut++
		}
		mu.Unlock()
		if used && r.Method == http.MethodPut {
			panic(http.ErrAbortHandler) // closes it without an answer
		}
		honest.ServeHTTP(rw, r)
	}))
	defer srv.Close()
	store := event.HTTP(srv.URL+"/events/", srv.Client())
	p, err := event.Load(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	sigs, err := p.Sign("stable", w.People[Ana].Auditor)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutSignature(t.Context(), id, sigs[0]); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if p := w.Load(id); len(p.Signatures) != 1 || cut == 0 {
		t.Errorf("%d signatures, %d answers were cut off", len(p.Signatures), cut)
	}
}
