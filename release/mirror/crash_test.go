package mirror

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEveryWriteThatFails puts a directory in the place of each new file in turn, so that the write to it
// fails. What was visible before must be visible after, and the next sync must complete.
func TestEveryWriteThatFails(t *testing.T) {
	w := world(t)
	before, start := current(w), source("origin", w.Files())
	w.Now = w.Now.Add(time.Hour)
	w.Release("1.1.0", programs("1.1.0"))
	after := current(w)
	for _, name := range keysOf(after) {
		if _, old := before[name]; old {
			continue
		}
		dir := t.TempDir()
		sync(t, options(w, dir, start))
		obstacle := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Sync(t.Context(), options(w, dir)); err == nil || !strings.Contains(err.Error(), obstacle) {
			t.Errorf("obstacle at %s: error %v, want one that names it", name, err)
		}
		got := listing(t, dir)
		for old, b := range before {
			if got[old] != string(b) {
				t.Errorf("obstacle at %s: %s is not what it was", name, old)
			}
		}
		if err := os.RemoveAll(obstacle); err != nil {
			t.Fatal(err)
		}
		sync(t, options(w, dir))
		both := maps.Clone(before)
		maps.Copy(both, after)
		wantMirror(t, dir, both)
	}
}

// What a crash leaves behind is cleaned up: temporary files, downloads nobody wants, a missing mark.
func TestLeftOversOfACrash(t *testing.T) {
	w, dir := world(t), t.TempDir()
	// Killed between making our directory and setting the mark.
	if err := os.Mkdir(filepath.Join(dir, stateDir), 0o755); err != nil {
		t.Fatal(err)
	}
	sync(t, options(w, dir))
	for _, name := range []string{"metadata/.durable-1-0", "targets/stable/.durable-7-3", stateDir + "/.durable-1-1", stateDir + "/partial/" + strings.Repeat("ab", 32)} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, stateDir, "stored.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := sync(t, options(w, dir)); r.Kept != 7 || len(r.Foreign) != 0 {
		t.Errorf("%+v", r)
	}
	wantMirror(t, dir, current(w))
	for _, place := range []string{"", "partial"} {
		entries, err := os.ReadDir(filepath.Join(dir, stateDir, place))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".durable") || place == "partial" {
				t.Errorf("%s is left", e.Name())
			}
		}
	}
}
