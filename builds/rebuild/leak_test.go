package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/builds/hermetic"
)

// Each row of research 1.2 that comes through the environment is refused by name, before anything else
// is looked at.
func TestLeaksInEnvironment(t *testing.T) {
	for _, kv := range []string{
		"GOFLAGS=-buildvcs=true", "GOFLAGS=-mod=vendor", "GOFLAGS=-overlay=/tmp/overlay.json", "GOFLAGS=-tags=x", "GOFLAGS=-ldflags=-X=main.version=evil",
		"GOFLAGS=-toolexec=/tmp/evil", "GOAMD64=v3", "GOARM64=v9.0", "GOEXPERIMENT=none", "GOFIPS140=latest", "CGO_ENABLED=1", "GO_EXTLINK_ENABLED=1",
		"GOCACHEPROG=/tmp/evil", "CGO_LDFLAGS=-static", "GOOS=plan9", "GO_LDSO=/tmp/ld.so",
	} {
		name, value, _ := strings.Cut(kv, "=")
		_, err := Build(t.Context(), Options{Source: "nowhere", Out: filepath.Join(t.TempDir(), "out"), Environ: []string{kv}})
		refused(t, err, name)
		var e *hermetic.AmbientError
		if !errors.As(err, &e) || e.Name != name || e.Value != value {
			t.Errorf("%s: %v", kv, err)
		}
	}
}

// A toolchain with one file more, or one byte changed, does not get to compile.
func TestToolchainTampered(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(root string) error{
		"added": func(root string) error {
			return os.WriteFile(filepath.Join(root, "src", "runtime", "zz_evil.go"), []byte("package runtime\n"), 0o644)
		},
		"changed": func(root string) error {
			p := filepath.Join(root, "src", "fmt", "print.go")
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			return errors.Join(os.Remove(p), os.WriteFile(p, append(b, '\n'), 0o644)) // a new file: the old one is linked
		},
		"removed": func(root string) error { return os.Remove(filepath.Join(root, "LICENSE")) },
	} {
		root := filepath.Join(t.TempDir(), "go")
		linkTree(t, goroot(t), root)
		check(t, change(root))
		o := w.options()
		o.Toolchain = root
		_, err := w.build(o)
		if err == nil || !strings.Contains(err.Error(), "it is not the one in the Go checksum database") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		refused(t, err, "toolchain ")
	}
}

// A cache of somebody else's making is not believed.
func TestForeignCache(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Cache = t.TempDir()
	check(t, os.WriteFile(filepath.Join(o.Cache, "README"), []byte("This directory holds cached build artifacts.\n"), 0o600))
	_, err := w.build(o)
	refused(t, err, "was not made by this builder")
}

// What differs is found by comparison of bytes alone, and no build.json can talk it away.
func TestCompare(t *testing.T) {
	w := newWorld(t)
	m, theirs := w.must(w.options())
	m2, ours := w.must(w.options())
	diffs, err := Compare(m.Artifacts, theirs, ours)
	if err != nil || len(diffs) != 0 {
		t.Fatalf("equal builds: %+v, %v", diffs, err)
	}
	program := filepath.Join(ours, filepath.FromSlash(m2.Artifacts[1].Path))
	good, err := os.ReadFile(program)
	check(t, err)

	w.write(map[string]string{"cmd/hello/main.go": strings.Replace(mainGo, "hello", "hullo", 1)})
	w.commit()
	_, other := w.must(w.options())
	diffs, err = Compare(m.Artifacts, theirs, other)
	if err != nil || len(diffs) != 3 || diffs[0].Path != m.Artifacts[0].Path || !strings.Contains(diffs[1].Text(), "hello") || !strings.HasPrefix(diffs[0].Cause, `entry "greeting-1.4.0-`) {
		t.Errorf("another constant: %+v, %v", diffs, err)
	}
	diffs, err = Compare(m.Artifacts, "", other)
	if err != nil || len(diffs) != 3 || diffs[1].Cause != "differs; the other side's bytes are not at hand" {
		t.Errorf("without their bytes: %+v, %v", diffs, err)
	}
	diffs, err = Compare(m.Artifacts, other, ours) // their files are not what they announced; ours are
	if err != nil || len(diffs) != 0 {
		t.Errorf("equality looks at their files: %+v, %v", diffs, err)
	}

	check(t, os.Remove(program))
	check(t, os.WriteFile(filepath.Join(ours, "surprise"), nil, 0o644))
	diffs, err = Compare(m.Artifacts, theirs, ours)
	if err != nil || len(diffs) != 2 || diffs[0].Cause != "missing: it was not made" || diffs[1].Cause != "extra: nobody asked for it" {
		t.Errorf("missing and extra: %+v, %v", diffs, err)
	}
	check(t, os.WriteFile(program, append(good, 0), 0o755))
	diffs, err = Compare(m.Artifacts, other, ours)
	if err != nil || len(diffs) != 2 || !strings.HasPrefix(diffs[0].Cause, "differs; the other side's file does not have the hash it announced either") {
		t.Errorf("both differ: %+v, %v", diffs, err)
	}
	diffs, err = Compare(m.Artifacts, theirs, filepath.Join(ours, "gone"))
	if err != nil || len(diffs) != 3 {
		t.Errorf("nothing was made: %+v, %v", diffs, err)
	}
	if _, err := Compare(nil, theirs, ours); err == nil {
		t.Error("nothing was wanted, and all is well")
	}
}
