package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
	"github.com/countersign-project/countersign/release/publish/roomtest"
	"github.com/countersign-project/countersign/tuf/durable"
)

// logged gives a publisher a log: its key in a file of its own, witnesses that run, and a distribution file
// that asks for them. It returns how to stop the witnesses and let them go on.
func (p *publisher) logged(t *testing.T) (stop, back func()) {
	t.Helper()
	p.Now = witnesstest.Time.Add(time.Hour)
	keys, err := signer.Generate([]string{"log"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Write(p.path("log.key"), keys, []byte("correct horse"), 1); err != nil {
		t.Fatal(err)
	}
	s, err := keys[0].Signer()
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.NoteKey("log.example.org/countersign", "log", s.Public())
	if err != nil {
		t.Fatal(err)
	}
	w := witnesstest.NewFor(t, key, "wim", "xu", "yan")
	b, err := os.ReadFile(p.path("dist.toml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), p.Rule, p.Rule+"\nlogged = true", 1)
	p.write("dist.toml", text+fmt.Sprintf("\n[log]\nkey = %q\npolicy = '''\n%s'''\n", key, w.PolicyText(2)))
	var handlers []http.Handler
	for _, person := range w.People {
		handlers = append(handlers, person.Server.Config.Handler)
	}
	set := func(h func(i int) http.Handler) func() {
		return func() {
			for i, person := range w.People {
				person.Server.Config.Handler = h(i)
			}
		}
	}
	return set(func(int) http.Handler { return http.NotFoundHandler() }), set(func(i int) http.Handler { return handlers[i] })
}

// A publisher with a log: what waits for the witnesses says so, and what was published is genuine by all seven
// reasons for whoever has the anchor that init wrote; without that log's policy nobody can tell.
func TestPublishThroughTheLog(t *testing.T) {
	p := newPublisher(t)
	stop, back := p.logged(t)
	p.found(t)
	id := p.stageRelease(t, "1.0.0")
	p.Rebuild(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	p.SignAll(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	both := append(p.keys(), "--keys", p.path("log.key"))

	_, errs := p.must(3, append([]string{"publish", "--room", p.World.Dir, id.Short()}, p.keys()...)...)
	contains(t, errs, "not in the log yet: none of the keys given is the log key of log.example.org/countersign", "→ give the publisher's key file with --keys")
	stop()
	_, errs = p.must(3, append([]string{"publish", "--room", p.World.Dir, id.Short()}, both...)...)
	contains(t, errs, "not in the log yet: head of ", "needs 2 of 3, has 0", "→ nothing is lost")
	out, _ := p.must(3, append([]string{"serve", "--once", "--room", p.World.Dir}, both...)...)
	contains(t, out, "delayed 1.0.0 stable (event "+id.Short()+"): not in the log yet", "delayed the newest metadata: not in the log yet")
	back()
	unlock, err := durable.Lock(p.path("room", "log", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	_, errs = p.must(3, append([]string{"publish", "--room", p.World.Dir, id.Short()}, both...)...)
	contains(t, errs, "in use by another process", "→ another command, such as countersign serve, is writing into this room's log")
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	out, _ = p.must(0, append([]string{"publish", "--room", p.World.Dir}, both...)...)
	contains(t, out, "published 1.0.0 stable")

	anchorFile := func(name string) string { return p.path("source", "release", "anchor", "distribution", name) }
	p.write("messenger", "messenger 1.0.0")
	verify := []string{"verify", p.path("messenger"), "--repository", p.path("room", "repository"), "--root", anchorFile("root.json"),
		"--policy", anchorFile("policy.json"), "--state", p.path("state"), "--program", "messenger", "--os", "linux", "--arch", "amd64"}
	out, errs = p.must(3, verify...)
	contains(t, out+errs, "this program was built without log.policy")
	verify = append(verify, "--log-policy", anchorFile("log.policy"), "--save", p.path("evidence.json"))
	out, _ = p.must(0, verify...)
	contains(t, out, "✓ 6 logged        in the log log.example.org/countersign under a head of ")
	if n := strings.Count(out, ".example/w on 2026-11-24"); n < 2 { // of three: who is late by a second is not waited for
		t.Errorf("cosigned by %d, want at least two\n%s", n, out)
	}

	// The monitor finds every file of it in the log, and the pages say so.
	trust := []string{"--root", anchorFile("root.json"), "--policy", anchorFile("policy.json"), "--log-policy", anchorFile("log.policy")}
	out, _ = p.must(0, append([]string{"monitor", "--once", "--repository", p.path("room", "repository"), "--state", p.path("monitor")}, trust...)...)
	contains(t, out, "nothing new: 0 alarms stand, 13 log entries seen")
	p.must(0, append([]string{"site", "--repository", p.path("room", "repository"), "--out", p.path("pages")}, trust...)...)
	page, err := os.ReadFile(p.path("pages", "log.html"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(page), "log.example.org/countersign")
	named := 0
	for _, who := range []string{"wim", "xu", "yan"} {
		if strings.Contains(string(page), who) {
			named++
		}
	}
	if named < 2 {
		t.Errorf("%d of the witnesses are on the page, want at least two\n%s", named, page)
	}

	// What --save wrote is a standard tlog-proof of the release's entry.
	entry, err := os.ReadFile(p.path("evidence.json.release.entry"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(entry), "1.0.0")
	text, err := os.ReadFile(p.path("evidence.json.1.tlog-proof"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(text), "c2sp.org/tlog-proof@v1\n", "\nlog.example.org/countersign\n")

	// Another log with the same witnesses is another log.
	b, err := os.ReadFile(anchorFile("log.policy"))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := proof.ParsePolicy(b)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := witnesstest.Key(t, "log.example.org/countersign", "log")
	p.write("other.policy", strings.Replace(string(b), policy.Log().Key.String(), other.String(), 1))
	verify[len(verify)-3] = p.path("other.policy")
	out, _ = p.must(1, append(verify[:len(verify)-2], "--json")...)
	var verdict struct {
		Outcome string
		Reasons []struct {
			Number int
			State  string
		}
	}
	if err := json.Unmarshal([]byte(out), &verdict); err != nil || verdict.Outcome != "refused" || verdict.Reasons[5].State != "failed" {
		t.Errorf("%v in %s", err, out)
	}
}
