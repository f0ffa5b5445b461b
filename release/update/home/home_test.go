package home

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/countersign-project/countersign/tuf/durable"
)

func TestDefault(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the paths below are Linux's")
	}
	env := func(kv ...string) func(string) string {
		return func(k string) string {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == k {
					return kv[i+1]
				}
			}
			return ""
		}
	}
	server := "/home/ana/.local/share/countersign"
	if os.Geteuid() == 0 {
		server = "/var/lib/countersign"
	}
	for _, c := range []struct {
		getenv func(string) string
		server bool
		want   string
	}{
		{env("HOME", "/home/ana"), false, "/home/ana/.local/share/countersign"},
		{env("HOME", "/home/ana"), true, server},
		{env("HOME", "/home/ana", "XDG_DATA_HOME", "/data"), false, "/data/countersign"},
		{env("HOME", "/home/ana", "XDG_DATA_HOME", "data"), false, "/home/ana/.local/share/countersign"}, // relative: to be ignored
		{env("HOME", "/home/ana", "MESSENGER_HOME", "/srv/m"), true, "/srv/m"},
		{env(), false, "no home directory: set HOME or MESSENGER_HOME"},
	} {
		got, err := Default("MESSENGER_HOME", c.server, c.getenv)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestStateSurvivesAndRefusesNonsense(t *testing.T) {
	h := At(t.TempDir(), "messenger")
	s, err := h.Load()
	if err != nil || s.Channel != "stable" || s.Manual {
		t.Fatalf("a first start: %+v, %v", s, err)
	}
	_, err = h.Change(func(s *State) error {
		s.Switch("1.1.0", File{Length: 3, Channel: "stable"}, "", "1.0.0", now)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = h.Load(); err != nil || s.Current != "1.1.0" || s.Trial.Minimum != "1.0.0" || s.Versions["1.1.0"].Length != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	stop := errors.New("stop")
	if _, err := h.Change(func(s *State) error { s.Current = ""; return stop }); err != stop {
		t.Error(err)
	}
	if s, _ := h.Load(); s.Current != "1.1.0" {
		t.Error("a change that failed was written")
	}
	good, err := os.ReadFile(filepath.Join(h.Dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"1.1.0"`, `"../x"`, `"../x" is not a version`},
		{`"program": "messenger"`, `"program": "messengerd"`, `it belongs to "messengerd", not to "messenger"`},
		{`install-1`, `install-9`, `format "countersign-install-9", want "countersign-install-1"`},
		{`"current": "1.1.0"`, `"current": "1.2.0"`, "version 1.2.0 is to be started but is not among the installed ones"},
		{`"lastGood": ""`, `"lastGood": "1.3.0"`, "version 1.3.0 is to be started but is not among the installed ones"},
		{`"current": "1.1.0"`, `"current": ""`, `version 1.1.0 is on trial but "" is current`},
		{`"sha256": "0`, `"sha256": "g`, "invalid byte"},
	} {
		bad := strings.ReplaceAll(string(good), c.old, c.new)
		if bad == string(good) {
			t.Fatalf("%q is not in\n%s", c.old, good)
		}
		if _, err := parseState([]byte(bad), "messenger"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
	// What a later version wrote must not be a reason not to start.
	later := strings.Replace(string(good), `"format"`, `"colour": "green", "format"`, 1)
	if s, err := parseState([]byte(later), "messenger"); err != nil || s.Current != "1.1.0" {
		t.Error(err)
	}
	if _, err := parseState(make([]byte, MaxState+1), "messenger"); err == nil || err.Error() != "more than 1048576 bytes" {
		t.Error(err)
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"format":"countersign-install-1","program":"messenger","current":"1.1.0","channel":"stable","versions":{"1.1.0":{"length":1,"sha256":"0000000000000000000000000000000000000000000000000000000000000000","channel":"stable"}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b, "messenger")
		if err != nil {
			return
		}
		h := At(string(filepath.Separator)+"home", "messenger")
		for _, v := range []string{s.Current, s.LastGood, s.Choose("1.0.0")} {
			if path := h.Executable(v); v != "" && filepath.Dir(filepath.Dir(path)) != h.versions() {
				t.Fatalf("%q leads to %s", v, path)
			}
		}
	})
}

// Many processes change the state at once; nothing is lost.
func TestChangesDoNotOverwriteEachOther(t *testing.T) {
	h := At(t.TempDir(), "messenger")
	var wg sync.WaitGroup
	versions := []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0"}
	for _, v := range versions {
		wg.Go(func() {
			if _, err := h.Change(func(s *State) error { s.Hold(v, "test", now); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s, err := h.Load(); err != nil || len(s.Held) != len(versions) {
		t.Errorf("%d of %d holds are there, %v", len(s.Held), len(versions), err)
	}
}

func TestAStoppedProcessWithTheLockIsNamed(t *testing.T) {
	h := At(t.TempDir(), "messenger")
	if err := h.Prepare(); err != nil {
		t.Fatal(err)
	}
	unlock, err := durable.Lock(filepath.Join(h.Dir, "state.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	synctest.Test(t, func(t *testing.T) { // it tries for a while
		if _, err := h.Change(func(*State) error { return nil }); !errors.Is(err, durable.ErrLocked) {
			t.Error(err)
		}
	})
}

func TestSweepKeepsOnlyWhatIsNamed(t *testing.T) {
	h := At(t.TempDir(), "messenger")
	if err := h.Prepare(); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0.tmp"} {
		if err := os.MkdirAll(h.Version(v), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.Change(func(s *State) error {
		s.Versions = map[string]File{"1.0.0": {}, "1.1.0": {}, "1.2.0": {}}
		s.Current, s.Pinned = "1.1.0", "1.9.0"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Sweep("", "1.2.0"); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Load(); err != nil || len(s.Versions) != 2 || s.Versions["1.0.0"] != (File{}) {
		t.Errorf("%+v, %v", s.Versions, err)
	}
	entries, err := os.ReadDir(h.versions())
	if err != nil || len(entries) != 2 || entries[0].Name() != "1.1.0" || entries[1].Name() != "1.2.0" {
		t.Error(entries, err)
	}
}
