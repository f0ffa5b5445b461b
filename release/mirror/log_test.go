package mirror

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/attest/tiles/tilestest"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// logged is a repository with a log, of whose three witnesses two are a quorum.
type logged struct {
	*repotest.World
	t         *testing.T
	log       *prooftest.Log
	witnesses []*prooftest.Signer
	policy    []byte
}

func newLogged(t *testing.T) *logged {
	t.Helper()
	l := &logged{World: world(t), t: t, log: prooftest.NewLog("log.example/countersign")}
	for _, name := range []string{"ana.example/w", "bo.example/w", "chen.example/w"} {
		l.witnesses = append(l.witnesses, prooftest.NewSigner(name, proof.Ed25519Cosi))
	}
	l.policy = l.log.PolicyText(2, l.witnesses...)
	l.log.Fill(1000)
	return l
}

// fork is a log of the same key that parts from ours after so many entries.
func (l *logged) fork(after int) *prooftest.Log {
	f := prooftest.NewLog(l.log.Key.Name)
	f.Append(l.log.Entries[:after]...)
	f.Append(proof.MetadataLeaf("root", 666, sha256.Sum256([]byte("fork"))))
	f.Fill(1000)
	return f
}

// files is the repository as it is now, with a log of that size.
func (l *logged) files(log *prooftest.Log, size int, witnesses ...*prooftest.Signer) map[string][]byte {
	if witnesses == nil {
		witnesses = l.witnesses
	}
	files := current(l.World)
	for name, f := range tilestest.Files(log, size, witnesses...) {
		files["log/"+name] = f.Data
	}
	return files
}

func (l *logged) options(dir string, sources ...fetch.Source) Options {
	o := options(l.World, dir, sources...)
	o.Anchor.LogPolicy = l.policy
	return o
}

// holds wants a mirror to hold and serve the log of this size, whole, verified by a reader's own code.
func (l *logged) holds(dir string, size int) {
	l.t.Helper()
	policy, err := proof.ParsePolicy(l.policy)
	if err != nil {
		l.t.Fatal(err)
	}
	src := tiles.Dir(os.DirFS(filepath.Join(dir, "log")))
	_, head, err := tiles.Newest(l.t.Context(), src, policy)
	if err != nil || head.Size != uint64(size) {
		l.t.Fatalf("head of %d entries, want %d: %v", head.Size, size, err)
	}
	tree, err := tiles.Open(l.t.Context(), src, head)
	if err != nil {
		l.t.Fatal(err)
	}
	err = tree.Entries(l.t.Context(), 0, head.Size, func(n uint64, entry []byte) error {
		if !bytes.Equal(entry, l.log.Entries[n]) {
			return fmt.Errorf("entry %d is %q", n, entry)
		}
		return nil
	})
	if err != nil {
		l.t.Error(err)
	}
}

func TestSyncCopiesTheLog(t *testing.T) {
	l, dir := newLogged(t), filepath.Join(t.TempDir(), "mirror")
	l.log.Fill(65000)
	had := map[string][]byte{}
	for _, size := range []int{1, 3, 256, 257, 600, 600, 65999} {
		asked := map[string]int{}
		src := recorder{source("origin", l.files(l.log, size)), func(path string) { asked[path]++ }}
		r := sync(t, l.options(dir, src))
		files := l.files(l.log, size)
		fresh := 0
		for name := range files {
			if strings.HasPrefix(name, "log/tile/") && had[name] == nil {
				fresh++
			}
			if had[name] != nil && asked[name] > 0 && tiles.ForEver(strings.TrimPrefix(name, "log/")) && strings.HasPrefix(name, "log/") {
				t.Errorf("%d entries: %s was fetched again", size, name)
			}
			if asked[name] > 1 && strings.HasPrefix(name, "log/tile/") {
				t.Errorf("%d entries: %s was fetched %d times", size, name, asked[name])
			}
		}
		if want := (LogResult{l.log.Key.Name, uint64(size), fresh}); r.Log == nil || *r.Log != want || len(r.Warnings)+len(r.Foreign) > 0 {
			t.Errorf("%d entries: %+v, %+v, want %+v", size, r.Log, r, want)
		}
		l.holds(dir, size)
		// Partial tiles of the head before are still there, for those in the middle of reading it; none older.
		both := maps.Clone(files)
		for name, b := range had {
			if tiles.IsPartial(strings.TrimPrefix(name, "log/")) {
				both[name] = b
			}
		}
		wantMirror(t, dir, both)
		had = files
	}
}

func TestWithoutALogPolicyNoLogIsCopied(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	if r := sync(t, options(l.World, dir, source("origin", l.files(l.log, 5)))); r.Log != nil {
		t.Errorf("%+v", r.Log)
	}
	wantMirror(t, dir, current(l.World))
}

func TestALogThatIsNotThereYet(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	r := sync(t, l.options(dir, source("origin", current(l.World))))
	if r.Log != nil || !slices.Equal(r.Warnings, []string{"there is no log here yet, so none was copied"}) {
		t.Errorf("%+v", r)
	}
	wantMirror(t, dir, current(l.World))
	sync(t, l.options(dir, source("origin", l.files(l.log, 9))))
	l.holds(dir, 9)
}

// A source whose log is wrong. What is refused stops the sync with the evidence kept; files that are wrong or
// missing stop the log only, and an honest source beside it makes up for them.
func TestHostileLogs(t *testing.T) {
	l := newLogged(t)
	start := source("origin", l.files(l.log, 300))
	l.Now = l.Now.Add(time.Hour)
	l.Release("1.1.0", programs("1.1.0"))
	honest := l.files(l.log, 700)
	change := func(change func(files map[string][]byte)) map[string][]byte {
		files := maps.Clone(honest)
		change(files)
		return files
	}
	stranger := prooftest.NewSigner("stranger", proof.Ed25519)
	swapped := &prooftest.Log{Signer: &prooftest.Signer{}}
	*swapped.Signer = *stranger
	cases := []struct {
		name     string
		files    map[string][]byte
		refused  bool
		want     string // of the error
		evidence string // beginning of the file's name
		fatal    bool   // also when an honest source is asked after it
	}{
		{"a truncated tile", change(func(f map[string][]byte) { f["log/tile/0/001"] = f["log/tile/0/001"][:8191] }), false, "tile of 8191 bytes, want 8192", "", false},
		{"a longer tile", change(func(f map[string][]byte) { f["log/tile/0/001"] = append(f["log/tile/0/001"], 0) }), false, "longer than the 8192 bytes allowed", "", false},
		{"swapped tiles", change(func(f map[string][]byte) { f["log/tile/0/001"] = f["log/tile/0/000"] }), false, "does not lead to the log's head", "", false},
		{"a tile at the edge of another size", change(func(f map[string][]byte) { f["log/tile/0/002.p/188"] = f["log/tile/0/001"][:188*32] }), false, "does not lead to the log's head", "", false},
		{"other entries", change(func(f map[string][]byte) { f["log/tile/entries/001"] = f["log/tile/entries/000"] }), false, "entry 256 does not lead to the log's head", "", false},
		{"no entries", change(func(f map[string][]byte) { delete(f, "log/tile/entries/002.p/188") }), false, "log/tile/entries/002", "", false},
		{"no head", change(func(f map[string][]byte) { delete(f, "log/checkpoint") }), false, "log/checkpoint", "", false},
		{"one witness", change(func(f map[string][]byte) { f["log/checkpoint"] = l.log.CheckpointAt(700, l.witnesses[1]) }), true,
			"too few witnesses cosigned (group witnesses needs 2 of 3, has 1); signed: w2; missing: w1, w3", "refused-700-", false},
		{"one witness twice", change(func(f map[string][]byte) {
			f["log/checkpoint"] = l.log.CheckpointAt(700, l.witnesses[1], l.witnesses[1])
		}), true, "two signatures by bo.example/w", "refused", false},
		{"nobody's head", change(func(f map[string][]byte) {
			f["log/checkpoint"] = prooftest.Sign(l.log.Text(700), stranger, l.witnesses[0], l.witnesses[1])
		}), true, "without the log's signature", "refused-700-", false},
		{"rubbish", change(func(f map[string][]byte) { f["log/checkpoint"] = []byte("<html>") }), true, "want three lines", "refused", false},
		{"an older head", change(func(f map[string][]byte) { maps.Copy(f, l.files(l.log, 200)) }), true,
			"a head of 200 entries, and this mirror holds 300: the source lags, or the log went back", "older-200-", false},
		{"a fork", l.files(l.fork(250), 700), true, "it was forked: a head of 700 entries", "fork-700-", true},
		{"a fork of the same size", l.files(l.fork(250), 300), true, "it was forked: a head of 300 entries", "fork-300-", true},
		{"a fork that is shorter", l.files(l.fork(100), 200), true, "it was forked: a head of 200 entries", "fork-200-", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			dir := t.TempDir()
			sync(t, l.options(dir, start))
			before := listing(t, dir)
			_, err := Sync(t.Context(), l.options(dir, source("hostile", c.files)))
			var no *LogError
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &no) != c.refused {
				t.Fatalf("error %v, want %s, a refusal: %v", err, c.want, c.refused)
			}
			l.holds(dir, 300)
			if c.refused {
				if after := listing(t, dir); !maps.Equal(before, after) {
					t.Error("what the mirror held was changed")
				}
				if len(no.Evidence) != 1 || !strings.HasPrefix(filepath.Base(no.Evidence[0]), c.evidence) {
					t.Fatalf("evidence %q, want %s…", no.Evidence, c.evidence)
				}
				kept, rerr := os.ReadFile(no.Evidence[0])
				if want := append(append(l.log.CheckpointAt(300, l.witnesses...), '\n'), c.files["log/checkpoint"]...); rerr != nil || !bytes.Equal(kept, want) {
					t.Errorf("kept %q, %v\nwant %q", kept, rerr, want)
				}
			} else if got := listing(t, dir); got["metadata/timestamp.json"] != string(honest["metadata/timestamp.json"]) {
				t.Error("the rest was not copied")
			}
			// With an honest source after it, or before it: of a fork nobody knows who is honest.
			for _, sources := range [][]fetch.Source{{source("hostile", c.files), source("honest", honest)}, {source("honest", honest), source("hostile", c.files)}} {
				if _, err := Sync(t.Context(), l.options(dir, sources...)); err != nil != c.fatal {
					t.Errorf("beside an honest source: %v", err)
				}
				if c.fatal {
					l.holds(dir, 300)
				}
			}
			sync(t, l.options(dir, source("honest", honest)))
			l.holds(dir, 700)
		})
	}
}

// Of several sources the one with the largest log is followed; when its files cannot be had, the next.
func TestTheLargestLogThatCanBeHad(t *testing.T) {
	l := newLogged(t)
	bare := l.files(l.log, 900)
	for name := range bare {
		if strings.HasPrefix(name, "log/tile/") {
			delete(bare, name)
		}
	}
	short, long, empty := source("short", l.files(l.log, 400)), source("long", l.files(l.log, 700)), source("empty", bare)
	for _, order := range [][]fetch.Source{{short, long}, {long, short}, {short, empty, long}, {empty, long}} {
		dir := t.TempDir()
		sync(t, l.options(dir, order...))
		l.holds(dir, 700)
	}
	// Two sources that show two logs are found out by somebody who has seen neither.
	for _, size := range []int{350, 400, 500} {
		dir := t.TempDir()
		var fork *ForkError
		if _, err := Sync(t.Context(), l.options(dir, short, source("fork", l.files(l.fork(250), size)))); !errors.As(err, &fork) {
			t.Errorf("a fork of %d entries beside 400: %v", size, err)
		}
		if got := listing(t, dir); len(got) > 0 {
			t.Errorf("stored %d files of a distribution with two logs", len(got))
		}
		if kept, err := filepath.Glob(filepath.Join(dir, stateDir, "evidence", "fork-*")); err != nil || len(kept) != 1 {
			t.Errorf("kept %v, %v", kept, err)
		}
	}
}

// Strangers can not fill the disk with heads.
func TestTheEvidenceOfAMirrorIsBounded(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	sync(t, l.options(dir, source("origin", l.files(l.log, 300))))
	for size := 1; size < 40; size++ {
		for _, signers := range [][]*prooftest.Signer{l.witnesses[:1], l.witnesses} {
			files := l.files(l.log, 300)
			files["log/checkpoint"] = l.log.CheckpointAt(size, signers...)
			if _, err := Sync(t.Context(), l.options(dir, source("hostile", files))); err == nil {
				t.Fatal("accepted")
			}
		}
	}
	for _, kind := range []string{"older", "refused"} {
		if kept, err := filepath.Glob(filepath.Join(dir, stateDir, "evidence", kind+"*")); err != nil || len(kept) != maxStrange {
			t.Errorf("%d files of kind %s, %v", len(kept), kind, err)
		}
	}
}

// The mirror remembers its head apart from what it serves: whoever loses the one has the other.
func TestAMirrorRemembersItsLog(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	sync(t, l.options(dir, source("origin", l.files(l.log, 300))))
	if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	var old *OlderError
	if _, err := Sync(t.Context(), l.options(dir, source("origin", l.files(l.log, 299)))); !errors.As(err, &old) {
		t.Errorf("a log that is shorter than the one lost: %v", err)
	}
	sync(t, l.options(dir, source("origin", l.files(l.log, 300))))
	l.holds(dir, 300)
	if err := os.WriteFile(filepath.Join(dir, stateDir, headFile), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Sync(t.Context(), l.options(dir, source("origin", l.files(l.log, 300)))); err == nil || !strings.Contains(err.Error(), headFile+": checkpoint: want three lines") {
		t.Errorf("a mirror forgot what it could not read: %v", err)
	}
}

func TestRecheckHealsTheLog(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	src := source("origin", l.files(l.log, 700))
	sync(t, l.options(dir, src))
	for _, name := range []string{"tile/0/000", "tile/0/002.p/188", "tile/entries/001"} {
		path := filepath.Join(dir, "log", filepath.FromSlash(name))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := l.options(dir, src)
	o.Recheck = true
	if r := sync(t, o); r.Log.Files != 3 {
		t.Errorf("%d files stored, want the three that were changed", r.Log.Files)
	}
	l.holds(dir, 700)
	wantMirror(t, dir, l.files(l.log, 700))
}

// While a log is copied it grows, and its publisher clears away the partial tiles of the head that is copied.
func TestALogThatGrowsWhileItIsCopied(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	now := source("origin", l.files(l.log, 300))
	src := lying{now, func(path string) fetch.Source {
		if path == "log/tile/0/000" {
			now = source("origin", l.files(l.log, 400))
		}
		return now
	}}
	sync(t, l.options(dir, src))
	l.holds(dir, 400)
}

// The log's head is shown after its tiles, and before any metadata.
func TestTheHeadOfTheLogComesAfterItsTiles(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	last := ""
	src := recorder{source("origin", l.files(l.log, 700)), func(path string) {
		got := listing(t, dir)
		if got["log/checkpoint"] != "" || got["metadata/timestamp.json"] != "" {
			t.Errorf("there is a head while %s is being fetched", path)
		}
		last = path
	}}
	sync(t, l.options(dir, src))
	if last != "log/tile/entries/002.p/188" {
		t.Errorf("%s was fetched last", last)
	}
}

// A write that fails, for each file of the log in turn: the old log is served, whole, and the next sync goes on.
func TestEveryWriteOfTheLogThatFails(t *testing.T) {
	l := newLogged(t)
	start, after := source("origin", l.files(l.log, 300)), l.files(l.log, 700)
	tried := 0
	for _, name := range append(keysOf(after), stateDir+"/"+headFile) {
		if !strings.HasPrefix(name, "log/tile/") && name != stateDir+"/"+headFile {
			continue
		}
		dir := t.TempDir()
		sync(t, l.options(dir, start))
		obstacle := filepath.Join(dir, filepath.FromSlash(name))
		kept, err := os.ReadFile(obstacle)
		if err == nil && strings.HasPrefix(name, "log/") {
			continue // held already
		}
		if err == nil {
			if err := os.Remove(obstacle); err != nil {
				t.Fatal(err)
			}
		}
		tried++
		if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Sync(t.Context(), l.options(dir, source("origin", after))); err == nil || !strings.Contains(err.Error(), obstacle) {
			t.Errorf("obstacle at %s: error %v, want one that names it", name, err)
		}
		l.holds(dir, 300)
		if err := os.RemoveAll(obstacle); err != nil {
			t.Fatal(err)
		}
		if kept != nil {
			if err := os.WriteFile(obstacle, kept, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		sync(t, l.options(dir, source("origin", after)))
		l.holds(dir, 700)
	}
	if tried != 6 {
		t.Errorf("%d writes were made to fail", tried)
	}
}
