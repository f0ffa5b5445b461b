// Package hermetic runs the go command so that nothing but the source, the recipe, the verified
// toolchain and the checked modules can reach the bytes it makes.
//
// The parties: the person who builds, with all that has gathered in their environment; the module tree,
// brought by a stranger; and the source, which is compiled but never run. What keeps each out:
//
//   - the environment is empty but for a pinned list; GOENV=off keeps the user's go/env file out, and an
//     ambient variable that would change the bytes of a plain build is refused by name beforehand, since
//     the person should know that their own builds differ;
//   - the toolchain is hashed whole and must have the hash of the Go checksum database;
//   - modules come from a file tree and are unpacked into a fresh module cache, so that every zip is
//     checked against the source's go.sum; an unpacked cache or a vendor folder is never believed;
//   - the build cache is fresh, or one that a single auditor keeps for themselves: its objects are
//     trusted as found;
//   - on Linux the compiler runs in a network namespace without interfaces where the kernel allows it.
//
// The worst that whoever owns the account can do is anything: a hermetic build convinces its own maker,
// and others only in so far as several makers who do not know each other got the same bytes.
package hermetic

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Options says what a Box is made of.
type Options struct {
	Goroot  string // the toolchain, already verified by VerifyToolchain
	Modules string // module tree in GOPROXY file layout; "" for a source without dependencies
	Cache   string // the auditor's private cache directory; "" makes a fresh build cache
	Temp    string // where the private directory is made; "" is the system's place
}

// Box is one hermetic place to run the go command in. Close removes it.
type Box struct {
	goroot    string
	root      string // private: home, temporary files, module cache
	cache     string // GOCACHE
	proxy     string // GOPROXY
	isolation Isolation
}

// refusal is an error that means: looked at, and found wrong.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// New makes the private directories and finds out how far the system can isolate a process.
func New(ctx context.Context, o Options) (*Box, error) {
	goroot, err := filepath.EvalSymlinks(o.Goroot)
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w", err)
	}
	if goroot, err = filepath.Abs(goroot); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(o.Temp, "countersign-build-")
	if err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	b := &Box{goroot: goroot, root: root, cache: filepath.Join(root, "cache"), proxy: "off"}
	if err := b.furnish(ctx, o); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Box) furnish(ctx context.Context, o Options) error {
	for _, dir := range []string{b.home(), b.tmp(), filepath.Join(b.configDir(), "go", "telemetry")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	// With counting on, the go command may leave a process behind that writes here after Close.
	if err := os.WriteFile(filepath.Join(b.configDir(), "go", "telemetry", "mode"), []byte("off"), 0o600); err != nil {
		return err
	}
	if o.Modules != "" {
		proxy, err := FileURL(o.Modules)
		if err != nil {
			return err
		}
		b.proxy = proxy
	}
	if o.Cache != "" {
		cache, err := openCache(o.Cache)
		if err != nil {
			return err
		}
		b.cache = cache
	}
	return b.probe(ctx)
}

// FileURL is the directory as the go command wants it in GOPROXY, where a comma would start another one.
func FileURL(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", fmt.Errorf("module tree: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("module tree %s is not a directory", dir)
	}
	p := filepath.ToSlash(abs)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/…
	}
	u := url.URL{Scheme: "file", Path: p}
	return strings.NewReplacer(",", "%2C", "|", "%7C").Replace(u.String()), nil
}

func (b *Box) home() string     { return filepath.Join(b.root, "home") }
func (b *Box) tmp() string      { return filepath.Join(b.root, "tmp") }
func (b *Box) gopath() string   { return filepath.Join(b.root, "gopath") }
func (b *Box) modcache() string { return filepath.Join(b.root, "modules") }
func (b *Box) program() string {
	return filepath.Join(b.goroot, "bin", "go"+map[bool]string{true: ".exe"}[runtime.GOOS == "windows"])
}

// configDir is where os.UserConfigDir points for a process in the box.
func (b *Box) configDir() string {
	if runtime.GOOS == "darwin" {
		return filepath.Join(b.home(), "Library", "Application Support")
	}
	return filepath.Join(b.home(), "config") // named in XDG_CONFIG_HOME and AppData
}

// Dir makes a directory inside the box, gone with it.
func (b *Box) Dir(name string) (string, error) {
	dir := filepath.Join(b.root, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// ModuleDownloads is where the go command of this box keeps what it fetched, in GOPROXY layout.
func (b *Box) ModuleDownloads() string { return filepath.Join(b.modcache(), "cache", "download") }

// How often, and at which distance, removing a box is tried. Of a command that was killed, children may be in the middle of a system call when the
// command itself has ended, and make one more file where everything was removed already. What they find gone they cannot write to, and they are
// killed, too: the next try or the one after gets everything.
const (
	removeTries = 100
	removePause = 20 * time.Millisecond
)

// Close removes the box.
func (b *Box) Close() error { return insist(b.remove) }

// insist tries until it works, or too often.
func insist(remove func() error) (err error) {
	for range removeTries {
		if err = remove(); err == nil {
			return nil
		}
		time.Sleep(removePause)
	}
	return err
}

// remove tries it once. The module cache's directories are read-only, so they are opened first.
func (b *Box) remove() error {
	err := filepath.WalkDir(b.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // RemoveAll will say it better
		}
		if d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(b.root))
}
