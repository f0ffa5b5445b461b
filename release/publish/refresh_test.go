package publish_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
)

func refresh(t *testing.T, w *World, force bool) publish.Refreshed {
	t.Helper()
	x, err := publish.ExpiryOf(t.Context(), w.Room.Events, w.Published())
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Room.Repository.Refresh(t.Context(), w.Now, x, force)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Snapshot and timestamp are signed again at half of their life, by the distribution's own numbers.
func TestRefreshAtHalfLife(t *testing.T) {
	w := New(t)
	w.Expiry = "[expiry]\nsnapshot_days = 4\ntimestamp_hours = 10\n"
	w.Distribute()
	start := w.Now
	for _, c := range []struct {
		after time.Duration
		want  publish.Refreshed
	}{
		{time.Hour, publish.Refreshed{}},
		{5*time.Hour - time.Second, publish.Refreshed{}},
		{5 * time.Hour, publish.Refreshed{Timestamp: 2}},
		{9 * time.Hour, publish.Refreshed{}},
		{10 * time.Hour, publish.Refreshed{Timestamp: 3}},
		{48 * time.Hour, publish.Refreshed{Snapshot: 2, Timestamp: 4}},
		{400 * time.Hour, publish.Refreshed{Snapshot: 3, Timestamp: 5}}, // long after both expired
	} {
		w.Now = start.Add(c.after)
		if got := refresh(t, w, false); got != c.want {
			t.Errorf("after %s: %+v, want %+v", c.after, got, c.want)
		}
	}
	if got := refresh(t, w, true); got != (publish.Refreshed{Snapshot: 4, Timestamp: 6}) {
		t.Errorf("forced: %+v", got)
	}
}

// A clock that went back signs nothing: users remember the later time.
func TestClockBack(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	w.Rebuild(id, Ana, Ben, Cleo)
	w.SignAll(id, Ana, Ben, Cleo)
	w.Now = w.Now.AddDate(-1, 0, 0)
	const want = "the clock says 2025-11-21T12:00:00Z, and what is published was made 2026-11-21T12:00:00Z: set the clock first"
	if err := publishing(w, id); err == nil || err.Error() != want {
		t.Error(err)
	}
	if _, err := w.Room.Repository.Refresh(t.Context(), w.Now, event.DefaultExpiry(), true); err == nil || err.Error() != want {
		t.Error(err)
	}
}

// People are told of a coming expiry in three steps.
func TestExpiries(t *testing.T) {
	w := New(t)
	w.Distribute()
	s, err := w.Room.Repository.Load()
	if err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]string{
		0: "", 59: "", 60: "notice beta, notice stable", 75: "warning beta, warning stable", 86: "alarm beta, alarm stable",
		91: "alarm beta, alarm stable", 120: "notice targets, alarm beta, alarm stable", 250: "notice root, alarm targets, alarm beta, alarm stable",
	} {
		var got []string
		for _, e := range s.Expiries(w.Now.AddDate(0, 0, days)) {
			got = append(got, string(e.Level)+" "+e.Role)
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("after %d days: %q, want %q", days, text, want)
		}
	}
	e := s.Expiries(w.Now.AddDate(0, 0, 100))[0]
	if want := "beta expired on 2027-02-19: open an event with `countersign init --renew beta`"; e.Text != want {
		t.Error(e.Text)
	}
	e = s.Expiries(w.Now.AddDate(0, 0, 80))[0]
	if want := "beta expires in 10 days, on 2027-02-19: open an event with `countersign init --renew beta`"; e.Text != want {
		t.Error(e.Text)
	}
}

// Files that nothing names are told, and stay where they are.
func TestForeignFiles(t *testing.T) {
	w := New(t)
	w.Distribute()
	w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	for _, name := range []string{"index.html", "metadata/99.stable.json", "metadata/notes.txt", "targets/stable/1.0.0/evil", "evidence/" + strings.Repeat("a", 64) + ".json"} {
		path := filepath.Join(w.Room.Repository.Dir, filepath.FromSlash(name))
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	report, err := w.Room.Step(t.Context(), w.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(report.Foreign, " "), "evidence/"+strings.Repeat("a", 64)+".json index.html metadata/99.stable.json metadata/notes.txt targets/stable/1.0.0/evil"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// A repository somebody wrote into is not built upon.
func TestTamperedRepository(t *testing.T) {
	w := New(t)
	w.Distribute()
	w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	for _, name := range []string{"metadata/timestamp.json", "metadata/2.snapshot.json", "metadata/2.stable.json", "metadata/1.targets.json", "metadata/1.root.json"} {
		path := filepath.Join(w.Room.Repository.Dir, filepath.FromSlash(name))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := []byte(strings.Replace(string(good), `"expires":"20`, `"expires":"21`, 1))
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = w.Room.Repository.Load()
		var r interface{ Refused() bool }
		if !errors.As(err, &r) || !strings.HasPrefix(err.Error(), "repository "+w.Room.Repository.Dir+": ") {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A missing target is noticed where it matters: the policy by the publisher, the rest by mirrors.
	if err := os.RemoveAll(filepath.Join(w.Room.Repository.Dir, "targets")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Room.Repository.Load(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A program starts from the first root and follows over HTTP, from version to version, through a change of
// people and keys.
func TestClientFollows(t *testing.T) {
	w := New(t)
	w.Distribute()
	srv := httptest.NewServer(w.Room.Handler(nil))
	defer srv.Close()
	dir := t.TempDir()
	follow := func(want int64) {
		t.Helper()
		c, err := client.Open(dir, w.Base().Roots[0])
		if err != nil {
			t.Fatal(err)
		}
		courier := &fetch.Courier{Sources: []fetch.Source{fetch.HTTP(srv.URL+"/repository", srv.Client())}}
		set, _, err := c.Refresh(t.Context(), courier, w.Now, "stable", "beta")
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := set.Role("stable"); r.Version != want {
			t.Fatalf("stable %d, want %d", r.Version, want)
		}
	}
	follow(1)
	w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	follow(2)
	old := w.People[Eva]
	w.People[Eva] = NewMember("Femi Ade", "Zeta", "NG")
	id, err := w.Room.Events.OpenRoles(t.Context(), w.TOML(), w.Base(), nil, w.Opening())
	if err != nil {
		t.Fatal(err)
	}
	w.SignAll(id, Ana, Ben, Cleo)
	w.Publish(id)
	follow(3)
	w.Release("1.1.0", "stable", Dai, Eva, Cleo)
	follow(4)
	late := w.Stage("1.2.0", "stable")
	if _, err := w.Load(late).Sign("stable", old.Auditor); err == nil {
		t.Error("somebody who left still signs")
	}
	w.Now = w.Now.Add(13 * time.Hour)
	refresh(t, w, false)
	follow(4)
}

// What strangers may read of a room's repository.
func TestServedFiles(t *testing.T) {
	w := New(t)
	w.Distribute()
	if err := os.WriteFile(filepath.Join(w.Dir, "secret"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Room.Repository.Dir, "metadata", ".copying-1"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(w.Dir, "secret"), filepath.Join(w.Room.Repository.Dir, "metadata", "9.root.json")); err != nil {
		t.Log("no symbolic links here:", err)
	}
	srv := httptest.NewServer(w.Room.Handler(nil))
	defer srv.Close()
	for path, want := range map[string]int{
		"/":                                         200,
		"/repository/metadata/timestamp.json":       200,
		"/repository/metadata/1.root.json":          200,
		"/repository/metadata/2.root.json":          404,
		"/repository/metadata/9.root.json":          404,
		"/repository/metadata/.copying-1":           404,
		"/repository/metadata/":                     404,
		"/repository/":                              404,
		"/repository/metadata/%2e%2e/%2e%2e/secret": 404,
		"/repository/metadata/..%2f..%2fsecret":     404,
		"/secret":                                   404,
		"/repository.lock":                          404,
	} {
		req, err := http.NewRequest("GET", srv.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = path
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %d %q, want %d", path, resp.StatusCode, body, want)
		}
		if path == "/repository/metadata/timestamp.json" && resp.Header.Get("Cache-Control") != "no-cache" {
			t.Error("a timestamp that may be cached")
		}
	}
	resp, err := srv.Client().Post(srv.URL+"/repository/metadata/timestamp.json", "", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Error("POST:", resp.Status)
	}
}
