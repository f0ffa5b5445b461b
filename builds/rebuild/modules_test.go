package rebuild

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/countersign-project/countersign/builds/archive"
)

// fetchWorld has the world's source tree and an environment whose only proxy is the world's module tree.
func fetchWorld(t *testing.T) (w *world, f Fetch) {
	w = newWorld(t)
	proxy := "file://" + filepath.ToSlash(w.modules)
	if !strings.HasPrefix(proxy, "file:///") {
		proxy = strings.Replace(proxy, "file://", "file:///", 1)
	}
	f.Environ = append(append([]string{}, w.env...), "GOPROXY="+proxy, "GOMODCACHE="+t.TempDir(), "GOENV=off")
	return w, f
}

// What is fetched suffices for a build, is packed the same by everyone, and comes out again.
func TestFetchModules(t *testing.T) {
	w, f := fetchWorld(t)
	addModule(t, w.modules, "example.org/unused", "v1.0.0", "package unused\n")
	dir := filepath.Join(t.TempDir(), "modules")
	check(t, f.Modules(context.Background(), w.repo, dir))
	files, err := listFiles(dir)
	check(t, err)
	if got := strings.Join(files, " "); got != "example.org/dep/@v/v1.0.0.info example.org/dep/@v/v1.0.0.mod example.org/dep/@v/v1.0.0.zip" && got != "example.org/dep/@v/v1.0.0.mod example.org/dep/@v/v1.0.0.zip" {
		t.Errorf("fetched %s", got)
	}
	var b bytes.Buffer
	check(t, PackModules(dir, &b))
	back := filepath.Join(t.TempDir(), "back")
	check(t, UnpackModules(bytes.NewReader(b.Bytes()), back))
	o := w.options()
	o.Modules = back
	m, _ := w.must(o)
	o = w.options()
	o.Modules, o.Environ = "", f.Environ // the build fetches by itself
	again, _ := w.must(o)
	if sums(m) != sums(again) {
		t.Error("fetched and carried modules make other bytes")
	}
	plainError(t, f.Modules(context.Background(), w.repo, dir), "is not empty")
}

// The person's module cache is asked first: a second run needs no network.
func TestFetchFromCache(t *testing.T) {
	w, f := fetchWorld(t)
	cache := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(cache, "cache"), 0o755))
	check(t, os.Rename(w.modules, filepath.Join(cache, "cache", "download")))
	f.Environ = append(f.Environ, "GOPROXY=off", "GOMODCACHE="+cache)
	check(t, f.Modules(context.Background(), w.repo, filepath.Join(t.TempDir(), "m")))
}

// A module that is not what go.sum says is refused wherever it was changed.
func TestTamperedModule(t *testing.T) {
	const zip = "example.org/dep/@v/v1.0.0.zip"
	t.Run("fetched", func(t *testing.T) {
		w, f := fetchWorld(t)
		spoilZip(t, filepath.Join(w.modules, zip))
		refused(t, f.Modules(context.Background(), w.repo, filepath.Join(t.TempDir(), "m")), "checksum mismatch")
	})
	t.Run("carried", func(t *testing.T) {
		w := newWorld(t)
		w.must(w.options())
		spoilZip(t, filepath.Join(w.modules, zip))
		// The cache holds the good module, compiled: the zip is checked all the same.
		_, err := w.build(w.options())
		refused(t, err, "checksum mismatch")
	})
	t.Run("go.mod", func(t *testing.T) {
		w := newWorld(t)
		check(t, os.WriteFile(filepath.Join(w.modules, "example.org/dep/@v/v1.0.0.mod"), []byte("module example.org/dep\n\ngo 1.25.0\n"), 0o644))
		_, err := w.build(w.options())
		refused(t, err, "checksum mismatch")
	})
	t.Run("missing", func(t *testing.T) {
		w := newWorld(t)
		check(t, os.Remove(filepath.Join(w.modules, zip)))
		_, err := w.build(w.options())
		plainError(t, err, "example.org/dep")
	})
	t.Run("unpacked cache", func(t *testing.T) { // the person's own, edited by another program
		w, f := fetchWorld(t)
		cache := t.TempDir()
		edited := filepath.Join(cache, "example.org", "dep@v1.0.0")
		check(t, os.MkdirAll(edited, 0o755))
		check(t, os.WriteFile(filepath.Join(edited, "a.go"), []byte("package dep\n\nfunc Name() string { return \"evil\" }\n"), 0o644))
		f.Environ = append(f.Environ, "GOMODCACHE="+cache)
		o := w.options()
		o.Modules, o.Environ = "", f.Environ
		_, out := w.must(o)
		if got := run(t, out); got != "hello dep none" {
			t.Errorf("the program says %q", got)
		}
	})
}

// A modules.tar holds files of modules and nothing else.
func TestUnpackModules(t *testing.T) {
	for name, want := range map[string]string{
		"evil.sh":                               `archive: "evil.sh" is not a file of a module tree`,
		"example.org/dep/@v/list":               `archive: "example.org/dep/@v/list" is not a file of a module tree`,
		"example.org/dep/@v/v1.0.0.ziphash":     "is not a file of a module tree",
		"example.org/dep/@v/sub/v1.0.0.zip":     "is not a file of a module tree",
		"example.org/Dep/@v/v1.0.0.zip":         `is not a file of a module tree: invalid escaped module path "example.org/Dep"`,
		"noDot/@v/v1.0.0.zip":                   "is not a file of a module tree: invalid escaped module path",
		"sumdb/sum.example/supported":           "is not a file of a module tree",
		"example.org/dep/@v/v1.0.0/../../x.zip": "archive: malformed file path",
	} {
		var b bytes.Buffer
		err := archive.Write(&b, []archive.File{{Name: name, Open: nil}})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, UnpackModules(&b, t.TempDir()), want)
	}
	stray := t.TempDir()
	check(t, os.WriteFile(filepath.Join(stray, "notes.txt"), nil, 0o644))
	plainError(t, PackModules(stray, &bytes.Buffer{}), `"notes.txt" is not a file of a module tree`)
	var b bytes.Buffer
	check(t, archive.WriteDir(&b, fstest.MapFS{"github.com/!burnt!sushi/toml/@v/v1.0.0.zip": {Data: []byte("x")}}))
	check(t, UnpackModules(&b, t.TempDir()))
}

func FuzzUnpackModules(f *testing.F) {
	var b bytes.Buffer
	if err := archive.WriteDir(&b, fstest.MapFS{"example.org/dep/@v/v1.0.0.zip": {Data: []byte("x")}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if UnpackModules(bytes.NewReader(b), dir) != nil {
			return
		}
		var again bytes.Buffer
		if err := PackModules(dir, &again); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("accepted what packs differently: %v", err)
		}
	})
}
