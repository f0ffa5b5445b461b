package rebuild

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/builds/source"
)

// What a machine, a user or a place may have different does not change a byte: research 1.1, row by row.
// A shared cache serves all rows that reach the bytes, if at all, in go list, the linker or the archive;
// TestEverythingAtOnce compiles afresh.
func TestVariations(t *testing.T) {
	w := newWorld(t)
	base, out := w.must(w.options())
	baseText, err := os.ReadFile(filepath.Join(out, ManifestFile))
	check(t, err)
	with := func(kv ...string) func(t *testing.T, o *Options) {
		return func(t *testing.T, o *Options) { o.Environ = append(append([]string{}, o.Environ...), kv...) }
	}
	userFile := t.TempDir()
	for _, dir := range []string{"go", ".config/go"} {
		check(t, os.MkdirAll(filepath.Join(userFile, dir), 0o755))
		check(t, os.WriteFile(filepath.Join(userFile, dir, "env"), []byte("GOFLAGS=-tags=evil\nGOAMD64=v4\nGOEXPERIMENT=nodwarf5\nCGO_ENABLED=1\n"), 0o644))
	}
	for name, vary := range map[string]func(t *testing.T, o *Options){
		"again":              func(*testing.T, *Options) {},
		"time zone":          with("TZ=Pacific/Kiritimati"),
		"locale":             with("LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8"),
		"GOPATH, GOMODCACHE": with("GOPATH=/nowhere", "GOMODCACHE=/nowhere/mod", "GOCACHE=/nowhere/cache", "GOTMPDIR=/nowhere/tmp", "GOBIN=/nowhere/bin"),
		"proxies":            with("GOPROXY=off", "GOSUMDB=off", "GONOSUMDB=*", "GOPRIVATE=*", "GOINSECURE=*", "HTTPS_PROXY=http://127.0.0.1:1"),
		"one processor":      with("GOMAXPROCS=1", "GOGC=10", "GOMEMLIMIT=1GiB"),
		"go.work":            with("GOWORK=/nowhere/go.work", "GO111MODULE=off"),
		"C compilers":        with("CC=/bin/false", "CXX=/bin/false", "PKG_CONFIG=/bin/false", "AR=/bin/false"),
		"GODEBUG":            with("GODEBUG=installgoroot=all", "GOTRACEBACK=crash"),
		"SOURCE_DATE_EPOCH":  with("SOURCE_DATE_EPOCH=1"),
		"user's go env file": with("HOME="+userFile, "XDG_CONFIG_HOME="+userFile),
		"GOENV file":         with("GOENV=" + filepath.Join(userFile, "go", "env")),
		"newer go asked for": with("GOTOOLCHAIN=go1.99.9"),
		"git's settings":     with("GIT_DIR=/nowhere", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.autocrlf", "GIT_CONFIG_VALUE_0=true"),
		"place with spaces": func(t *testing.T, o *Options) {
			temp := filepath.Join(t.TempDir(), "a place, with | odd names")
			check(t, os.MkdirAll(temp, 0o755))
			t.Setenv("TMPDIR", temp)
			t.Setenv("TMP", temp)
			linkTree(t, w.modules, filepath.Join(temp, "m"))
			o.Modules, o.Out = filepath.Join(temp, "m"), filepath.Join(temp, "out put")
		},
		"modules in a tar": func(t *testing.T, o *Options) {
			var b bytes.Buffer
			check(t, PackModules(w.modules, &b))
			o.Modules = filepath.Join(t.TempDir(), "modules.tar")
			check(t, os.WriteFile(o.Modules, b.Bytes(), 0o644))
		},
		"bundle": func(t *testing.T, o *Options) {
			o.Source, o.Rev = filepath.Join(t.TempDir(), "source.bundle"), base.Source.Commit
			w.git("bundle", "create", "-q", o.Source, "main")
		},
		"bare clone, by branch": func(t *testing.T, o *Options) {
			o.Source, o.Rev = filepath.Join(t.TempDir(), "clone.git"), "main"
			w.git("clone", "-q", "--bare", ".", o.Source)
		},
		"times and modes of sources": func(t *testing.T, o *Options) {
			clone := filepath.Join(t.TempDir(), "clone")
			w.git("clone", "-q", ".", clone)
			main := filepath.Join(clone, "cmd", "hello", "main.go")
			check(t, os.Chmod(main, 0o600))
			check(t, os.Chtimes(main, time.Unix(1e9, 0), time.Unix(1e9, 0)))
			o.Source = clone
		},
		"tag on the commit": func(t *testing.T, o *Options) { w.git("tag", "v9.9.9") }, // VCS stamping would show it
		"untracked file, commit named": func(t *testing.T, o *Options) {
			o.Rev = "HEAD"
			w.write(map[string]string{"cmd/hello/evil.go": "package main\n\nfunc init() { println(\"evil\") }\n"})
			t.Cleanup(func() { check(t, os.Remove(filepath.Join(w.repo, "cmd", "hello", "evil.go"))) })
		},
		"umask": umask,
	} {
		t.Run(name, func(t *testing.T) {
			o := w.options()
			vary(t, &o)
			m, out := w.must(o)
			if sums(m) != sums(base) {
				t.Errorf("other bytes:\n%s\nwant\n%s", sums(m), sums(base))
			}
			text, err := os.ReadFile(filepath.Join(out, ManifestFile))
			check(t, err)
			if !bytes.Equal(text, baseText) {
				t.Errorf("other build.json:\n%s\nwant\n%s", text, baseText)
			}
			checkModes(t, out)
		})
	}
}

// What compiles differently is not hidden by a cache: everything that can differ on one machine does, and
// both sides compile every package themselves.
func TestEverythingAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the runtime twice")
	}
	w := newWorld(t)
	o := w.options()
	o.Cache = ""
	base, _ := w.must(o)
	moved := filepath.Join(t.TempDir(), "other go root")
	linkTree(t, goroot(t), moved)
	temp := filepath.Join(t.TempDir(), "other", "temp dir")
	check(t, os.MkdirAll(temp, 0o755))
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	o = w.options()
	o.Cache, o.Toolchain = "", moved
	o.Environ = append(o.Environ, "TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "GOPATH=/x", "HOME=/x", "USER=other", "HOSTNAME=other")
	umask(t, &o)
	m, _ := w.must(o)
	if sums(m) != sums(base) {
		t.Errorf("other bytes:\n%s\nwant\n%s", sums(m), sums(base))
	}
}

// A vendor folder is part of the tree but never of the program: nobody would check it against go.sum.
func TestVendorIsIgnored(t *testing.T) {
	w := newWorld(t)
	base, _ := w.must(w.options())
	w.write(map[string]string{
		"vendor/modules.txt":          "# example.org/dep v1.0.0\n## explicit; go 1.26.0\nexample.org/dep\n",
		"vendor/example.org/dep/a.go": "package dep\n\nfunc Name() string { return \"vendored\" }\n",
	})
	w.commit()
	m, out := w.must(w.options())
	if got := run(t, out); got != "hello dep none" {
		t.Errorf("the program says %q", got)
	}
	if m.Artifacts[1] != base.Artifacts[1] {
		t.Error("a vendor folder changed the program")
	}
}

// checkModes wants the modes of the output whatever the umask was.
func checkModes(t *testing.T, out string) {
	t.Helper()
	if !modesMatter {
		return
	}
	files, err := listFiles(out)
	check(t, err)
	for _, name := range files {
		info, err := os.Stat(filepath.Join(out, name))
		check(t, err)
		want := os.FileMode(0o644)
		if strings.HasSuffix(name, "/hello") {
			want = 0o755
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
}

// The exported source has the modes of the tree, whatever the umask.
func TestExportUnderUmask(t *testing.T) {
	w := newWorld(t)
	var o Options
	umask(t, &o)
	dir := filepath.Join(t.TempDir(), "export")
	_, err := source.Export(context.Background(), w.repo, "", dir, w.env)
	check(t, err)
	info, err := os.Stat(filepath.Join(dir, "VERSION"))
	check(t, err)
	if modesMatter && info.Mode().Perm() != 0o644 {
		t.Errorf("VERSION has mode %v", info.Mode())
	}
}
