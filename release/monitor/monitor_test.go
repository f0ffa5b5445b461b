package monitor_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles/tilestest"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/monitor"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// world is a repository with a log beside it, and somebody who watches both.
type world struct {
	*repotest.World
	t         *testing.T
	log       *prooftest.Log
	witnesses []*prooftest.Signer
	o         monitor.Options
	skip      func(entry string) bool // entries that a dishonest publisher leaves out
}

var programs = map[string][]byte{"linux-amd64/messenger": []byte("m")}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: repotest.New(t, 5, 3), t: t, log: prooftest.NewLog("log.example/countersign"), skip: func(string) bool { return false }}
	for _, name := range []string{"ana.example/w", "bo.example/w"} {
		w.witnesses = append(w.witnesses, prooftest.NewSigner(name, proof.Ed25519Cosi))
	}
	w.o = monitor.Options{Dir: t.TempDir(), Grace: 10 * time.Minute,
		Anchor: anchor.Anchor{Root: w.Anchor(), Policy: w.Policy, LogPolicy: w.log.PolicyText(2, w.witnesses...)}}
	w.Release("1.0.0", programs)
	return w
}

var metadataName = regexp.MustCompile(`^metadata/(?:([0-9]+)\.)?([a-z]+)\.json$`)

// files is the repository with its log, into which everything new is written first.
func (w *world) files() fstest.MapFS {
	out := fstest.MapFS{}
	for name, b := range w.Files() {
		out[name] = &fstest.MapFile{Data: b}
		m := metadataName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		v, _ := strconv.ParseInt(m[1], 10, 64)
		if m[1] == "" {
			var doc struct{ Signed struct{ Version int64 } }
			if err := json.Unmarshal(b, &doc); err != nil {
				w.t.Fatal(err)
			}
			v = doc.Signed.Version
		}
		w.append(proof.MetadataLeaf(m[2], v, sha256.Sum256(b)))
	}
	for _, version := range []string{"1.0.0", "1.1.0"} {
		made := w.Made("stable", version)
		if made.Manifest == nil {
			continue
		}
		w.append(proof.ReleaseLeaf("stable", version, sha256.Sum256(made.Manifest)))
		for _, s := range made.Statements {
			var doc struct {
				VerificationMaterial struct{ PublicKey struct{ Hint []byte } }
				DSSEEnvelope         struct{ Payload []byte }
			}
			if err := json.Unmarshal(s, &doc); err != nil {
				w.t.Fatal(err)
			}
			w.append(proof.StatementLeaf([32]byte(doc.VerificationMaterial.PublicKey.Hint), sha256.Sum256(doc.DSSEEnvelope.Payload)))
		}
	}
	for name, f := range tilestest.Files(w.log, len(w.log.Entries), w.witnesses...) {
		out["log/"+name] = f
	}
	return out
}

func (w *world) append(entry []byte) {
	for _, e := range w.log.Entries {
		if string(e) == string(entry) {
			return
		}
	}
	if !w.skip(string(entry)) {
		w.log.Append(entry)
	}
}

// look looks at these mirrors, named one, two, …, and returns what was told.
func (w *world) look(mirrors ...fstest.MapFS) []string {
	w.t.Helper()
	w.o.Sources = nil
	for i, m := range mirrors {
		w.o.Sources = append(w.o.Sources, fetch.Dir(m, []string{"one", "two"}[i]))
	}
	r, err := monitor.Look(w.t.Context(), w.o, w.Now, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	var told []string
	for _, a := range r.New {
		told = append(told, a.Kind+": "+a.Text)
	}
	for _, a := range r.Over {
		told = append(told, "over: "+a.Text)
	}
	for _, p := range r.Problems {
		told = append(told, "problem: "+p)
	}
	return told
}

func (w *world) want(got []string, want ...string) {
	w.t.Helper()
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.Contains(got[i], want[i])
	}
	if !ok {
		w.t.Errorf("told %q\nwant %q", got, want)
	}
}

func TestQuietWhileAllIsWell(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.files(), w.files()))
	w.Now = w.Now.Add(time.Hour)
	w.Release("1.1.0", programs)
	w.want(w.look(w.files()))
	w.Now = w.Now.Add(time.Hour)
	w.want(w.look(w.files()))
}

func TestReleaseMissingFromTheLog(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.files()))
	w.skip = func(entry string) bool { return strings.HasPrefix(entry, "countersign release stable 1.1.0 ") }
	w.Release("1.1.0", programs)
	w.want(w.look(w.files()), `unlogged: release stable 1.1.0 is served and not in the log: "countersign release stable 1.1.0 `)
	w.want(w.look(w.files())) // told once
	kept, err := filepath.Glob(filepath.Join(w.o.Dir, "evidence", "unlogged_*", "entry"))
	if err != nil || len(kept) != 1 {
		t.Error(kept, err)
	}
	w.skip = func(string) bool { return false }
	w.want(w.look(w.files()), "over: release stable 1.1.0 is served and not in the log")
}

// Metadata and statements have a moment to get into the log.
func TestUnloggedMetadataHasToLast(t *testing.T) {
	w := newWorld(t)
	w.skip = func(entry string) bool { return strings.HasPrefix(entry, "countersign metadata targets") }
	w.want(w.look(w.files()))
	w.Now = w.Now.Add(11 * time.Minute)
	w.want(w.look(w.files()), "unlogged: version 1 of targets (sha256 ")
}

func TestEntryThatNobodyServes(t *testing.T) {
	w := newWorld(t)
	w.append(proof.ReleaseLeaf("stable", "6.6.6", [32]byte{6}))
	w.append(proof.StatementLeaf([32]byte{1}, [32]byte{2}))
	w.append(proof.MetadataLeaf("stable", 9, [32]byte{3}))
	files := w.files()
	w.want(w.look(files))
	w.Now = w.Now.Add(time.Hour)
	w.want(w.look(files), "is release stable 6.6.6, sha256 06", "by a key of nobody in the policy", "is version 9 of stable")
	// A mirror that withholds the evidence does not make others guilty: it is told as what could not be found out.
	w.o.Dir = t.TempDir()
	broken := w.files()
	for name := range broken {
		if strings.HasPrefix(name, "targets/stable/") {
			delete(broken, name)
		}
	}
	for _, told := range w.look(broken) {
		if !strings.HasPrefix(told, "problem: ") {
			t.Errorf("told %s", told)
		}
	}
}

func TestWhatAuditorsSay(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.files()))
	made := w.Publish(repotest.Release{Version: "1.1.0", Artifacts: programs, Otherwise: []int{3}})
	w.Withdraw(w.Withdrawal(1, made, "withdrawn", "it leaks\x1b[2J keys", w.Now))
	w.Refresh()
	told := w.look(w.files())
	var kinds []string
	for _, s := range told {
		kinds = append(kinds, strings.SplitN(s, ":", 2)[0])
		if strings.Contains(s, "\x1b") {
			t.Errorf("%q", s)
		}
	}
	if !strings.Contains(strings.Join(told, "\n"), "disagreement: Daiki Mori (Fuji Kenkyu, JP) rebuilt stable 1.1.0 and got other bytes (1 differences): linux-amd64/messenger is 62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a in the release and ") {
		t.Errorf("told %q", told)
	}
	t.Log(kinds)
}

func TestRollbackAndForkOfMetadata(t *testing.T) {
	w := newWorld(t)
	old := w.files()
	w.Now = w.Now.Add(time.Hour)
	w.Refresh()
	w.want(w.look(w.files(), old)) // a mirror may lag
	got := w.look(old, old)
	if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), "rollback: one: timestamp: version 2 offered, but version 3 was seen before") {
		t.Errorf("told %q", got)
	}
	// The publisher signs a second version 3 of the snapshot, and shows it to one mirror.
	w = newWorld(t)
	first := w.files()
	twin := newWorld(t)
	twin.Now = twin.Now.Add(time.Minute)
	twin.Refresh() // version 3 there
	w.Now = w.Now.Add(2 * time.Minute)
	w.Refresh()
	_ = first
	w.log = prooftest.NewLog("log.example/countersign")
	both := w.files()
	for name, f := range both {
		if strings.HasPrefix(name, "log/") {
			delete(both, name)
			_ = f
		}
	}
	got = w.look(both, twin.files())
	if all := strings.Join(got, "\n"); !strings.Contains(all, "fork: there are two of version 3 of snapshot, both signed: sha256 ") {
		t.Errorf("told %q", got)
	}
}

func TestExpiries(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.files()))
	w.Now = w.Now.Add(19 * time.Hour)
	w.want(w.look(w.files()), "expiry: version 2 of timestamp expires on 2026-11-22T12:00:00Z, and there is no newer one")
	w.Now = w.Now.Add(6 * time.Hour)
	got := strings.Join(w.look(w.files()), "\n")
	if !strings.Contains(got, "expiry: one: timestamp expired on 2026-11-22T12:00:00Z") {
		t.Errorf("told %q", got)
	}
}

func TestTelling(t *testing.T) {
	w := newWorld(t)
	w.skip = func(entry string) bool { return strings.HasPrefix(entry, "countersign release") }
	w.o.Sources = []fetch.Source{fetch.Dir(w.files(), "one")}
	status, posted := 500, ""
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posted = string(b)
		rw.WriteHeader(status)
	}))
	defer srv.Close()
	mail := filepath.Join(t.TempDir(), "mail")
	tell := func(ctx context.Context, r monitor.Report) error {
		return errors.Join(monitor.Post(ctx, srv.URL, r), monitor.Run(ctx, "cat > '"+mail+"'", r))
	}
	if _, err := monitor.Look(t.Context(), w.o, w.Now, tell); err == nil || !strings.Contains(err.Error(), "telling: webhook answered 500") {
		t.Errorf("a webhook that fails: %v", err)
	}
	status = 204
	if _, err := monitor.Look(t.Context(), w.o, w.Now, tell); err != nil || !strings.Contains(posted, `"kind":"unlogged"`) {
		t.Errorf("told again: %v, posted %s", err, posted)
	}
	b, err := os.ReadFile(mail)
	if err != nil || !strings.HasPrefix(string(b), "ALARM unlogged: release stable 1.0.0 is served and not in the log") {
		t.Errorf("mail %q: %v", b, err)
	}
	posted = ""
	if r, err := monitor.Look(t.Context(), w.o, w.Now, tell); err != nil || posted != "" || len(r.Standing) != 1 {
		t.Errorf("told twice: %s (%v, %d standing)", posted, err, len(r.Standing))
	}
	if err := monitor.Run(t.Context(), "echo no such box; exit 3", monitor.Report{}); err == nil || !strings.Contains(err.Error(), "no such box") {
		t.Errorf("a command that fails: %v", err)
	}
}
