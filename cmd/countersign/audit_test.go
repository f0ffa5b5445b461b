package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

// shell is Ana at a shell, beside a publisher: her key file and her home.
type shell struct {
	*publisher
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{newPublisher(t)}
	keys, err := signer.Generate([]string{"root", "auditor", "statement"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Write(s.path("ana.key"), keys, []byte("correct horse"), 1); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.path("dist.toml"))
	if err != nil {
		t.Fatal(err)
	}
	ana := s.People[roomtest.Ana]
	for i, k := range []roomtest.Key{ana.Root, ana.Auditor, ana.Statement} {
		text = bytes.Replace(text, []byte(signer.FormatPublic(k.Public(), "")), []byte(signer.FormatPublic(keys[i].Public(), "")), 1)
	}
	s.write("dist.toml", string(text))
	return s
}

// founded publishes the distribution, signed by Ana at her shell and two others.
func (s *shell) founded() *shell {
	s.T.Helper()
	out, _ := s.init(0, "--json")
	id := s.publisher.open(out)
	s.audit(0, "sign", "--yes", id.Short())
	s.SignAll(id, roomtest.Ben, roomtest.Cleo)
	s.init(0, s.keys()...)
	return s
}

// audit runs one of Ana's commands in the publisher's directory.
func (s *shell) audit(want int, args ...string) (out, errs string) {
	s.T.Helper()
	return s.auditIn(s.World.Dir, want, args...)
}

func (s *shell) auditIn(room string, want int, args ...string) (out, errs string) {
	s.T.Helper()
	more := []string{"--room", room, "--home", s.path("home")}
	if a := args[0]; a == "list" || a == "rebuild" || a == "sign" || a == "withdraw" {
		more = append(more, "--keys", s.path("ana.key"))
	}
	return s.must(want, append([]string{"audit", args[0]}, append(more, args[1:]...)...)...)
}

// typed answers the question before a signature.
func (s *shell) typed(answer string, args ...string) (code int, errs string) {
	s.T.Helper()
	app, _, e := s.app()
	app.In = strings.NewReader(answer)
	code = app.Run(newRoot(app), append([]string{"audit", "sign", "--room", s.World.Dir, "--home", s.path("home"), "--keys", s.path("ana.key")}, args...))
	return code, e.String()
}

func TestAuditorSignsTheFirstDistribution(t *testing.T) {
	s := newShell(t)
	out, _ := s.init(0, "--json")
	id := s.publisher.open(out)
	out, errs := s.audit(0, "list")
	contains(t, out, id.Short()+"  new distribution Test Messenger (distribution), 0 s old", "  you: sign root, then sign targets, then sign beta, then sign stable")
	contains(t, errs, "next: countersign audit sign "+id.Short())
	out, _ = s.audit(0, "show", id.Short())
	contains(t, out, "WARNING: new distribution \"Test Messenger\"", "channel beta: a release takes 2 auditors from at least 2 countries and 2 organisations, and 2 matching rebuilds")
	_, errs = s.audit(1, "rebuild", id.Short())
	contains(t, errs, "countersign: refused: event "+id.Short()+" is of kind distribution: there is nothing to rebuild")
	for _, answer := range []string{"", "\n", "yes\n", "root 2\n"} {
		code, errs := s.typed(answer, id.Short())
		if code != 2 || len(s.Load(id).Signatures) != 0 {
			t.Errorf("answer %q: exit %d, %d signatures", answer, code, len(s.Load(id).Signatures))
		}
		contains(t, errs, `type "root 1" to sign: `, "you sign targets version 1 as Ana Sousa (Alpha, PT)", `not signed: "`+strings.TrimSpace(answer)+`" is not "root 1"`)
	}
	if code, errs := s.typed("root 1\n", id.Short()); code != 0 || len(s.Load(id).Signatures) != 4 {
		t.Errorf("exit %d, %d signatures\n%s", code, len(s.Load(id).Signatures), errs)
	}
	out, _ = s.audit(0, "list", "--json")
	var room audit.Room
	if err := json.Unmarshal([]byte(out), &room); err != nil || len(room.Events) != 1 || len(room.Events[0].Todo) != 0 || len(room.Events[0].Quorums[0].Signed) != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAuditCommandLine(t *testing.T) {
	s := newShell(t).founded()
	id := s.stageRelease(t, "1.0.0")
	_, errs := s.audit(2, "show", "123456")
	contains(t, errs, `no event starts with "123456" (six or more digits of its id)`, "→ "+id.Short()+" 1.0.0 stable")
	_, errs = s.auditIn(s.path("nowhere"), 2, "list")
	contains(t, errs, "--room "+s.path("nowhere")+" is not a directory")
	_, errs = s.auditIn("ftp://room.example.org", 2, "list")
	contains(t, errs, "--room ftp://room.example.org: want a directory, or a URL with http or https")
	_, errs = s.must(2, "audit", "sign", "--room", s.World.Dir, "--home", s.path("home"), id.Short())
	contains(t, errs, "--keys is missing")
	_, errs = s.must(2, "audit", "rebuild", "--room", s.World.Dir, "--home", s.path("home"), "--cache", s.path("cache"), id.Short())
	contains(t, errs, "--cache needs --keys")
	_, errs = s.audit(2, "export", id.Short())
	contains(t, errs, "--out is missing")
	_, errs = s.audit(2, "import", s.path("nothing.tar"))
	contains(t, errs, "nothing.tar: no such file")
	_, errs = s.audit(2, "sign", "--root", s.path("none.json"), id.Short())
	contains(t, errs, "--root: open ")
	_, errs = s.audit(1, "sign", id.Short())
	contains(t, errs, "is not signed without your own matching rebuild: there is no statement of a rebuild by Ana Sousa (Alpha, PT)", "→ next: countersign audit rebuild "+id.Short())
	s.env["COUNTERSIGN_PASSPHRASE"] = "wrong"
	s.audit(3, "sign", id.Short())
}

// The source of this release has no recipe, so a rebuild cannot tell: exit 3, and said in public.
func TestAuditRebuildThatCannotTell(t *testing.T) {
	s := newShell(t).founded()
	id := s.stageRelease(t, "1.0.0")
	out, errs := s.audit(3, "rebuild", "--machine", "a shed", id.Short())
	contains(t, out, "could not be rebuilt: the source has no builds/recipe.toml", "stated so by Ana Sousa (Alpha, PT)")
	contains(t, errs, "countersign: error: 1.0.0 stable: your rebuild could not be finished: the source has no builds/recipe.toml")
	if st := s.Load(id).Statements; len(st) != 1 || st[0].Inconclusive == nil || st[0].Inconclusive.Builder != "a shed" {
		t.Errorf("statements %+v", st)
	}
	s.audit(3, "rebuild", id.Short()) // the same reason is not stated twice
	if st := s.Load(id).Statements; len(st) != 1 {
		t.Errorf("%d statements", len(st))
	}
	_, errs = s.audit(1, "sign", id.Short())
	contains(t, errs, `your rebuild of 2026-11-21 ended as "inconclusive"`)
}

func TestAuditExportAndImport(t *testing.T) {
	s := newShell(t)
	out, _ := s.init(0, "--json")
	id := s.publisher.open(out)
	srv := httptest.NewServer(s.Room.Handler(nil))
	defer srv.Close()
	stick := s.path("stick.tar")
	out, _ = s.auditIn(srv.URL, 0, "export", "--out", stick, id.Short())
	contains(t, out, "event "+id.Short()+" in "+stick+", ")
	_, errs := s.auditIn(srv.URL, 2, "export", "--out", stick, id.Short())
	contains(t, errs, "--out "+stick+" is there already")
	far := s.path("far")
	out, _ = s.auditIn(far, 0, "import", stick)
	contains(t, out, "event "+id.Short()+": 0 new signatures, 0 new statements; it was not here before")
	s.auditIn(far, 0, "sign", "--yes", "--quiet", id.Short())
	s.auditIn(far, 0, "export", "--signatures-only", "--out", s.path("back.tar"), id.Short())
	out, _ = s.auditIn(srv.URL, 0, "import", s.path("back.tar"))
	contains(t, out, "event "+id.Short()+": 4 signatures and 0 statements handed in to "+srv.URL)
	out, _ = s.audit(0, "import", s.path("back.tar"))
	contains(t, out, "event "+id.Short()+": 0 new signatures, 0 new statements\n")
	if n := len(s.Load(id).Signatures); n != 4 {
		t.Errorf("%d signatures arrived", n)
	}
	b, err := os.ReadFile(s.path("back.tar"))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"cut":     b[:4000],
		"flipped": bytes.Replace(b, []byte(`"sig": "`), []byte(`"sig": "0`), 1),
		"other":   []byte("no tar"),
	} {
		s.write(name, string(bad))
		if code, _, errs := s.run("audit", "import", "--room", s.World.Dir, s.path(name)); code == 0 {
			t.Errorf("%s was taken: %s", name, errs)
		}
	}
}

// An event published long ago has not come too late.
func TestAuditListOfThePast(t *testing.T) {
	s := newShell(t).founded()
	id := s.stageRelease(t, "1.0.0")
	again, _ := s.must(0, s.stageArgs("--json")...)
	late := s.publisher.open(again)
	for _, who := range []int{roomtest.Ben, roomtest.Cleo, roomtest.Dai} {
		s.Rebuild(id, who)
	}
	s.SignAll(id, roomtest.Ben, roomtest.Cleo, roomtest.Dai)
	s.must(0, append([]string{"publish", "--room", s.World.Dir}, s.keys()...)...)
	out, _ := s.audit(0, "list")
	if n := strings.Count(out, "→ published"); n != 2 {
		t.Errorf("%d published events in\n%s", n, out)
	}
	contains(t, out, late.Short()+"  1.0.0 stable", "→ stale: builds on version 1 of stable, and version 2 is published: stage it again")
}

func TestAuditWithdraw(t *testing.T) {
	s := newShell(t).founded()
	id := s.stageRelease(t, "1.0.0")
	_, errs := s.audit(2, "withdraw", "1.0.0")
	contains(t, errs, "--reason is missing")
	_, errs = s.audit(1, "withdraw", "--reason", "x", "--yes", id.Short())
	contains(t, errs, "stable 1.0.0 is not published: there is nothing to withdraw")
	for _, who := range []int{roomtest.Ben, roomtest.Cleo, roomtest.Dai} {
		s.Rebuild(id, who)
	}
	s.SignAll(id, roomtest.Ben, roomtest.Cleo, roomtest.Dai)
	s.must(0, append([]string{"publish", "--room", s.World.Dir}, s.keys()...)...)
	_, errs = s.audit(1, "withdraw", "--reinstate", "--reason", "x", "--yes", "1.0.0")
	contains(t, errs, "Ana Sousa (Alpha, PT) has not withdrawn stable 1.0.0")
	stick := s.path("word.tar")
	out, errs := s.audit(0, "withdraw", "--reason", "leaks keys", "--yes", "--out", stick, "1.0.0")
	contains(t, errs, "you state as Ana Sousa (Alpha, PT) on ", ": withdrawn\n  reason: leaks keys")
	contains(t, out, "hand it in with: countersign audit import")
	if n := len(s.Load(id).Status(s.Published(), "").Withdrawn); n != 0 {
		t.Fatalf("%d words in the room before the stick arrived", n)
	}
	out, _ = s.audit(0, "import", stick)
	contains(t, out, "0 new signatures, 1 new statements")
	s.must(0, append([]string{"publish", "--room", s.World.Dir}, s.keys()...)...)
	out, _ = s.audit(0, "show", id.Short())
	contains(t, out, "withdrawn by Ana Sousa (Alpha, PT)")
	st, err := s.Room.Repository.Load()
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := st.Set.Withdrawn(); !ok || f.Version != 1 {
		t.Errorf("%+v %v", f, ok)
	}
}

func TestAuditHome(t *testing.T) {
	for want, env := range map[string]map[string]string{
		filepath.FromSlash("/data/countersign/audit"):                  {"XDG_DATA_HOME": "/data", "HOME": "/home/ana"},
		filepath.FromSlash("/home/ana/.local/share/countersign/audit"): {"XDG_DATA_HOME": "not/absolute", "HOME": "/home/ana"},
		"": {},
	} {
		if got := auditHome(func(k string) string { return env[k] }); got != want {
			t.Errorf("%v: %q, want %q", env, got, want)
		}
	}
	s := newShell(t)
	_, errs := s.must(2, "audit", "list", "--room", s.dir)
	contains(t, errs, "--home is missing, and there is no home directory to put it in")
	var no event.ID
	if id, err := pick(t.Context(), &audit.Auditor{Store: event.Dir(s.path("empty"))}, "abcdef"); err == nil || id != no {
		t.Errorf("picked %v", id)
	}
}
