package publish_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// The room serves the files that a log has, and nothing else that lies in its folder.
func TestTheRoomServesTheLog(t *testing.T) {
	w := New(t)
	for _, name := range []string{"checkpoint", "tile/0/000", "tile/0/x001/234.p/7", "tile/entries/001.p/255", "lock", "tile/0/.durable-1-1", "tile/data/000"} {
		path := filepath.Join(w.Room.Repository.Dir, "log", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := w.Room.Handler(nil)
	get := func(path string) *httptest.ResponseRecorder {
		r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.URL.Path = "/repository/log" + path
		h.ServeHTTP(rec, r)
		return rec
	}
	for path, want := range map[string]string{
		"/checkpoint":             "no-cache text/plain; charset=utf-8",
		"/tile/0/000":             "public, max-age=31536000, immutable application/octet-stream",
		"/tile/0/x001/234.p/7":    "no-cache application/octet-stream",
		"/tile/entries/001.p/255": "no-cache application/octet-stream",
	} {
		r := get(path)
		if got := r.Header().Get("Cache-Control") + " " + r.Header().Get("Content-Type"); r.Code != 200 || r.Body.String() != path[1:] || got != want {
			t.Errorf("%s: %d %q %s, want %s", path, r.Code, r.Body, got, want)
		}
	}
	for _, path := range []string{"", "/", "/lock", "/tile/0/.durable-1-1", "/tile/data/000", "/tile/0/x001/234.p", "/tile/0/001"} {
		if r := get(path); r.Code != 404 {
			t.Errorf("%q: %d, want not found", path, r.Code)
		}
	}
}
