package update_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// The world of these tests: a repository in memory with five auditors, three of whom must sign; one
// device with a home; and a real program (testdata/cmd/messenger) that is compiled once and whose
// versions differ in their last line.

// compiled builds a stand-in program once for all tests.
func compiled(t testing.TB, name string) []byte {
	t.Helper()
	b, err := build(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	builds   = map[string][]byte{}
	buildsMu sync.Mutex
)

func build(name string) ([]byte, error) {
	buildsMu.Lock()
	defer buildsMu.Unlock()
	if b, ok := builds[name]; ok {
		return b, nil
	}
	dir, err := os.MkdirTemp("", "fixture")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./testdata/cmd/"+name)
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	builds[name] = b
	return b, err
}

// program is one version of the stand-in, which behaves in one of the ways its source names.
func program(t testing.TB, version, behave string) []byte {
	t.Helper()
	line, err := json.Marshal(map[string]string{"version": version, "behave": behave})
	if err != nil {
		t.Fatal(err)
	}
	return append(append(bytes.Clone(compiled(t, "messenger")), "\nFIXTURE "...), line...)
}

// platform is the folder of this machine's artifacts.
func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }

// fileName is the program's file name on this machine.
func fileName() string { return home.At("", "messenger").File() }

// device is one machine with a program on it.
type device struct {
	t       testing.TB
	world   *repotest.World
	base    string // the file the person started first
	version string // that runs
	home    home.Home
	now     time.Time
	events  []update.Event
	sources []fetch.Source // nil: one honest mirror

	logPolicy []byte // that the program was built with
}

// newDevice is a machine on which version 1.0.0 was just installed, and a repository that has released
// that version.
func newDevice(t testing.TB, c repotest.Config) *device {
	t.Helper()
	dir := t.TempDir()
	d := &device{t: t, world: repotest.NewWith(t, c), version: "1.0.0", base: filepath.Join(dir, fileName()), home: home.At(filepath.Join(dir, "home"), "messenger")}
	d.now = d.world.Now.Add(time.Hour)
	write(t, d.base, program(t, "1.0.0", ""), 0o755)
	d.publish("1.0.0", "")
	return d
}

// publish releases a version that behaves in that way.
func (d *device) publish(version, behave string, change ...func(*repotest.Release)) repotest.Made {
	d.t.Helper()
	r := repotest.Release{Version: version, Artifacts: map[string][]byte{platform() + "/" + fileName(): program(d.t, version, behave)}}
	for _, c := range change {
		c(&r)
	}
	return d.world.Publish(r)
}

// mirror is an honest source, of what is published at the moment.
func (d *device) mirror() fetch.Source {
	files := fstest.MapFS{}
	for name, b := range d.world.Files() {
		files[name] = &fstest.MapFile{Data: b, Mode: 0o444}
	}
	return fetch.Dir(files, "honest mirror")
}

func (d *device) anchor() anchor.Anchor {
	return anchor.Anchor{Name: "Example", Root: d.world.Anchor(), Policy: d.world.Policy, Mirrors: []string{"https://mirror.example/"}, LogPolicy: d.logPolicy}
}

// updater is the program's own, as it is when the device's version runs.
func (d *device) updater() *update.Updater {
	sources := d.sources
	if sources == nil {
		sources = []fetch.Source{d.mirror()}
	}
	return &update.Updater{
		Home: d.home, Anchor: d.anchor(), Running: d.running(), Variable: "MESSENGER_HOME",
		Courier: &fetch.Courier{Sources: sources, MinRate: -1},
		Now:     func() time.Time { return d.now },
		Report:  func(e update.Event) { d.events = append(d.events, e) },
	}
}

func (d *device) running() update.Running {
	r := update.Running{Version: d.version, Base: "1.0.0", BasePath: d.base, Path: d.base, OS: runtime.GOOS, Arch: runtime.GOARCH}
	if d.version != "1.0.0" {
		r.Installed, r.Path = d.version, d.home.Executable(d.version)
	}
	return r
}

// update runs one round.
func (d *device) update() (update.Result, error) {
	d.t.Helper()
	return d.updater().Update(context.Background())
}

// mustUpdate installs and confirms the newest version, which then runs.
func (d *device) mustUpdate() {
	d.t.Helper()
	r, err := d.update()
	if err != nil || !r.Installed {
		d.t.Fatalf("update: %+v, %v", r, err)
	}
	d.confirm(r.Newest)
}

func (d *device) confirm(version string) {
	d.t.Helper()
	_, err := d.home.Change(func(s *home.State) error {
		s.Serve(version)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.version = version
}

func (d *device) state() home.State {
	d.t.Helper()
	s, err := d.home.Load()
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// about is what the running version says of itself.
func (d *device) about() update.About {
	return update.Describe(d.anchor(), nil, d.home, d.running(), d.now)
}

// serveFiles puts repository and anchor on disk for real processes, and returns their environment.
func (d *device) environ() []string {
	d.t.Helper()
	dir := filepath.Dir(d.base)
	repo, anch := filepath.Join(dir, "mirror"), filepath.Join(dir, "anchor")
	for name, b := range d.world.Files() {
		write(d.t, filepath.Join(repo, filepath.FromSlash(name)), b, 0o644)
	}
	write(d.t, filepath.Join(anch, "root.json"), d.world.Anchor(), 0o644)
	write(d.t, filepath.Join(anch, "policy.json"), d.world.Policy, 0o644)
	write(d.t, filepath.Join(anch, "mirrors.json"), d.world.Mirrors, 0o644)
	return []string{
		"MESSENGER_HOME=" + filepath.Dir(d.home.Dir), "FIXTURE_REPOSITORY=file://" + filepath.ToSlash(repo), "FIXTURE_ANCHOR=" + anch,
		"FIXTURE_NOW=" + d.now.Format(time.RFC3339), "FIXTURE_DIARY=" + filepath.Join(dir, "diary"), "PATH=" + os.Getenv("PATH"),
	}
}

// run starts the base with arguments, as a person would, and returns what it printed and its exit code.
func (d *device) run(environ []string, args ...string) (out, errs string, code int) {
	d.t.Helper()
	cmd := exec.Command(d.base, args...)
	cmd.Env = environ
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		d.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func write(t testing.TB, path string, b []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return
	}
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
}

// later lets an hour pass.
func (d *device) later() {
	d.world.Now = d.world.Now.Add(time.Hour)
	d.now = d.world.Now.Add(time.Minute)
}
