package mirror

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// world returns a repository with one release for two platforms.
func world(t *testing.T) *repotest.World {
	t.Helper()
	w := repotest.New(t, 5, 3)
	w.Release("1.0.0", programs("1.0.0"))
	return w
}

func programs(version string) map[string][]byte {
	return map[string][]byte{
		"linux-amd64/messenger":                       []byte("messenger " + version + " amd64"),
		"linux-amd64/messengerd":                      []byte("messengerd " + version + " amd64"),
		"linux-arm64/messenger":                       []byte(strings.Repeat("messenger "+version+" arm64 ", 9999)),
		"countersign-" + version + "-linux-amd64.tar": []byte("tar " + version),
	}
}

// current is the repository without what newer metadata has replaced, which a new mirror does not need.
func current(w *repotest.World) map[string][]byte {
	files := w.Files()
	for name, b := range files {
		m := versioned.FindStringSubmatch(name)
		if m != nil && m[2] != "root" && string(w.Role(m[2])) != string(b) {
			delete(files, name)
		}
	}
	return files
}

// source serves a repository.
func source(name string, files map[string][]byte) fetch.Source {
	fsys := fstest.MapFS{}
	for path, b := range files {
		fsys[path] = &fstest.MapFile{Data: b}
	}
	return fetch.Dir(fsys, name)
}

func options(w *repotest.World, dir string, sources ...fetch.Source) Options {
	if sources == nil {
		sources = []fetch.Source{source("origin", w.Files())}
	}
	return Options{Dir: dir, Anchor: anchor.Anchor{Root: w.Anchor()}, Now: func() time.Time { return w.Now },
		Courier: &fetch.Courier{Sources: sources}}
}

func sync(t *testing.T, o Options) Result {
	t.Helper()
	r, err := Sync(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// listing is every file of a directory but our own state.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if name := filepath.ToSlash(rel); err == nil && !e.IsDir() && !hidden(name) {
			b, rerr := os.ReadFile(path)
			got[name], err = string(b), rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// wantMirror wants the directory to hold all of the repository and nothing else, apart from these.
func wantMirror(t *testing.T, dir string, files map[string][]byte, others ...string) {
	t.Helper()
	got := listing(t, dir)
	for _, o := range others {
		if _, ok := got[o]; !ok {
			t.Errorf("%s is gone", o)
		}
		delete(got, o)
	}
	for name, b := range files {
		if got[name] != string(b) {
			t.Errorf("%s: %d bytes, want the %d of the repository", name, len(got[name]), len(b))
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is there, and is not in the repository", name)
	}
}

// lying changes what a source gives.
type lying struct {
	fetch.Source
	change func(path string) fetch.Source // nil for the honest answer
}

func (l lying) Open(ctx context.Context, path string, offset int64) (body readCloser, size, start int64, err error) {
	if s := l.change(path); s != nil {
		return s.Open(ctx, path, offset)
	}
	return l.Source.Open(ctx, path, offset)
}

func keysOf(files map[string][]byte) []string {
	var list []string
	for name := range files {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}
