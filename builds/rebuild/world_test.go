package rebuild

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/recipe"
)

// cacheVariable names the build cache that the tests of this process share.
const cacheVariable = "BUILDS_TEST_CACHE"

// TestMain makes the shared cache: without it, every test would compile the runtime again.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "builds-test-")
	if err != nil {
		panic(err)
	}
	os.Setenv(cacheVariable, filepath.Join(dir, "cache"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// world is a source repository with one tiny program for this machine, the module it needs, and a cache
// that tests share where what they vary cannot hide in it.
type world struct {
	t       testing.TB
	repo    string
	modules string // GOPROXY file tree
	cache   string
	env     []string
}

const mainGo = `package main

import "example.org/dep"

var version = "none"

func main() { println("hello", dep.Name(), version) }
`

func newWorld(t *testing.T) *world {
	t.Helper()
	need(t, "git")
	r := ownRecipe(t)
	w := &world{t: t, repo: t.TempDir(), modules: t.TempDir(), cache: os.Getenv(cacheVariable)}
	for _, name := range []string{"PATH", "SYSTEMROOT"} {
		if v := os.Getenv(name); v != "" {
			w.env = append(w.env, name+"="+v)
		}
	}
	w.env = append(w.env, "HOME="+t.TempDir(), "GOROOT="+goroot(t))
	sums := addModule(t, w.modules, "example.org/dep", "v1.0.0", "package dep\n\n// Name names it.\nfunc Name() string { return \"dep\" }\n")
	w.write(map[string]string{
		"go.mod":  "module example.org/hello\n\ngo 1.26.0\n\nrequire example.org/dep v1.0.0\n",
		"go.sum":  sums,
		"VERSION": "1.4.0\n", "LICENSE": "free\n", "cmd/hello/main.go": mainGo,
		recipe.Path: fmt.Sprintf(`version_file = "VERSION"
[toolchain]
go = %q
[toolchain.h1]
%q = %q
[[program]]
name = "hello"
package = "./cmd/hello"
[build]
platforms = [%q]
ldflags = ["-s", "-w"]
[archive]
name = "greeting"
files = ["LICENSE"]
`, r.Go, host(), r.ToolchainH1[host()], host()),
	})
	w.git("init", "-q", "-b", "main", ".")
	w.commit()
	return w
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed", program)
		}
		t.Skipf("%s is not installed", program)
	}
}

// ownRecipe is this repository's recipe; its toolchain must be the one that runs the test.
func ownRecipe(t testing.TB) recipe.Recipe {
	t.Helper()
	b, err := os.ReadFile("../recipe.toml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile(filepath.Join(goroot(t), "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(version), "\n"); first != r.Go || r.ToolchainH1[host()] == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs %s on a host that the recipe knows; this is %s on %s", r.Go, first, host())
		}
		t.Skipf("the recipe has no hash of %s on %s", first, host())
	}
	return r
}

func goroot(t testing.TB) string {
	t.Helper()
	root, err := hermetic.FindToolchain(os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// addModule puts a module of one file into a GOPROXY file tree and returns its lines of go.sum.
func addModule(t *testing.T, tree, path, version, text string) string {
	t.Helper()
	src := t.TempDir()
	mod := "module " + path + "\n\ngo 1.26.0\n"
	for name, text := range map[string]string{"go.mod": mod, "a.go": text} {
		check(t, os.WriteFile(filepath.Join(src, name), []byte(text), 0o644))
	}
	dir := filepath.Join(tree, filepath.FromSlash(path), "@v")
	check(t, os.MkdirAll(dir, 0o755))
	var b bytes.Buffer
	check(t, modzip.CreateFromDir(&b, module.Version{Path: path, Version: version}, src))
	for ext, body := range map[string][]byte{".zip": b.Bytes(), ".mod": []byte(mod), ".info": []byte(`{"Version":"` + version + `"}`)} {
		check(t, os.WriteFile(filepath.Join(dir, version+ext), body, 0o644))
	}
	zipSum, err := dirhash.HashZip(filepath.Join(dir, version+".zip"), dirhash.Hash1)
	check(t, err)
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(mod)), nil })
	check(t, err)
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", path, version, zipSum, path, version, modSum)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(files map[string]string) {
	w.t.Helper()
	for name, text := range files {
		p := filepath.Join(w.repo, filepath.FromSlash(name))
		check(w.t, os.MkdirAll(filepath.Dir(p), 0o755))
		check(w.t, os.WriteFile(p, []byte(text), 0o644))
	}
}

// read returns a file of the work tree.
func (w *world) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.repo, filepath.FromSlash(name)))
	check(w.t, err)
	return string(b)
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.repo
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=maintenance.auto", "GIT_CONFIG_VALUE_0=false", // a clone of many objects would be tidied up in the background
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) commit() string {
	w.git("add", "-A")
	w.git("commit", "-q", "-m", "change")
	return w.git("rev-parse", "HEAD")
}

// options are those of an ordinary build with the shared cache.
func (w *world) options() Options {
	return Options{Source: w.repo, Modules: w.modules, Cache: w.cache, Environ: w.env, Out: filepath.Join(w.t.TempDir(), "out")}
}

func (w *world) build(o Options) (Manifest, error) { return Build(context.Background(), o) }

// must builds and returns manifest and output.
func (w *world) must(o Options) (Manifest, string) {
	w.t.Helper()
	m, err := w.build(o)
	check(w.t, err)
	return m, o.Out
}

// refused wants a refusal with that text in it.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var r interface{ Refused() bool }
	if !errors.As(err, &r) || !r.Refused() {
		t.Fatalf("err = %v, want a refusal saying %q", err, want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("refused with %q, want %q", err, want)
	}
}

// plainError wants an error that is no refusal.
func plainError(t *testing.T, err error, want string) {
	t.Helper()
	var r interface{ Refused() bool }
	if err == nil || errors.As(err, &r) && r.Refused() || !strings.Contains(err.Error(), want) {
		t.Fatalf("err = %v, want a plain error saying %q", err, want)
	}
}

// sums maps each artifact to its hash.
func sums(m Manifest) string {
	var b strings.Builder
	for _, a := range m.Artifacts {
		fmt.Fprintf(&b, "%s %d %s\n", a.Path, a.Length, a.SHA256)
	}
	return b.String()
}

// spoilZip changes one byte of a file inside a module's zip, keeping the zip itself sound.
func spoilZip(t *testing.T, name string) {
	t.Helper()
	r, err := zip.OpenReader(name)
	check(t, err)
	defer r.Close()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		body, err := fs.ReadFile(r, f.Name)
		check(t, err)
		e, err := w.Create(f.Name)
		check(t, err)
		_, err = e.Write(bytes.ReplaceAll(body, []byte(`"dep"`), []byte(`"bad"`)))
		check(t, err)
	}
	check(t, w.Close())
	check(t, os.WriteFile(name, b.Bytes(), 0o644))
}

// linkTree copies a directory by hard links where it can.
func linkTree(t *testing.T, from, to string) {
	t.Helper()
	from, err := filepath.EvalSymlinks(from)
	check(t, err)
	check(t, filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if os.Link(p, target) == nil {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, info.Mode().Perm())
	}))
}

// run starts a program that was built for this machine.
func run(t *testing.T, out string) string {
	t.Helper()
	p := filepath.Join(out, runtime.GOOS+"-"+runtime.GOARCH, recipe.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}.File("hello"))
	b, err := exec.Command(p).CombinedOutput()
	check(t, err)
	return strings.TrimSpace(string(b))
}
