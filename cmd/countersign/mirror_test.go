package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles/tilestest"
	"github.com/countersign-project/countersign/cmd/cli"
)

func (p *person) sync(args ...string) (code int, out, errs string) {
	p.t.Helper()
	return p.run(append([]string{"mirror", "sync", "--to", p.path("mirror"), "--root", p.path("root.json")}, args...)...)
}

func TestMirrorSyncThenVerifyFromIt(t *testing.T) {
	p := newPerson(t)
	p.want(0, "6 files copied", "")(p.sync("--from", p.path("repository")))
	p.want(0, "0 files copied (0 bytes), 6 were there", "")(p.sync("--from", p.path("repository")))
	p.want(0, "genuine: messenger 1.0.0", "")(p.verify(released["linux-amd64/messenger"], "--repository", p.path("mirror")))
	p.write("mirror/README", []byte("mine"))
	p.want(0, "foreign file, left alone: README", "")(p.sync("--from", p.path("repository")))
	p.want(0, `"foreign": [
    "README"
  ]`, "")(p.sync("--json", "--from", p.path("repository")))
	p.want(0, "foreign file: README", "")(p.run("mirror", "check", "--root", p.path("root.json"), "--deep", p.path("mirror"), p.path("repository")))
}

func TestMirrorSyncRefusesAndFails(t *testing.T) {
	p := newPerson(t)
	p.want(2, "", "--to is missing")(p.run("mirror", "sync"))
	p.want(2, "", "want at least 1s")(p.sync("--every", "1ms"))
	p.want(2, "", "where to fetch from?")(p.sync())
	p.want(3, "", "no such directory")(p.sync("--from", "file:///no/such/stick"))
	p.write("mirror2/diary.txt", nil)
	p.want(2, "", `mirror2 is not empty and not a mirror: it holds "diary.txt"; nothing was changed`)(p.sync("--from", p.path("repository"), "--to", p.path("mirror2")))
	for name, b := range p.w.Files() {
		if strings.HasSuffix(name, "stable.json") {
			p.write("repository/"+name, bytes.Replace(b, []byte("stable/"), []byte("staple/"), 1))
		}
	}
	p.want(1, "", "countersign: refused: stable: ")(p.sync("--from", p.path("repository")))
	if _, err := os.Stat(p.path("mirror/metadata/timestamp.json")); err == nil {
		t.Error("timestamp.json is there")
	}
}

func TestMirrorCheckExitCodes(t *testing.T) {
	p := newPerson(t)
	check := func(args ...string) (int, string, string) {
		return p.run(append([]string{"mirror", "check", "--root", p.path("root.json")}, args...)...)
	}
	p.publish("old")
	p.want(0, "good ", "")(check(p.path("old"), p.path("repository")))
	p.want(3, "unreachable  http://127.0.0.1:1", "could not tell about http://127.0.0.1:1")(check(p.path("old"), "http://127.0.0.1:1"))
	p.w.Release("1.1.0", map[string][]byte{"linux-amd64/messenger": []byte("new")})
	p.publish("repository")
	p.want(1, "lags         "+p.path("old"), "1 of 2 mirrors are not good")(check(p.path("old"), p.path("repository")))
}

func TestMirrorBundleSideLoads(t *testing.T) {
	p := newPerson(t)
	bundle := func(args ...string) (int, string, string) {
		return p.run(append([]string{"mirror", "bundle", "--root", p.path("root.json"), p.path("repository")}, args...)...)
	}
	p.want(0, "stable 1.0.0 for linux/amd64", "")(bundle("--platform", "linux/amd64", "--out", p.path("b.tar")))
	p.want(0, "genuine: messenger 1.0.0", "")(p.verify(released["linux-amd64/messenger"], "--offline", p.path("b.tar")))
	p.want(2, "", `has no programs for "plan9/mips"`)(bundle("--platform", "plan9/mips", "--out", p.path("c.tar")))
	p.want(2, "", "no role names this target")(bundle("--platform", "linux/amd64", "--version", "9.9.9", "--out", p.path("c.tar")))
	p.want(2, "", "--out is missing")(bundle())
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "c.tar" || strings.HasPrefix(e.Name(), ".countersign") {
			t.Errorf("%s is left", e.Name())
		}
	}
	p.write("cut.tar", []byte("not a tar at all"))
	p.want(3, "", "cut.tar: bundle: ")(p.verify(nil, "--offline", p.path("cut.tar")))
}

// Serve with --every copies by itself, serves, and ends with an interrupt.
func TestMirrorServe(t *testing.T) {
	p := newPerson(t)
	r, w := io.Pipe()
	app := &cli.App{Name: "countersign", In: strings.NewReader(""), Out: w, Err: io.Discard, Now: func() time.Time { return p.now }, Getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	o := mirrorServeOptions{Listen: "127.0.0.1:0"}
	o.To, o.From, o.Root, o.Every = p.path("mirror"), []string{p.path("repository")}, p.path("root.json"), time.Hour
	go func() { done <- runMirrorServe(ctx, app, o) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "mirror ")
	if err != nil || !ok {
		t.Fatalf("printed %q, %v", line, err)
	}
	go io.Copy(io.Discard, r)
	for {
		resp, err := http.Get(url + "/metadata/timestamp.json")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == 200 {
			if string(b) != string(p.w.Role("timestamp")) {
				t.Errorf("served %q", b)
			}
			break
		}
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	// Others use it over HTTP: a further mirror, a check that reads everything, somebody with a file.
	p.want(0, "6 files copied", "")(p.sync("--from", url, "--to", p.path("second")))
	p.want(0, "good         "+url, "")(p.run("mirror", "check", "--root", p.path("root.json"), url, p.path("second")))
	p.want(0, "good         "+url, "")(p.run("mirror", "check", "--root", p.path("root.json"), "--deep", url))
	p.want(0, "genuine: messenger 1.0.0", "")(p.verify(released["linux-amd64/messenger"], "--repository", url))
	cancel()
	if err := <-done; err != nil {
		t.Errorf("error %v, want none", err)
	}
	p.want(2, "", "is not a directory")(p.run("mirror", "serve", p.path("nothing")))
	p.want(2, "", "--from without --every")(p.run("mirror", "serve", p.path("mirror"), "--from", "x"))
}

// Mirrors carry the log: a copy, a log that went back, a fork, and what check says of them.
func TestMirrorCarriesTheLog(t *testing.T) {
	p := newPerson(t)
	l, fork := prooftest.NewLog("log.example/countersign"), prooftest.NewLog("log.example/countersign")
	ana := prooftest.NewSigner("ana.example/w", proof.Ed25519Cosi)
	l.Fill(300)
	fork.Fill(200)
	fork.Append(proof.MetadataLeaf("root", 9, [32]byte{9}))
	fork.Fill(99)
	policy := p.write("log.policy", l.PolicyText(1, ana))
	logged := func(dir string, l *prooftest.Log, size int) string {
		p.publish(dir)
		for name, f := range tilestest.Files(l, size, ana) {
			p.write(dir+"/log/"+name, f.Data)
		}
		return p.path(dir)
	}
	newest := logged("newest", l, 300)
	older := logged("older", l, 280)
	forked := logged("forked", fork, 300)
	p.want(0, "  log log.example/countersign: 300 entries, 5 files of it copied", "")(p.sync("--from", newest, "--log-policy", policy))
	p.want(0, "  log log.example/countersign: 300 entries, 0 files of it copied", "")(p.sync("--from", newest, "--log-policy", policy))
	code, _, errs := p.sync("--from", older, "--log-policy", policy)
	p.want(1, "", "countersign: refused: log: a head of 280 entries, and this mirror holds 300: the source lags, or the log went back; our head and the refused one are kept in ")(code, "", errs)
	code, _, errs = p.sync("--from", forked, "--log-policy", policy)
	p.want(1, "", "countersign: refused: log: it was forked: a head of 300 entries")(code, "", errs)
	_, line, ok := strings.Cut(errs, "our head and the refused one are kept in ")
	path, _, _ := strings.Cut(line, "\n")
	if b, err := os.ReadFile(path); !ok || err != nil || string(b) != string(l.Checkpoint(ana))+"\n"+string(fork.Checkpoint(ana)) {
		t.Errorf("kept %q, %v in\n%s", b, err, errs)
	}
	check := func(args ...string) (int, string, string) {
		return p.run(append([]string{"mirror", "check", "--root", p.path("root.json"), "--log-policy", policy}, args...)...)
	}
	p.want(0, ", log of 300 entries", "")(check("--deep", p.path("mirror"), newest))
	p.want(1, "  log: 280 entries, others have 300", "older lags")(check(newest, older))
	p.want(1, "forks        "+forked, "2 of 2 mirrors are not good")(check(newest, forked))
	p.want(1, "  log: log/checkpoint: "+p.path("repository")+": ", "")(check(newest, p.path("repository")))
}
