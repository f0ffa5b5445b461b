//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

// operator runs countersign witness as a process, behind a web server whose address stays.
type operator struct {
	t       *testing.T
	name    string
	dir     string
	front   *httptest.Server
	behind  atomic.Pointer[url.URL]
	process *program
}

// newOperator makes a person's keys, and returns their lines of a log.policy.
func newOperator(t *testing.T, name string) (o *operator, lines string) {
	t.Helper()
	o = &operator{t: t, name: name, dir: t.TempDir()}
	o.front = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(o.behind.Load()) },
		ErrorLog: log.New(io.Discard, "", 0), // a witness that was killed is no news
	})
	t.Cleanup(o.front.Close)
	purposes := []string{"witness", "witness-mldsa"}
	keys, err := signer.Generate(purposes, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Write(o.dir+"/witness.key", keys, []byte("correct horse"), 1); err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		key, err := signer.NoteKey(name+".example/w", purposes[i], k.Public())
		if err != nil {
			t.Fatal(err)
		}
		lines += fmt.Sprintf("witness %s-%d %s %s\n", name, i+1, key, o.front.URL)
	}
	return o, lines + fmt.Sprintf("group %s any %s-1 %s-2\n", name, name, name)
}

func (o *operator) start(policy string) {
	o.t.Helper()
	o.process = start(o.t, o.dir, "witness", "--keys", "witness.key", "--log-policy", policy, "--dir", "state", "--listen", "127.0.0.1:0")
	u, err := url.Parse(strings.TrimPrefix(o.process.line("witness http"), "witness "))
	if err != nil {
		o.t.Fatal(err)
	}
	o.behind.Store(u)
}

// The log from one end to the other, with the real commands: witnesses as processes cosign what a publisher
// publishes, one is killed and comes back, a mirror copies all of it over HTTP, and somebody reads the record
// and judges a program from the mirror. Then the publisher brings back an old log, and it all stops there.
func TestTheLogFromWitnessToReader(t *testing.T) {
	p := newPublisher(t)
	p.Now = witnesstest.Time.Add(time.Hour)
	keys, err := signer.Generate([]string{"log"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Write(p.path("log.key"), keys, []byte("correct horse"), 1); err != nil {
		t.Fatal(err)
	}
	key, err := signer.NoteKey("log.example.org/countersign", "log", keys[0].Public())
	if err != nil {
		t.Fatal(err)
	}
	wim, wims := newOperator(t, "wim")
	xu, xus := newOperator(t, "xu")
	policy := fmt.Sprintf("log %s\n%s%sgroup everybody all wim xu\nquorum everybody\n", key, wims, xus)
	p.write("given.policy", policy)
	b, err := os.ReadFile(p.path("dist.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("dist.toml", strings.Replace(string(b), p.Rule, p.Rule+"\nlogged = true", 1)+fmt.Sprintf("\n[log]\nkey = %q\npolicy = '''\n%s'''\n", key, policy))
	p.found(t)
	wim.start(p.path("given.policy"))
	xu.start(p.path("given.policy"))
	publish := func(code int, version string) (out, errs string) {
		t.Helper()
		id := p.stageRelease(t, version)
		p.Rebuild(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
		p.SignAll(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
		return p.must(code, append([]string{"publish", "--room", p.World.Dir, "--keys", p.path("log.key")}, p.keys()...)...)
	}
	out, _ := publish(0, "1.0.0")
	contains(t, out, "published 1.0.0 stable")
	wim.process.line("cosigned log.example.org/countersign: ")
	if err := os.CopyFS(p.path("backup"), os.DirFS(p.path("room", "log"))); err != nil {
		t.Fatal(err)
	}

	room := httptest.NewServer(p.World.Room.Handler(nil))
	t.Cleanup(room.Close)
	anchor := func(name string) string { return p.path("source", "release", "anchor", "distribution", name) }
	trust := []string{"--root", anchor("root.json"), "--policy", anchor("policy.json"), "--log-policy", anchor("log.policy")}
	run := func(code int, args ...string) string {
		t.Helper()
		out, errs := p.must(code, append(args, trust...)...)
		return out + errs
	}
	sync := []string{"mirror", "sync", "--from", room.URL + "/repository", "--to", p.path("mirror")}
	contains(t, run(0, sync...), "  log log.example.org/countersign: ")

	// Wim is killed; nothing is published before he is back, and he remembers.
	wim.process.kill()
	_, errs := publish(3, "1.1.0")
	contains(t, errs, "not in the log yet: ", "missing: wim-1, wim-2", "nothing is lost")
	wim.start(p.path("given.policy"))
	out, _ = p.must(0, append([]string{"publish", "--room", p.World.Dir, "--keys", p.path("log.key")}, p.keys()...)...)
	contains(t, out, "published 1.1.0 stable")
	run(0, sync...)
	contains(t, run(0, "mirror", "check", "--deep", p.path("mirror"), room.URL+"/repository"), "good         "+p.path("mirror"), "good         "+room.URL+"/repository", ", log of ")

	// Somebody reads the record and judges a program, from the mirror alone.
	shown := run(0, "log", "show", "--release", "1.1.0", "--repository", p.path("mirror"))
	contains(t, shown, "  cosigned by wim-1 (", "xu-2 (", "  needed: all of (any of (wim-1, wim-2), any of (xu-1, xu-2))\n",
		"  release stable 1.1.0, sha256 ", "  rebuilt stable 1.1.0 by Ana Sousa (Alpha, PT), payload sha256 ", "  rebuilt stable 1.1.0 by Cleo Hart (Gamma, US), payload sha256 ")
	if strings.Contains(shown, "1.0.0") {
		t.Errorf("shown with it:\n%s", shown)
	}
	p.write("messenger", "messenger 1.1.0")
	contains(t, run(0, "verify", p.path("messenger"), "--repository", p.path("mirror"), "--state", p.path("seen"), "--program", "messenger", "--os", "linux", "--arch", "amd64"), "✓ 6 logged ")
	run(0, "log", "follow", "--once", "--repository", p.path("mirror"), "--state", p.path("followed"))

	// The publisher's disk dies, and a backup of the log comes back with an empty repository beside it: the next
	// head would contradict the one that the witnesses cosigned, and they refuse it.
	for _, name := range []string{"log", "repository/log"} {
		if err := os.RemoveAll(p.path("room", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(p.path("room", "log"), os.DirFS(p.path("backup"))); err != nil {
		t.Fatal(err)
	}
	_, errs = publish(3, "1.2.0")
	contains(t, errs, "not in the log yet: ")
	told := wim.process.line("refused log.example.org/countersign: ")
	_, path, ok := strings.Cut(told, "; evidence: ")
	if _, err := os.Stat(wim.dir + "/" + path); !ok || err != nil {
		t.Errorf("%q names no evidence: %v", told, err)
	}
	if _, err := os.Stat(p.path("room", "repository", "log", "checkpoint")); err == nil {
		t.Error("a head without witnesses is public")
	}
	if code := xu.process.interrupt(); code != 0 {
		t.Errorf("interrupted: exit %d, %s", code, xu.process.errs.String())
	}
}
