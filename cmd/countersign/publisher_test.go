package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

// publisher is a publisher at a shell: key file, source tree, room, distribution file.
type publisher struct {
	*roomtest.World
	dir string
	env map[string]string
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{World: roomtest.New(t), dir: t.TempDir()}
	p.World.Dir = p.path("room")
	p.World.Room = p.World.Open(p.World.Dir)
	p.env = map[string]string{"COUNTERSIGN_PASSPHRASE": "correct horse"}
	keys, err := signer.Generate([]string{"snapshot", "timestamp"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Write(p.path("publisher.key"), keys, []byte("correct horse"), 1); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.path("source", "release", "anchor"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := string(p.TOML())
	for i, k := range []roomtest.Key{p.Snapshot, p.Timestamp} {
		text = strings.Replace(text, signer.FormatPublic(k.Public(), ""), signer.FormatPublic(keys[i].Public(), ""), 1)
	}
	p.write("dist.toml", text)
	return p
}

func (p *publisher) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

func (p *publisher) write(name, text string) {
	p.T.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o644); err != nil {
		p.T.Fatal(err)
	}
}

// run runs a command at the world's time.
func (p *publisher) run(args ...string) (code int, out, errs string) {
	p.T.Helper()
	app, o, e := p.app()
	code = app.Run(newRoot(app), args)
	return code, o.String(), e.String()
}

func (p *publisher) app() (*cli.App, *bytes.Buffer, *bytes.Buffer) {
	p.T.Helper()
	p.write("settings.toml", "")
	var o, e bytes.Buffer
	return &cli.App{Name: "countersign", In: strings.NewReader(""), Out: &o, Err: &e, Quiet: false,
		Now: func() time.Time { return p.Now },
		Getenv: func(k string) string {
			if k == "COUNTERSIGN_CONFIG" {
				return p.path("settings.toml")
			}
			return p.env[k]
		}}, &o, &e
}

// must runs a command that has to end with a code, and returns what it printed.
func (p *publisher) must(want int, args ...string) (out, errs string) {
	p.T.Helper()
	code, out, errs := p.run(args...)
	if code != want {
		p.T.Fatalf("countersign %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errs)
	}
	return out, errs
}

func (p *publisher) init(want int, more ...string) (out, errs string) {
	p.T.Helper()
	return p.must(want, append([]string{"init", "--distribution", p.path("dist.toml"), "--room", p.World.Dir, "--source", p.path("source")}, more...)...)
}

func (p *publisher) keys() []string { return []string{"--keys", p.path("publisher.key")} }

func contains(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, l) {
			t.Errorf("%q is not in\n%s", l, text)
		}
	}
}

// event reads the id of the one event of a kind that is open.
func (p *publisher) open(out string) event.ID {
	p.T.Helper()
	var r struct{ Event string }
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		p.T.Fatalf("%v in %q", err, out)
	}
	id, err := event.ParseID(r.Event)
	if err != nil {
		p.T.Fatal(err)
	}
	return id
}

func listFiles(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "lock") {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func equalFiles(a, b map[string][32]byte) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// A distribution from its file to its first release, and its renewal, with the commands a publisher types.
func TestPublisherStory(t *testing.T) {
	p := newPublisher(t)
	out, _ := p.init(0)
	contains(t, out, "new distribution Test Messenger (distribution)", "root: signed by 0, 3 needed; not yet: Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis",
		"beta: signed by 0, 2 needed", "next: root needs 3 more of Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis", "next: each of them: countersign audit sign --room ", "next: then run countersign init again, with --keys")
	out, _ = p.init(0, "--json")
	id := p.open(out)
	if list, _ := p.Room.Events.List(t.Context()); len(list) != 1 {
		t.Fatal("the second run opened another event", list)
	}
	p.SignAll(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)

	_, errs := p.init(2)
	contains(t, errs, "event "+id.Short()+" has its quorums and can be published, and --keys is missing")
	before := listFiles(t, p.dir)
	p.env["COUNTERSIGN_PASSPHRASE"] = "wrong"
	_, errs = p.init(3, p.keys()...)
	contains(t, errs, "passphrase")
	if !equalFiles(before, listFiles(t, p.dir)) {
		t.Error("a wrong passphrase changed something")
	}
	p.env["COUNTERSIGN_PASSPHRASE"] = "correct horse"
	out, _ = p.init(0, p.keys()...)
	contains(t, out, "the distribution is published", "wrote "+p.path("source", "release", "anchor", "distribution", "root.json"), "next: commit ")
	a, err := anchor.Load(os.DirFS(p.path("source", "release", "anchor", "distribution")))
	if err != nil || a.Name != "Test Messenger" || len(a.Mirrors) != 1 {
		t.Fatal(a, err)
	}
	done := listFiles(t, p.dir)
	out, _ = p.init(0, p.keys()...)
	contains(t, out, "the distribution is published")
	if !equalFiles(done, listFiles(t, p.dir)) {
		t.Error("running it again changed something")
	}

	first := p.stageRelease(t, "1.0.0")
	out, _ = p.must(0, append([]string{"publish", "--room", p.World.Dir}, p.keys()...)...)
	contains(t, out, "waiting: stable needs 3 more of")
	_, errs = p.must(1, append([]string{"publish", "--room", p.World.Dir, first.Short()}, p.keys()...)...)
	contains(t, errs, "countersign: refused: event "+first.Short()+" (1.0.0 stable) cannot be published: waiting: stable needs 3 more of", "→ those missing: countersign audit sign "+first.Short())
	_, errs = p.must(2, append([]string{"publish", "--room", p.World.Dir, "123456"}, p.keys()...)...)
	contains(t, errs, `no event "123456" in `, "→ an event is named by its id")
	p.Rebuild(first, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.SignAll(first, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	out, _ = p.must(0, append([]string{"publish", "--room", p.World.Dir, first.Short()}, p.keys()...)...)
	contains(t, out, "published 1.0.0 stable (event "+first.Short()+")")

	p.Now = p.Now.AddDate(0, 0, 61)
	out, _ = p.must(0, append([]string{"publish", "--room", p.World.Dir}, p.keys()...)...)
	contains(t, out, "signed snapshot 3", "signed timestamp 3", "notice: stable expires in 29 days")
	renew := []string{"init", "--room", p.World.Dir, "--source", p.path("source"), "--renew", "stable"}
	out, _ = p.must(0, append(renew, "--json")...)
	p.SignAll(p.open(out), roomtest.Dai, roomtest.Eva, roomtest.Ben)
	p.must(0, append(renew, p.keys()...)...)
	p.must(0, append(renew, p.keys()...)...) // and again, which opens nothing new
	if list, _ := p.Room.Events.List(t.Context()); len(list) != 3 {
		t.Error("events:", list)
	}
	s, err := p.Room.Repository.Load()
	if err != nil || s.Published.Versions["stable"] != 3 {
		t.Error(s.Published, err)
	}
}

// stageRelease makes a source, a build of it and the release's event.
func (p *publisher) stageRelease(t *testing.T, version string) event.ID {
	t.Helper()
	p.build(t, version)
	out, _ := p.must(0, p.stageArgs("--json")...)
	return p.open(out)
}

func (p *publisher) stageArgs(more ...string) []string {
	return append([]string{"stage", "--room", p.World.Dir, "--build", p.path("out"), "--source", p.path("source"), "--modules", p.path("modules"), "--notes", p.path("notes.txt")}, more...)
}

// build commits the source and writes what a build of it would have left.
func (p *publisher) build(t *testing.T, version string) rebuild.Manifest {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing")
		}
		t.Skip("git is missing: a release cannot be staged here")
	}
	p.write("notes.txt", "What is new in "+version+".\n")
	p.write(filepath.Join("source", "VERSION"), version+"\n")
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "--quiet", "--message", version}} {
		if _, err := git(t.Context(), p.path("source"), args...); err != nil {
			t.Fatal(err)
		}
	}
	src, err := source.Export(t.Context(), p.path("source"), "", t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("1", 64)
	m := rebuild.Manifest{Version: version, Source: src, Recipe: sum, Go: "go1.26.8", Host: "linux/amd64", ToolchainH1: "h1:" + strings.Repeat("A", 43) + "=", Modules: sum, Network: "none", Env: []string{"CGO_ENABLED=0"}}
	for path, b := range map[string][]byte{"linux-amd64/messenger": []byte("messenger " + version)} {
		if err := os.MkdirAll(filepath.Dir(p.path("out", path)), 0o755); err != nil {
			t.Fatal(err)
		}
		p.write(filepath.Join("out", path), string(b))
		m.Artifacts = append(m.Artifacts, rebuild.Artifact{Path: path, OS: "linux", Arch: "amd64", Program: "messenger", Kind: rebuild.KindProgram, Length: int64(len(b)), SHA256: sha256.Sum256(b)})
	}
	p.writeBuild(t, m)
	if err := os.MkdirAll(p.path("modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *publisher) writeBuild(t *testing.T, m rebuild.Manifest) {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join("out", "build.json"), string(b))
}

func (p *publisher) found(t *testing.T) {
	t.Helper()
	out, _ := p.init(0, "--json")
	p.SignAll(p.open(out), roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.init(0, p.keys()...)
}

// What stage refuses, and what it says about events that are open already.
func TestStage(t *testing.T) {
	p := newPublisher(t)
	_, errs := p.must(2, p.stageArgs()...)
	contains(t, errs, "nothing is published in", "→ found the distribution first with countersign init")
	p.found(t)
	_, errs = p.must(2, p.stageArgs()...)
	contains(t, errs, "--build "+p.path("out")+": ", "build.json")
	first := p.stageRelease(t, "1.0.0")
	e := p.Load(first)
	if e.Manifest.Notes != "What is new in 1.0.0." || e.Manifest.Previous != "" {
		t.Errorf("%+v", e.Manifest)
	}
	// The bundle holds the commit with its history, for machines without a network.
	clone := t.TempDir()
	bundle := filepath.Join(p.Room.Events.Path(first), "source.bundle")
	src, err := source.Export(t.Context(), bundle, e.Manifest.Source.Commit, clone, os.Environ())
	if err != nil || src.Tree != e.Manifest.Source.Tree {
		t.Error(src, err)
	}

	out, _ := p.must(0, p.stageArgs()...)
	contains(t, out, "notice: event "+first.Short()+" (1.0.0 stable) is open for stable as well: only one of them can be published", "next: each auditor: countersign audit rebuild --room ")
	second, _ := p.must(0, p.stageArgs("--json", "--supersedes", first.Short())...)
	if got := p.Load(p.open(second)).Event.Supersedes; got != first.String() {
		t.Error("supersedes", got)
	}

	m := p.build(t, "1.0.1")
	p.write("out/linux-amd64/messenger", "another program")
	_, errs = p.must(1, p.stageArgs()...)
	contains(t, errs, "is not what build.json says: linux-amd64/messenger (1 differences)")
	p.write("out/linux-amd64/messenger", "messenger 1.0.1")
	p.write("out/stowaway", "x")
	_, errs = p.must(1, p.stageArgs()...)
	contains(t, errs, "is not what build.json says: stowaway (1 differences)")
	os.Remove(p.path("out", "stowaway"))
	_, errs = p.must(1, p.stageArgs("--rev", "HEAD~1")...)
	contains(t, errs, "build.json says commit "+m.Source.Commit)
	lie := m
	lie.Source.Tree = strings.Repeat("e", 40)
	p.writeBuild(t, lie)
	_, errs = p.must(1, p.stageArgs()...)
	contains(t, errs, "build.json says commit "+m.Source.Commit+" with tree "+strings.Repeat("e", 40))
	p.writeBuild(t, m)
	_, errs = p.must(2, p.stageArgs("--channel", "nightly")...)
	contains(t, errs, "--channel nightly: the distribution has no such channel")
	_, errs = p.must(2, p.stageArgs("--minimum", "2.0.0")...)
	contains(t, errs, "minimum version 2.0.0 is above the release itself, 1.0.1")
	id := p.stageRelease(t, "1.0.2")
	p.Rebuild(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.SignAll(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.must(0, append([]string{"publish", "--room", p.World.Dir}, p.keys()...)...)
	_, errs = p.must(1, p.stageArgs()...)
	contains(t, errs, "version 1.0.2 is not newer than 1.0.2, which is published in stable", "→ raise the version in the source, commit and build again")
}

// init does not take a source tree away from another distribution, nor takes a broken file.
func TestInitRefusals(t *testing.T) {
	p := newPublisher(t)
	_, errs := p.must(2, "init", "--room", p.World.Dir, "--source", p.path("source"))
	contains(t, errs, "--distribution is missing: nothing is published in")
	_, errs = p.must(2, "init", "--distribution", p.path("none.toml"), "--room", p.World.Dir, "--source", p.path("source"))
	contains(t, errs, "distribution file: open ")
	_, errs = p.must(2, "init", "--distribution", p.path("dist.toml"), "--room", p.World.Dir, "--source", p.dir)
	contains(t, errs, "want the top of a source tree, which has release/anchor in it")
	_, errs = p.must(2, "init", "--distribution", p.path("dist.toml"), "--room", "https://room.example.org", "--source", p.path("source"))
	contains(t, errs, "--room https://room.example.org: want the publisher's own directory, not a URL")
	good, err := os.ReadFile(p.path("dist.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("dist.toml", strings.Replace(string(good), `jurisdiction = "DE"`, `jurisdiction = "UK"`, 1))
	_, errs = p.init(2)
	contains(t, errs, `jurisdiction = "UK"`, `did you mean "GB"?`)
	p.write("dist.toml", string(good))
	dir := p.path("source", "release", "anchor", "distribution")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "root.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, errs = p.init(1)
	contains(t, errs, "root.json is the root of another distribution", "→ give --replace")
	if _, err := os.Stat(p.World.Dir); err == nil {
		t.Error("something was opened all the same")
	}
	out, _ := p.init(0, "--replace", "--json")
	p.SignAll(p.open(out), roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.init(0, append(p.keys(), "--replace")...)
	if _, err := anchor.Load(os.DirFS(dir)); err != nil {
		t.Error(err)
	}
}

// A changed file replaces the event that was not finished.
func TestInitChangesItsMind(t *testing.T) {
	p := newPublisher(t)
	out, _ := p.init(0, "--json")
	first := p.open(out)
	text, err := os.ReadFile(p.path("dist.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("dist.toml", strings.Replace(string(text), "mirror.example.org", "mirror2.example.org", 1))
	out, errs := p.init(0, "--json")
	second := p.open(out)
	contains(t, errs, "event "+second.Short()+" replaces "+first.Short()+", which was not finished")
	p.SignAll(first, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	_, errs = p.must(1, append([]string{"publish", "--room", p.World.Dir, first.Short()}, p.keys()...)...)
	contains(t, errs, "cannot be published: superseded by "+second.Short())
	p.SignAll(second, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.init(0, p.keys()...)
	p.write("dist.toml", string(text)) // and back again: the published distribution changes by an event of its own
	out, _ = p.init(0, "--json")
	third := p.open(out)
	if got := p.Load(third).Event.Roles(); len(got) != 1 || got[0] != "targets" {
		t.Error(got)
	}
	p.SignAll(third, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	out, _ = p.init(0, p.keys()...)
	contains(t, out, "wrote "+p.path("source", "release", "anchor", "distribution", "mirrors.json"))
}

// serve takes answers, publishes by itself, and stops when it is told to.
func TestServe(t *testing.T) {
	p := newPublisher(t)
	p.found(t)
	id := p.stageRelease(t, "1.0.0")
	_, errs := p.must(2, "serve", "--room", p.World.Dir)
	contains(t, errs, "--keys is missing")
	out, _ := p.must(0, append([]string{"serve", "--once", "--room", p.World.Dir}, p.keys()...)...)
	contains(t, out, "waiting: stable needs 3 more of")

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := serveOptions{publisherOptions: publisherOptions{Room: p.World.Dir, Keys: []string{p.path("publisher.key")}}, Every: time.Hour}
	app, _, _ := p.app()
	room, err := o.open(app)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveOn(ctx, app, o, room, ln) }()
	base := "http://" + ln.Addr().String()
	store, err := event.OpenStore(base, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Load(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{roomtest.Ana, roomtest.Ben, roomtest.Cleo} {
		if err := store.PutStatement(t.Context(), id, p.Bundle(i, p.Rebuilt(id))); err != nil {
			t.Fatal(err)
		}
		sigs, err := e.Sign("stable", p.People[i].Auditor)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.PutSignature(t.Context(), id, sigs[0]); err != nil {
			t.Fatal(err)
		}
	}
	for { // the test's own time limit ends a wait that would last for ever
		resp, err := http.Get(base + "/repository/metadata/2.stable.json")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			if got := resp.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
				t.Error("Cache-Control:", got)
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(base + "/events/"); err == nil {
		t.Error("it still answers")
	}
}
