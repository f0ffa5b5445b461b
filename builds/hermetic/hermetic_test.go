package hermetic

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// goroot returns the toolchain of the machine that runs the test.
func goroot(t *testing.T) string {
	t.Helper()
	root, err := FindToolchain(os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		t.Fatal(err)
	}
	return root
}

func newBox(t *testing.T, o Options) *Box {
	t.Helper()
	if o.Goroot == "" {
		o.Goroot = goroot(t)
	}
	o.Temp = t.TempDir()
	b, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
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

func module(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.org/m\n\ngo 1.26.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func version(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(goroot(t), "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	v, _, _ := strings.Cut(string(b), "\n")
	return v
}

// With a good toolchain, the go command sees exactly the pins, for every target.
func TestCheck(t *testing.T) {
	b, dir := newBox(t, Options{Modules: t.TempDir()}), module(t)
	for _, p := range [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}, {"windows", "amd64"}} {
		if err := b.Check(context.Background(), dir, version(t), p[0], p[1]); err != nil {
			t.Errorf("%v: %v", p, err)
		}
	}
	refused(t, b.Check(context.Background(), dir, "go1.1.1", "linux", "amd64"), `the go command uses GOVERSION="`+version(t)+`", want "go1.1.1"`)
	sub := filepath.Join(dir, "sub") // a tree without a go.mod would silently use one above it
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	refused(t, b.Check(context.Background(), sub, version(t), "linux", "amd64"), `the go command uses GOMOD="`+filepath.Join(dir, "go.mod")+`"`)
}

// A toolchain whose go.env was edited is found out by name, even if its hash were not looked at.
func TestEditedGoEnv(t *testing.T) {
	real := goroot(t)
	for _, c := range []struct{ line, want string }{
		{"GOEXPERIMENT=nodwarf5", `the go command uses GOEXPERIMENT="nodwarf5", want ""`},
		{"GOPRIVATE=*", `the go command uses GONOPROXY="*", want ""`},
		{"GOBIN=/tmp", `the go command uses GOBIN="/tmp", want ""`},
	} {
		fake := t.TempDir()
		entries, err := os.ReadDir(real)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() == "go.env" {
				continue
			}
			if err := os.Symlink(filepath.Join(real, e.Name()), filepath.Join(fake, e.Name())); err != nil {
				t.Skip("no symbolic links here")
			}
		}
		if err := os.WriteFile(filepath.Join(fake, "go.env"), []byte(c.line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		b := newBox(t, Options{Goroot: fake})
		refused(t, b.Check(context.Background(), module(t), version(t), "linux", "amd64"), c.want)
	}
}

// The user's go/env file is not read, whatever it says.
func TestUserGoEnv(t *testing.T) {
	b, dir := newBox(t, Options{}), module(t)
	for _, p := range []string{filepath.Join(b.configDir(), "go"), filepath.Join(b.home(), ".config", "go")} {
		if err := os.MkdirAll(p, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p, "env"), []byte("GOFLAGS=-tags=evil\nGOAMD64=v3\nGOEXPERIMENT=nodwarf5\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Check(context.Background(), dir, version(t), "linux", "amd64"); err != nil {
		t.Error(err)
	}
}

// A process in the box reaches no server, not even one on this machine.
func TestNetwork(t *testing.T) {
	if addr := os.Getenv("BOX_DIAL"); addr != "" { // the process in the box
		c, err := net.DialTimeout("tcp", addr, 2*time.Minute)
		if err == nil {
			c.Close()
			os.Exit(7)
		}
		return
	}
	b := newBox(t, Options{})
	if b.Isolation() != OwnNetwork {
		t.Skipf("this system keeps the compiler off the network by %s", b.Isolation())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, degree := range []Isolation{OwnNetwork, SettingsOnly} {
		cmd := b.command(context.Background(), self, "-test.run=^TestNetwork$")
		cmd.Env = []string{"BOX_DIAL=" + l.Addr().String()}
		isolate(cmd, degree)
		err := cmd.Run()
		var exit *exec.ExitError
		reached := errors.As(err, &exit) && exit.ExitCode() == 7
		if err != nil && !reached {
			t.Fatal(err)
		}
		if want := degree == SettingsOnly; reached != want {
			t.Errorf("%s: reached a server: %v, want %v", degree, reached, want)
		}
	}
}

// When the context ends, everything a command started ends with it.
func TestCancel(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	b := newBox(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := b.command(ctx, "/bin/sh", "-c", "sleep 600 & echo started; wait")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	buf := make([]byte, 16)
	if _, err := pipe.Read(buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("a killed command ended well")
	}
	// The pipe ends only when the child, which also holds it, is gone.
	if n, _ := pipe.Read(buf); n != 0 {
		t.Errorf("read %q after the end", buf[:n])
	}
}

func TestPinned(t *testing.T) {
	a, b := newBox(t, Options{}), newBox(t, Options{Modules: t.TempDir()})
	if x, y := strings.Join(a.Pinned(), "\n"), strings.Join(b.Pinned(), "\n"); x != y {
		t.Errorf("two boxes have different records:\n%s\n\n%s", x, y)
	}
	for _, want := range []string{"GOENV=off", "GOFLAGS=-buildvcs=false -mod=readonly -trimpath", "GOAMD64=v1", "GOEXPERIMENT=", "CGO_ENABLED=0", "GOROOT=(verified toolchain)"} {
		if !strings.Contains("\n"+strings.Join(a.Pinned(), "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("the record lacks %q", want)
		}
	}
	for _, kv := range a.Pinned() {
		if strings.Contains(kv, a.root) || strings.Contains(kv, a.goroot) {
			t.Errorf("the record shows a place on this machine: %q", kv)
		}
	}
}

func TestModuleTreeURL(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b,c|d%e")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip(err)
	}
	u, err := FileURL(dir)
	if err != nil || !strings.HasPrefix(u, "file:///") || strings.ContainsAny(u, " ,|") || !strings.HasSuffix(u, "/a%20b%2Cc%7Cd%25e") {
		t.Errorf("got %q, %v", u, err)
	}
	if _, err := FileURL(filepath.Join(dir, "gone")); err == nil {
		t.Error("a missing module tree was accepted")
	}
}

// A killed command's child ends its last system call late, and makes a file in the box while that is removed: the box goes all the same. What never
// goes is told.
func TestCloseThoughOneMoreFileIsMade(t *testing.T) {
	b := newBox(t, Options{})
	dir, err := b.Dir("late")
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("directory not empty")
	tries := 0
	synctest.Test(t, func(t *testing.T) {
		err = insist(func() error {
			tries++
			if tries < 3 {
				return errors.Join(full, os.WriteFile(filepath.Join(dir, "more"), nil, 0o600))
			}
			return b.remove()
		})
		if _, gone := os.Stat(b.root); err != nil || tries != 3 || !os.IsNotExist(gone) {
			t.Errorf("%v after %d tries; %v", err, tries, gone)
		}
		if err := insist(func() error { return full }); err != full {
			t.Errorf("what cannot be removed: %v", err)
		}
	})
}
