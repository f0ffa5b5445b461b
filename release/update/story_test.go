//go:build linux

package update_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// These stories run real processes. They wait for what happens (a line in the diary, a change of state),
// never for a time; the limit below only ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

// service is the long-running mode of a device's program, as a service manager sees it.
type service struct {
	*device
	cmd  *exec.Cmd
	logs *os.File
	done chan struct{} // closed at its end
}

func (d *device) serve(environ ...string) *service {
	d.t.Helper()
	logs, err := os.Create(filepath.Join(filepath.Dir(d.base), "log"))
	if err != nil {
		d.t.Fatal(err)
	}
	s := &service{device: d, cmd: exec.Command(d.base, "serve"), logs: logs, done: make(chan struct{})}
	s.cmd.Env = append(d.environ(), environ...)
	s.cmd.Stdout, s.cmd.Stderr = logs, logs
	if err := s.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // the exit code is in ProcessState
	}()
	d.t.Cleanup(func() {
		s.stop()
		logs.Close()
		if d.t.Failed() {
			b, _ := os.ReadFile(logs.Name())
			d.t.Logf("log:\n%s\ndiary:\n%s", b, strings.Join(s.diary(), "\n"))
		}
	})
	return s
}

// stop ends the service as a service manager does.
func (s *service) stop() {
	s.t.Helper()
	if s.cmd.Process.Signal(syscall.SIGTERM) == nil {
		s.ends()
	}
	s.until("the end of every process", func() bool { return !s.anyAlive() })
}

// diary is what the working processes wrote: "start 1.0.0 <pid> <parent's pid>".
func (d *device) diary() []string {
	b, _ := os.ReadFile(filepath.Join(filepath.Dir(d.base), "diary"))
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// anyAlive reports whether a working process is still there: each wrote its pid into the diary.
func (s *service) anyAlive() bool {
	for _, line := range s.diary() {
		if f := strings.Fields(line); len(f) == 4 {
			if _, err := os.Readlink("/proc/" + f[2] + "/exe"); err == nil { // a zombie has none
				return true
			}
		}
	}
	return false
}

// until waits for something.
func (s *service) until(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s; state %+v", what, s.state())
		}
	}
}

// wrote waits for a line of the diary that starts so, and returns the last such.
func (s *service) wrote(start string) (line []string) {
	s.t.Helper()
	s.until(strconv.Quote(start), func() bool {
		for _, l := range s.diary() {
			if strings.HasPrefix(l, start+" ") {
				line = strings.Fields(l)
			}
		}
		return line != nil
	})
	return line
}

// ends waits for the end of the service and returns its exit code.
func (s *service) ends() int {
	s.t.Helper()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		s.t.Fatal("the service does not end")
		return -1
	}
}

// executable is the file a process runs.
func (s *service) executable() string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.cmd.Process.Pid))
	return path
}

// install makes a version current, on trial, as an update does.
func (d *device) install(version, behave string) {
	d.t.Helper()
	d.publish(version, behave)
	r, err := d.update()
	if err != nil || !r.Installed {
		d.t.Fatalf("%+v, %v", r, err)
	}
}

// The whole story: the running service finds an update, installs it, and becomes it without ending.
func TestServiceUpdatesItself(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	s := d.serve("FIXTURE_UPDATES=yes")
	s.wrote("stop 1.0.0")
	s.wrote("healthy 1.1.0")
	s.until("confirmation", func() bool { st := s.state(); return st.Served == "1.1.0" && st.Trial == nil })
	if got := s.executable(); got != d.home.Executable("1.1.0") {
		t.Errorf("the parent is still %s", got)
	}
	for _, line := range s.diary() {
		if parent := strings.Fields(line)[3]; parent != strconv.Itoa(s.cmd.Process.Pid) {
			t.Errorf("%s: the parent is %d", line, s.cmd.Process.Pid)
		}
	}
	// The adopted child is still a child: it is stopped, and its end is noticed.
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.wrote("stop 1.1.0")
}

// A second process (a person's command) switches; the service notices by itself.
func TestServiceFollowsASwitchMadeByACommand(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	s := d.serve()
	s.wrote("healthy 1.0.0")
	d.publish("1.1.0", "")
	if out, errs, code := d.run(d.environ(), "update"); code != 0 || out != "running 1.0.0 newest \"1.1.0\" installed true\n" {
		t.Fatal(out, errs, code)
	}
	s.wrote("healthy 1.1.0")
	s.until("confirmation", func() bool { return s.state().Served == "1.1.0" })
}

// TestServiceReturnsToTheLastGoodVersion: correct signatures on a broken program.
func TestServiceReturnsToTheLastGoodVersion(t *testing.T) {
	for behave, why := range map[string]string{
		"serve exits":         "it ended with exit code 7 before it was healthy",
		"serve hangs":         "it was not healthy within 1s",
		"serve crashes later": "it ended 3 times within 1h0m0s",
		"panic":               "it ended with exit code 2 before it was healthy",
	} {
		t.Run(behave, func(t *testing.T) {
			d := newDevice(t, repotest.Config{})
			d.install("1.1.0", "")
			d.confirm("1.1.0")
			var environ []string
			if behave == "serve hangs" { // 1.1.0 is on no trial any more, and 1.2.0 will not be healthy however long one waits
				environ = []string{"FIXTURE_HEALTHY=1s"}
			}
			s := d.serve(environ...)
			s.wrote("healthy 1.1.0")
			pid := s.cmd.Process.Pid
			d.install("1.2.0", behave)
			s.until("the hold", func() bool { _, held := s.state().Held["1.2.0"]; return held })
			if got := s.state().Held["1.2.0"].Reason; got != why {
				t.Errorf("held because %q, want %q", got, why)
			}
			s.until("the return", func() bool {
				lines := s.diary()
				return strings.HasPrefix(lines[len(lines)-1], "healthy 1.1.0 ")
			})
			s.until("the parent's return", func() bool { return s.executable() == d.home.Executable("1.1.0") })
			if s.cmd.Process.Pid != pid || s.cmd.Process.Signal(syscall.Signal(0)) != nil {
				t.Error("the supervised process is another one")
			}
			st := s.state()
			if st.Current != "1.1.0" || st.Notice != "1.2.0 is held: "+why+"; returned to 1.1.0" {
				t.Errorf("%+v", st)
			}
			// It is not installed again, but the next version is.
			if r, err := d.update(); err != nil || r.Installed || !strings.HasPrefix(r.Held, "1.2.0 is held since ") {
				t.Errorf("%+v, %v", r, err)
			}
			if behave == "serve hangs" { // 1.3.0 may take its time
				s.stop()
				s = d.serve()
			}
			d.install("1.3.0", "")
			s.wrote("healthy 1.3.0")
		})
	}
}

// When the last good version cannot work either, the new one was not to blame.
func TestBothVersionsFail(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	write(t, d.base, program(t, "1.0.0", "serve always exits"), 0o755)
	d.install("1.1.0", "serve exits")
	s := d.serve()
	if code := s.ends(); code != 7 {
		t.Errorf("exit code %d, want the program's own", code)
	}
	st := s.state()
	if _, held := st.Held["1.1.0"]; held || st.Current != "" || st.Notice != "neither 1.1.0 nor 1.0.0 could work here; 1.1.0 is no longer held" {
		t.Errorf("%+v", st)
	}
}

// A version that works no more long after its update is the service manager's affair.
func TestOldVersionCrashLoopsIntoTheServiceManager(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.install("1.1.0", "serve crashes later")
	d.confirm("1.1.0")
	_, err := d.home.Change(func(s *home.State) error {
		s.Switched = d.now.Add(-48 * time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := d.serve()
	if code := s.ends(); code != 9 {
		t.Errorf("exit code %d", code)
	}
	if st := s.state(); st.Current != "1.1.0" || len(st.Held) != 0 {
		t.Errorf("%+v", st)
	}
}

// Nobody can say afterwards who killed the parent; the child must not stay behind and hold the port.
func TestChildEndsWithItsParent(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	s := d.serve()
	s.wrote("healthy 1.0.0")
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.wrote("stop 1.0.0")
}

// A command starts the new version, and its orderly end confirms it.
func TestCommandConfirms(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.install("1.1.0", "")
	out, errs, code := d.run(d.environ(), "about")
	if out != "1.1.0 base 1.0.0\n" || code != 0 {
		t.Fatal(out, errs, code)
	}
	if s := d.state(); s.Trial != nil || s.Current != "1.1.0" {
		t.Errorf("%+v", s)
	}
	// A base from a package that is newer runs itself.
	write(t, d.base, program(t, "1.5.0", ""), 0o755)
	if out, _, _ := d.run(d.environ(), "about"); out != "1.5.0 base 1.5.0\n" {
		t.Error(out)
	}
}

// A version that crashes in every command gets three starts; then the last good one is back, in the same
// command.
func TestThreeStartsAndBack(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.install("1.1.0", "panic")
	env := d.environ()
	for i := range home.MaxStarts {
		if _, errs, code := d.run(env, "about"); code != 2 || !strings.Contains(errs, "panic: this version is broken") {
			t.Fatal(i, errs, code)
		}
		if got := d.state().Trial.Starts; got != i+1 {
			t.Errorf("%d starts counted, want %d", got, i+1)
		}
	}
	out, errs, code := d.run(env, "about")
	if out != "1.0.0 base 1.0.0\n" || code != 0 || !strings.Contains(errs, "1.1.0 is held: started 3 times and never worked; returned to the program file you started") {
		t.Error(out, errs, code)
	}
	if out, errs, _ := d.run(env, "about"); out != "1.0.0 base 1.0.0\n" || errs != "" {
		t.Error(out, errs)
	}
}

// A bit that flips on the disk, or a hand that does it.
func TestFlippedByteIsNoticedAtStart(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.install("1.1.0", "")
	d.confirm("1.1.0")
	d.install("1.2.0", "")
	d.confirm("1.2.0")
	path := d.home.Executable("1.2.0")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	env := d.environ()
	out, errs, code := d.run(env, "about")
	if out != "1.1.0 base 1.0.0\n" || code != 0 || !strings.Contains(errs, "1.2.0 was not started: its file was changed after it was installed: sha256 "+digest(b)) {
		t.Fatal(out, errs, code)
	}
	// The release is not to blame: it is fetched, judged and installed again.
	if out, errs, code := d.run(env, "update"); code != 0 || out != "running 1.1.0 newest \"1.2.0\" installed true\n" {
		t.Fatal(out, errs, code)
	}
	if out, errs, _ := d.run(env, "about"); out != "1.2.0 base 1.0.0\n" || errs != "" {
		t.Error(out, errs)
	}
	// Cut off, gone, or not to be executed: the same.
	for name, spoil := range map[string]func() error{
		"shorter":        func() error { return os.Truncate(path, 1000) },
		"gone":           func() error { return os.Remove(path) },
		"not executable": func() error { return os.Chmod(path, 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if out, errs, code := d.run(env, "about"); out == "1.2.0 base 1.0.0\n" || code != 0 || !strings.Contains(errs, "1.2.0") {
			t.Error(name, out, errs, code)
		}
		if _, err := d.home.Change(func(s *home.State) error { s.Release("1.2.0"); return nil }); err != nil {
			t.Fatal(err)
		}
		if _, errs, code := d.run(env, "update"); code != 0 {
			t.Error(name, errs, code)
		}
	}
}

// Whatever became of the home, the program starts.
func TestBrokenHomeNeverStopsTheProgram(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, h home.Home) error{
		"no json": func(_ *testing.T, h home.Home) error {
			return os.WriteFile(filepath.Join(h.Dir, "state.json"), []byte("{"), 0o600)
		},
		"empty": func(_ *testing.T, h home.Home) error {
			return os.WriteFile(filepath.Join(h.Dir, "state.json"), nil, 0o600)
		},
		"of another": func(_ *testing.T, h home.Home) error {
			return rewrite(h, `"program": "messenger"`, `"program": "messengerd"`)
		},
		"path in a version": func(_ *testing.T, h home.Home) error { return rewrite(h, `"1.1.0"`, `"../../../bin/sh"`) },
		"a later format": func(_ *testing.T, h home.Home) error {
			return rewrite(h, "countersign-install-1", "countersign-install-2")
		},
		"a directory": func(_ *testing.T, h home.Home) error {
			os.Remove(filepath.Join(h.Dir, "state.json"))
			return os.Mkdir(filepath.Join(h.Dir, "state.json"), 0o700)
		},
		"writable for all": func(_ *testing.T, h home.Home) error { return os.Chmod(h.Dir, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, repotest.Config{})
			d.install("1.1.0", "")
			if err := spoil(t, d.home); err != nil {
				t.Fatal(err)
			}
			out, errs, code := d.run(d.environ(), "about")
			if out != "1.0.0 base 1.0.0\n" || code != 0 || errs == "" {
				t.Error(out, errs, code)
			}
		})
	}
}

func rewrite(h home.Home, old, new string) error {
	path := filepath.Join(h.Dir, "state.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), old) {
		return fmt.Errorf("no %s in %s", old, b)
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, new)), 0o600)
}

// Expired metadata, or a clock that is years off, never stops the program.
func TestNothingAboutTimeStopsTheProgram(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.install("1.1.0", "")
	d.confirm("1.1.0")
	for _, c := range []struct {
		years int
		stage string
		check string
	}{
		{+10, "alarm", "root: expired on 2027-11-21"},
		{-10, "alarm", ""}, // the floor stands in for the clock, so even the check goes through
		{0, "fresh", ""},
	} {
		d.now = d.world.Now.Add(time.Hour).AddDate(c.years, 0, 0)
		if out, _, code := d.run(d.environ(), "about"); out != "1.1.0 base 1.0.0\n" || code != 0 {
			t.Error(c.years, out, code)
		}
		if b := d.about(); string(b.Freshness.Stage) != c.stage {
			t.Errorf("%d years: %+v", c.years, b.Freshness)
		}
		_, err := d.update()
		if c.check == "" && err != nil || c.check != "" && (err == nil || !strings.Contains(err.Error(), c.check) || isRefusal(err)) {
			t.Errorf("%d years: %v", c.years, err)
		}
	}
	// Back in the present, the jump has left nothing behind.
	d.publish("1.2.0", "")
	d.mustUpdate()
}
