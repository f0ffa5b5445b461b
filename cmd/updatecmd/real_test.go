//go:build linux

package updatecmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// These tests run the real programs, built from this source but for two things put over it: the version,
// and the distribution of a world whose auditors' keys the test holds. Both are files that a release
// changes, too.

// patience ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

type machine struct {
	t       *testing.T
	dir     string
	world   *repotest.World
	overlay map[string]string
	mirror  *httptest.Server
	home    string // MESSENGER_HOME
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), overlay: map[string]string{}}
	m.home = filepath.Join(m.dir, "home")
	m.mirror = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(m.dir, "mirror", filepath.FromSlash(r.URL.Path)))
	}))
	t.Cleanup(m.mirror.Close)
	m.world = repotest.NewWith(t, repotest.Config{
		Mirrors: []string{"http://127.0.0.1:1", m.mirror.URL}, // one of the two is always away
		Now:     time.Now().Add(-time.Minute),                 // the programs have the real clock
		Rules:   []repotest.Rule{{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 3, Jurisdictions: 3, Rebuilds: 3}},
	})
	for name, b := range map[string][]byte{"root.json": m.world.Anchor(), "policy.json": m.world.Policy,
		"mirrors.json": m.world.Mirrors} {
		m.put("distribution/"+name, m.write(name, b))
	}
	return m
}

// put lays a file over one of release/anchor's.
func (m *machine) put(name, file string) {
	m.t.Helper()
	anchor, err := filepath.Abs("../../release/anchor")
	if err != nil {
		m.t.Fatal(err)
	}
	m.overlay[filepath.Join(anchor, filepath.FromSlash(name))] = file
}

func (m *machine) write(name string, b []byte) string {
	m.t.Helper()
	path := filepath.Join(m.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, b) {
		return path
	}
	// A program may be asking just now: it gets the old file or the new one, never a part.
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// build compiles a program of that version and returns its file.
func (m *machine) build(program, version string) string {
	m.t.Helper()
	m.put("VERSION", m.write("VERSION-"+version, []byte(version+"\n")))
	overlay, err := json.Marshal(map[string]any{"Replace": m.overlay})
	if err != nil {
		m.t.Fatal(err)
	}
	out := filepath.Join(m.dir, "built", version, program)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-overlay", m.write("overlay.json", overlay), "-o", out, "../"+program)
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("go build: %v\n%s", err, b)
	}
	return out
}

// publish releases programs of one version, signed by these members.
func (m *machine) publish(version string, signers []int, programs ...string) {
	m.t.Helper()
	artifacts := map[string][]byte{}
	for _, file := range programs {
		b, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		artifacts[runtime.GOOS+"-"+runtime.GOARCH+"/"+filepath.Base(file)] = b
	}
	m.world.Publish(repotest.Release{Version: version, Artifacts: artifacts, Signers: signers, Notes: "What is new in " + version + "."})
	files := m.world.Files()
	for name, b := range files {
		if name != "metadata/timestamp.json" {
			m.write("mirror/"+name, b)
		}
	}
	m.write("mirror/metadata/timestamp.json", files["metadata/timestamp.json"]) // last: it makes the rest visible
}

func (m *machine) environ() []string {
	return []string{"MESSENGER_HOME=" + m.home, "HOME=" + m.dir, "PATH=" + os.Getenv("PATH")}
}

func (m *machine) run(program string, args ...string) (out, errs string, code int) {
	m.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = m.environ()
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		if _, ended := err.(*exec.ExitError); !ended {
			m.t.Fatal(err)
		}
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// staysAsItIs keeps a server from updating itself in the middle of a story about something else, which would end with it at another port: the first check comes
// within five minutes of the start, at a moment chosen by chance.
func (m *machine) staysAsItIs(server string) {
	m.t.Helper()
	if _, errs, code := m.run(server, "update", "--automatic", "off"); code != 0 {
		m.t.Fatal(errs)
	}
}

// TestCommandLine asks the real messenger wrongly and rightly.
func TestCommandLine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a real program")
	}
	m := newMachine(t)
	messenger := m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, messenger)
	noTar := m.write("no.tar", []byte("this is no tar, but it is long enough to be one if it tried"+strings.Repeat(".", 1000)))
	badSettings := m.write("settings.toml", []byte("home = \"/elsewhere\"\n"))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"about"}, 3, "could not tell: never checked; run 'messenger update --check'"},
		{[]string{"update", "--channel", "nightly"}, 2, `--channel "nightly": the distribution has beta and stable`},
		{[]string{"update", "--automatic", "maybe"}, 2, `--automatic "maybe": want "on" or "off"`},
		{[]string{"update", "--accept-stale"}, 2, "--accept-stale goes with --from-file"},
		{[]string{"update", "--pin", "newest"}, 2, `--pin "newest": want a version such as 1.4.0, or "current"`},
		{[]string{"update", "--check", "--unpin"}, 2, "none of the others can be"},
		{[]string{"update", "--repository", "ftp://mirror"}, 2, "want an http, https or file URL"},
		{[]string{"update", "--from-file", filepath.Join(m.dir, "gone.tar")}, 3, "no such file"},
		{[]string{"update", "--from-file", noTar}, 3, "--from-file wants a tar of a mirror's directory"},
		{[]string{"update", "everything"}, 2, `unknown command "everything"`},
		{[]string{"about", "--config", badSettings}, 2, "home: give it by flag or in MESSENGER_HOME"},
		{[]string{"daemon", "--check-every", "0s"}, 2, "--check-every 0s: want more than nothing"},
		{[]string{"update", "--channel", "beta", "--automatic", "off"}, 0, "channel beta; fewer auditors vouch for it than for stable; automatic updates off; not pinned"},
		{[]string{"update", "--channel", "stable", "--automatic", "on"}, 0, "channel stable; automatic updates on; not pinned"},
		{[]string{"update", "--check"}, 0, "version 1.0.0 is the newest there is"},
		{[]string{"update", "--from-file", filepath.Join(m.dir, "mirror")}, 0, "version 1.0.0 is the newest there is"},
		{[]string{"update", "--pin", "current"}, 0, "pinned to 1.0.0; --unpin follows the channel again"},
		{[]string{"update", "--pin", "0.9.0"}, 3, "version 0.9.0 in channel stable; there are [1.0.0]"},
		{[]string{"update", "--unpin"}, 0, "not pinned"},
		{[]string{"about"}, 0, "genuine: countersigned by Ana Sousa (Tejo Labs, PT), "},
		{[]string{"about", "--json"}, 0, `"outcome": "genuine"`},
		{[]string{"--help"}, 0, "A messenger that keeps itself at the newest version"},
		{[]string{"--version"}, 0, "messenger version 1.0.0"},
	} {
		if c.args[0] == "about" && c.code == 2 {
			m.home = "" // the flag's value is then from the file
		} else {
			m.home = filepath.Join(m.dir, "home")
		}
		out, errs, code := m.run(messenger, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("messenger %s: exit code %d, want %d and %q\n%s%s", strings.Join(c.args, " "), code, c.code, c.want, out, errs)
		}
	}
	// Nobody's home: it runs, and says that it cannot be updated.
	cmd := exec.Command(messenger, "update")
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "no home directory") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestServerUpdatesItself is the story this package exists for, with the real programs.
func TestServerUpdatesItself(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the real programs five times")
	}
	m := newMachine(t)
	base := m.build("messengerd", "1.0.0")
	messenger := m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, base, messenger)
	log, err := os.Create(filepath.Join(m.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(base, "serve", "--listen", "127.0.0.1:0", "--check-every", "1s")
	cmd.Env, cmd.Stdout, cmd.Stderr = m.environ(), log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	defer func() {
		cmd.Process.Kill()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("%s", b)
		}
	}()
	m.until(log.Name(), "1.0.0 works", func() bool { return m.health(log.Name()) == "1.0.0" })

	m.publish("1.1.0", nil, m.build("messengerd", "1.1.0"), m.build("messenger", "1.1.0"))
	m.until(log.Name(), "1.1.0 works", func() bool { return m.health(log.Name()) == "1.1.0" })
	m.until(log.Name(), "the parent is 1.1.0", func() bool {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
		return exe == filepath.Join(m.dir, "home", "messengerd", "versions", "1.1.0", "messengerd")
	})
	const who = "Ana Sousa (Tejo Labs, PT), Bernd Kraus (Spree Verein, DE), Carol Reed (Hudson Co-op, US)"
	out, errs, code := m.run(base, "about")
	if code != 0 || !strings.HasPrefix(out, "you are running messengerd 1.1.0 (linux/") || !strings.Contains(out, "genuine: countersigned by "+who+"\n") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}

	// Two countries are not enough, whoever signs; the server stays and says why.
	m.publish("1.2.0", []int{0, 1}, m.build("messengerd", "1.2.0"))
	m.until(log.Name(), "the refusal", func() bool {
		out, _, _ = m.run(base, "about")
		return strings.Contains(out, "refused since ")
	})
	if !strings.Contains(out, "stable: quorum not reached: 2 of the 5 keys authorised signed (Ana Sousa, Bernd Kraus), 3 needed") || m.health(log.Name()) != "1.1.0" {
		t.Errorf("%s", out)
	}

	// The command of the other program, by a person.
	out, errs, code = m.run(messenger, "update", "--check")
	if code != 1 || !strings.Contains(errs, "messenger: refused: stable: quorum not reached") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("it does not stop")
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func (m *machine) until(log, what string, is func() bool) {
	m.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b, _ := os.ReadFile(log)
			m.t.Fatalf("waited in vain: %s\n%s", what, b)
		}
	}
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

// health asks the server whose address stands last in the log for its version; "" when it does not answer.
func (m *machine) health(log string) string {
	m.t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		m.t.Fatal(err)
	}
	all := listening.FindAllSubmatch(b, -1)
	if all == nil {
		return ""
	}
	resp, err := http.Get("http://" + string(all[len(all)-1][1]) + "/health")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	var h struct{ Status, Version string }
	if json.Unmarshal(body, &h) != nil || h.Status != "ok" {
		return ""
	}
	return h.Version
}
