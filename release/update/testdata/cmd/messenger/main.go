// Command messenger is a stand-in for our programs in tests of the updater: it starts, updates and is
// supervised by the same code, and behaves as a line at the end of its own file says.
//
// The line is the file's last: FIXTURE followed by a JSON object. So one compiled file makes any number
// of versions, each with a hash of its own.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/release/update/launch"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// fixture is what the last line says.
type fixture struct {
	Version string `json:"version"`
	// What goes wrong: "", or one of those named in the code below.
	Behave string `json:"behave"`
}

func readFixture() (f fixture) {
	exe, err := os.Executable()
	must(err)
	file, err := os.Open(exe)
	must(err)
	defer file.Close()
	_, err = file.Seek(-1024, io.SeekEnd)
	must(err)
	b, err := io.ReadAll(file)
	must(err)
	line := b[bytes.LastIndex(b, []byte("\nFIXTURE "))+len("\nFIXTURE "):]
	must(json.Unmarshal(line, &f))
	return f
}

// The crash test counts the system calls of one thread, and wants all of an update's in it.
func init() { runtime.LockOSThread() }

func main() {
	f := readFixture()
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	if command == "probe" {
		probe(f)
	}
	if f.Behave == "panic" && command != "probe" {
		w := world()
		if s := start(f, w); s.Installed != "" {
			panic("this version is broken")
		}
	}
	w := world()
	s := start(f, w)
	code := run(f, w, s, command)
	must(s.Confirm())
	os.Exit(code)
}

// world is the real one at the tests' time: by the clock, every version was switched to long ago.
func world() launch.World {
	w := launch.Real()
	if now, err := time.Parse(time.RFC3339, os.Getenv("FIXTURE_NOW")); err == nil {
		w.Now = func() time.Time { return now }
	}
	return w
}

func start(f fixture, w launch.World) *launch.Started {
	return launch.Start(launch.Program{Name: "messenger", Version: f.Version, Variable: "MESSENGER_HOME",
		Serves: func(args []string) bool { return slices.Contains(args, "serve") }}, w)
}

func probe(f fixture) {
	switch f.Behave {
	case "probe exits":
		fmt.Fprintln(os.Stderr, "cannot find my glasses")
		os.Exit(1)
	case "probe hangs":
		time.Sleep(time.Hour)
	case "probe lies":
		f.Version = "9.9.9"
	case "probe talks":
		for range 100_000 {
			fmt.Println("blah blah blah")
		}
	}
	s := start(f, world())
	answer, err := update.Probed(s.Home, f.Version, runtime.GOOS, runtime.GOARCH)
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(answer))
	os.Exit(0)
}

func run(f fixture, w launch.World, s *launch.Started, command string) int {
	switch command {
	case "about":
		fmt.Printf("%s base %s\n", f.Version, s.BaseVersion)
	case "update":
		u := updater(f, s)
		result, err := u.Update(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			var r interface{ Refused() bool }
			if errors.As(err, &r) && r.Refused() {
				return 1
			}
			return 3
		}
		fmt.Printf("running %s newest %q installed %v\n", result.Running, result.Newest, result.Installed)
		if os.Getenv("FIXTURE_MEMORY") != "" {
			b, err := os.ReadFile("/proc/self/status")
			must(err)
			os.Stderr.Write(b)
		}
	case "serve":
		parent := s.Connect(w)
		if parent == nil {
			return s.Supervise(w, watch())
		}
		return serve(f, s, parent)
	}
	return 0
}

// watch is patient, since the machine of a test may be very busy; only where it is known that nothing will come there is no sense in waiting
// for it, and FIXTURE_HEALTHY says how short is long enough.
func watch() launch.Watch {
	healthy, err := time.ParseDuration(os.Getenv("FIXTURE_HEALTHY"))
	if err != nil {
		healthy = 2 * time.Minute
	}
	return launch.Watch{Healthy: healthy, Grace: 2 * time.Minute, Poll: 50 * time.Millisecond, Crashes: 3, Window: time.Hour,
		Pause: time.Millisecond, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
}

// serve writes what it is to the diary, one line an event, and works until it is told to stop.
func serve(f fixture, s *launch.Started, parent *launch.Parent) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	diary("start", f)
	installed := s.Installed != ""
	switch {
	case f.Behave == "serve exits" && installed, f.Behave == "serve always exits":
		return 7
	case f.Behave == "serve hangs" && installed:
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
		time.Sleep(time.Hour)
	}
	parent.Ready()
	parent.Healthy()
	diary("healthy", f)
	if f.Behave == "serve crashes later" && installed {
		return 9
	}
	if os.Getenv("FIXTURE_UPDATES") != "" {
		if result, err := updater(f, s).Update(ctx); err == nil && result.Installed {
			parent.Restart()
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	select {
	case <-ctx.Done():
	case <-parent.Gone():
	}
	diary("stop", f)
	return 0
}

func diary(what string, f fixture) {
	path := os.Getenv("FIXTURE_DIARY")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(err)
	defer file.Close()
	fmt.Fprintf(file, "%s %s %d %d\n", what, f.Version, os.Getpid(), os.Getppid())
}

func updater(f fixture, s *launch.Started) *update.Updater {
	a, err := anchor.Load(os.DirFS(os.Getenv("FIXTURE_ANCHOR")))
	must(err)
	now, err := time.Parse(time.RFC3339, os.Getenv("FIXTURE_NOW"))
	must(err)
	source, err := fetch.ParseURL(os.Getenv("FIXTURE_REPOSITORY"), nil)
	must(err)
	return &update.Updater{
		Home: s.Home, Anchor: a, Now: func() time.Time { return now }, Variable: "MESSENGER_HOME",
		Courier: &fetch.Courier{Sources: []fetch.Source{source}},
		Running: update.Running{Version: f.Version, Installed: s.Installed, Base: s.BaseVersion, BasePath: s.Base, OS: runtime.GOOS, Arch: runtime.GOARCH, Path: s.Executable},
		Report:  func(e update.Event) {},
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fixture:", err)
		os.Exit(3)
	}
}
