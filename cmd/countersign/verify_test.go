package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// person is somebody with the distribution's files on a disk, who runs countersign in a world of his own.
type person struct {
	t   *testing.T
	w   *repotest.World
	dir string
	now time.Time
}

var released = map[string][]byte{
	"linux-amd64/messenger":             []byte("the messenger"),
	"linux-amd64/messengerd":            []byte("the server"),
	"countersign-1.0.0-linux-amd64.tar": []byte("the tar"),
}

func newPerson(t *testing.T) *person {
	t.Helper()
	w := repotest.New(t, 5, 3)
	w.Release("1.0.0", released)
	p := &person{t, w, t.TempDir(), w.Now.Add(time.Hour)}
	p.write("root.json", w.Anchor())
	p.write("policy.json", w.Policy)
	p.publish("repository")
	return p
}

// path is a file of his.
func (p *person) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p *person) write(name string, b []byte) string {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), b, 0o644); err != nil {
		p.t.Fatal(err)
	}
	return p.path(name)
}

// publish writes the world's repository as it is now into a directory.
func (p *person) publish(dir string) {
	p.t.Helper()
	for name, b := range p.w.Files() {
		p.write(dir+"/"+name, b)
	}
}

func (p *person) run(args ...string) (code int, out, errs string) {
	p.t.Helper()
	var o, e bytes.Buffer
	settings := p.write("settings.toml", nil)
	app := &cli.App{Name: "countersign", In: strings.NewReader(""), Out: &o, Err: &e, Now: func() time.Time { return p.now },
		Getenv: func(k string) string {
			if k == "COUNTERSIGN_CONFIG" {
				return settings
			}
			return ""
		}}
	code = app.Run(newRoot(app), args)
	return code, o.String(), e.String()
}

// verify runs verify on bytes, against the repository directory.
func (p *person) verify(b []byte, args ...string) (code int, out, errs string) {
	p.t.Helper()
	from := "--repository=" + p.path("repository")
	for _, a := range args {
		if strings.HasPrefix(a, "--offline") || strings.HasPrefix(a, "--repository") {
			from = "--quiet"
		}
	}
	return p.run(append([]string{"verify", p.write("file", b), from, "--root", p.path("root.json"), "--policy", p.path("policy.json"), "--state", p.path("state")}, args...)...)
}

func (p *person) want(wantCode int, wantOut, wantErr string) func(code int, out, errs string) {
	return func(code int, out, errs string) {
		p.t.Helper()
		if code != wantCode || !strings.Contains(out, wantOut) || !strings.Contains(errs, wantErr) {
			p.t.Errorf("exit %d, want %d\nout: %s\nwant: %s\nerr: %s\nwant: %s", code, wantCode, out, wantOut, errs, wantErr)
		}
	}
}

func TestVerifyGenuine(t *testing.T) {
	p := newPerson(t)
	code, out, errs := p.verify(released["linux-amd64/messenger"])
	want := `genuine: messenger 1.0.0 for linux/amd64 from stable
  sha256 6b264b03a75e8ad2ce1e4e8e73c05e4cb0ac2e8c1ce9c0a2ab5ec0e4ff0e3d0c
  source commit c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00
  ✓ 1 quorum        3 of 5 auditors signed, 3 needed: Ana Sousa (Tejo Labs, PT), Bernd Kraus (Spree Verein, DE), Carol Reed (Hudson Co-op, US)
  - 2 spread        not required by policy
  ✓ 3 fresh         nothing here is older than this device has seen, and all of it is valid until 2026-11-22 12:00 UTC
  ✓ 4 rebuilt       3 auditors rebuilt exactly these bytes, 3 needed: Ana Sousa (Tejo Labs, PT), Bernd Kraus (Spree Verein, DE), Carol Reed (Hudson Co-op, US)
  - 5 reviewed      not required by policy
  - 6 logged        not required by policy
  - 7 not withdrawn not required by policy
`
	lines := strings.Split(out, "\n")
	lines[1] = strings.Split(want, "\n")[1] // the sum is computed, not typed
	if got := strings.Join(lines, "\n"); code != 0 || got != want {
		t.Errorf("exit %d\n%s%s\nwant\n%s", code, got, errs, want)
	}
	p.want(0, "genuine: messengerd 1.0.0", "")(p.verify(released["linux-amd64/messengerd"]))
	p.want(0, "genuine: file 1.0.0 from stable", "")(p.verify(released["countersign-1.0.0-linux-amd64.tar"]))
	p.want(0, "genuine: messenger 1.0.0", "")(p.verify(released["linux-amd64/messenger"], "--channel", "stable", "--program", "messenger", "--os", "linux", "--arch", "amd64"))
}

func TestVerifyRefuses(t *testing.T) {
	p := newPerson(t)
	p.want(1, "refused: file from stable or beta", "countersign: refused:")(p.verify([]byte("something else")))
	p.want(1, "✗ 1 quorum        no release names these bytes; looked at stable up to 1.0.0", "")(p.verify([]byte("something else")))
	// Somebody changed a byte of the messenger.
	p.want(1, "the auditors signed", "no other release names these bytes either")(
		p.verify([]byte("The messenger"), "--program", "messenger", "--os", "linux", "--arch", "amd64"))
	// The server under the messenger's name.
	p.want(1, "refused: messenger for linux/amd64 from stable", "for messenger 1.0.0 on linux/amd64")(
		p.verify(released["linux-amd64/messengerd"], "--program", "messenger", "--os", "linux", "--arch", "amd64"))
	p.want(1, "refused: file from beta", "no release names these bytes")(p.verify(released["linux-amd64/messenger"], "--channel", "beta"))
}

func TestVerifyNeedsTheQuorum(t *testing.T) {
	p := newPerson(t)
	p.w.Publish(repotest.Release{Version: "1.1.0", Artifacts: map[string][]byte{"linux-amd64/messenger": []byte("rushed")}, Signers: []int{0, 4}})
	p.publish("repository")
	p.want(1, "refused: file from any channel", "stable: quorum not reached: 2 of the 5 keys authorised signed (Elena Prado, Ana Sousa), 3 needed")(p.verify([]byte("rushed")))
}

func TestVerifyNeedsRebuilds(t *testing.T) {
	p := newPerson(t)
	made := p.w.Publish(repotest.Release{Version: "1.1.0", Artifacts: map[string][]byte{"linux-amd64/messenger": []byte("new")}, Rebuilt: []int{0, 1}, Otherwise: []int{2}})
	p.publish("repository")
	p.want(1, "✗ 4 rebuilt       2 auditors rebuilt exactly these bytes, 3 needed", "got other bytes: Carol Reed")(p.verify([]byte("new")))
	// A mirror that withholds the statements, and an honest one behind it.
	p.publish("honest")
	p.w.SetEvidence(made.Manifest, nil)
	p.publish("repository")
	p.want(1, "", "2 auditors rebuilt")(p.verify([]byte("new"), "--repository", p.path("repository"), "--repository", p.path("honest")))
}

func TestVerifyCouldNotTell(t *testing.T) {
	p := newPerson(t)
	program := released["linux-amd64/messenger"]
	p.want(3, "", "no such directory")(p.verify(program, "--repository", "file:///no/such/stick"))
	p.want(3, "", "connection refused")(p.verify(program, "--repository", "http://127.0.0.1:1"))
	p.now = p.now.Add(48 * time.Hour)
	p.want(3, "? 3 fresh         timestamp expired on 2026-11-22 12:00 UTC; nobody has confirmed it since", "countersign: error:")(p.verify(program))
	p.want(3, "could not tell: messenger 1.0.0", "")(p.verify(program))
}

// What was seen once is not forgotten: an older state is a replay, also from a bundle or another mirror.
func TestVerifyNoticesAReplay(t *testing.T) {
	p := newPerson(t)
	p.publish("old")
	p.w.Release("1.1.0", map[string][]byte{"linux-amd64/messenger": []byte("new")})
	p.publish("repository")
	p.want(0, "genuine: messenger 1.1.0", "")(p.verify([]byte("new")))
	p.want(0, "genuine: messenger 1.0.0", "")(p.verify(released["linux-amd64/messenger"]))
	p.want(1, "", "timestamp: version 2 offered, but version 3 was seen before")(p.verify(released["linux-amd64/messenger"], "--offline", p.path("old")))
}

func TestVerifyJSONAndSavedEvidence(t *testing.T) {
	p := newPerson(t)
	code, out, errs := p.verify(released["linux-amd64/messenger"], "--json", "--save", p.path("evidence.json"))
	var v struct {
		Outcome string
		Version string
		Reasons []struct {
			Number int
			State  string
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Outcome != "genuine" || v.Version != "1.0.0" || len(v.Reasons) != 7 || v.Reasons[6].State != "not required by policy" {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
	b, err := os.ReadFile(p.path("evidence.json"))
	if err != nil {
		t.Fatal(err)
	}
	if ev, err := genuine.ParseEvidence(b); err != nil || len(ev.Statements) != 3 {
		t.Errorf("%d statements, %v", len(ev.Statements), err)
	}
}

func TestVerifyHow(t *testing.T) {
	p := newPerson(t)
	p.want(0, "getTargetInfo('stable/1.0.0/linux-amd64/messenger')", "")(p.verify(released["linux-amd64/messenger"], "--how"))
}

func TestVerifyWrongUsage(t *testing.T) {
	p := newPerson(t)
	file := p.write("file", []byte("x"))
	if _, err := anchor.Embedded(); errors.Is(err, anchor.ErrNoDistribution) {
		p.want(2, "", "this program was built without a distribution, so it does not know whom to trust\n  → give the distribution's files with --root root.json and --policy policy.json")(p.run("verify", file))
	}
	p.want(2, "", "--root without --policy")(p.run("verify", file, "--root", p.path("root.json")))
	p.want(2, "", "where to fetch from?")(p.run("verify", file, "--root", p.path("root.json"), "--policy", p.path("policy.json")))
	p.want(2, "", "no such file")(p.run("verify", p.path("nothing"), "--root", p.path("root.json"), "--policy", p.path("policy.json"), "--repository", p.path("repository")))
	p.want(2, "", "is not a regular file")(p.run("verify", p.dir, "--root", p.path("root.json"), "--policy", p.path("policy.json"), "--repository", p.path("repository")))
	p.want(2, "", "neither a URL nor a directory nor a bundle file")(p.verify(nil, "--repository", p.path("nothing")))
	p.want(2, "", "want an http, https or file URL")(p.verify(nil, "--repository", "ftp://mirror"))
	p.want(2, "", `there is no channel "nightly" in this distribution; it has stable, beta`)(p.verify(nil, "--channel", "nightly"))
	p.want(2, "", "if any flags in the group")(p.verify(nil, "--program", "messenger"))
	p.want(2, "", "policy.json")(p.run("verify", file, "--root", p.path("root.json"), "--policy", p.path("root.json"), "--repository", p.path("repository")))
}

// A Go program says which one it is and for which system; this test binary does.
func TestVerifyReadsWhatTheFileSaysOfItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v := &verifying{verifyOptions: verifyOptions{File: self}}
	if err := v.read(); err != nil {
		t.Fatal(err)
	}
	if c := v.claims; c.Program != "countersign" || c.OS != runtime.GOOS || c.Arch != runtime.GOARCH {
		t.Errorf("claims %+v", c)
	}
	v = &verifying{verifyOptions: verifyOptions{File: self, Program: "messenger", OS: "plan9", Arch: "mips"}}
	if err := v.read(); err != nil || v.claims.Program != "messenger" || v.claims.OS != "plan9" {
		t.Errorf("claims %+v, %v, want the person's word to count", v.claims, err)
	}
}
