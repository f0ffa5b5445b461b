package monitor_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/attest/monitor"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/attest/tiles/tilestest"
)

// world is a log with three witnesses, two of which are a quorum, and a monitor.
type world struct {
	t         *testing.T
	log       *prooftest.Log
	witnesses []*prooftest.Signer
	policy    proof.Policy
	dir       string
	at        time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: prooftest.NewLog("log.example/countersign"), dir: t.TempDir(), at: prooftest.Time}
	for _, name := range []string{"ana.example/w", "bo.example/w"} {
		w.witnesses = append(w.witnesses, prooftest.NewSigner(name, proof.Ed25519Cosi))
	}
	w.witnesses = append(w.witnesses, prooftest.NewSigner("chen.example/w", proof.MLDSA44))
	var err error
	if w.policy, err = proof.ParsePolicy(w.log.PolicyText(2, w.witnesses...)); err != nil {
		t.Fatal(err)
	}
	w.log.Fill(5)
	return w
}

func release(version string, sum byte) []byte {
	return proof.ReleaseLeaf("stable", version, [32]byte{sum})
}

// at is a place that serves the log as it is now.
func (w *world) place(name string, files fstest.MapFS) monitor.Place {
	return monitor.Place{Name: name, Source: tiles.Dir(files)}
}

func (w *world) files(l *prooftest.Log) fstest.MapFS {
	return tilestest.Files(l, len(l.Entries), w.witnesses...)
}

// look looks, tells and saves, and returns what was told: "kind: text" for the new, "over: text" for the gone.
func (w *world) look(places ...monitor.Place) []string {
	w.t.Helper()
	s, err := monitor.OpenState(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	alarms, problems := monitor.Follower{Policy: w.policy, Places: places}.Look(w.t.Context(), s)
	fresh, _, over := s.Due(alarms, w.at, time.Minute, len(problems) == 0)
	var told []string
	for _, a := range fresh {
		told = append(told, a.Kind+": "+a.Text)
		if _, err := s.Keep(a); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, a := range over {
		told = append(told, "over: "+a.Text)
	}
	for _, p := range problems {
		told = append(told, "problem: "+p.Error())
	}
	s.Tell(fresh, over, w.at)
	if err := s.Save(); err != nil {
		w.t.Fatal(err)
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

func (w *world) remembered() *monitor.State {
	w.t.Helper()
	s, err := monitor.OpenState(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

func TestFollowsAGrowingLog(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.place("one", w.files(w.log))))
	w.log.Append(release("1.4.0", 1))
	w.log.Fill(700)
	w.want(w.look(w.place("one", w.files(w.log)), w.place("two", w.files(w.log))))
	w.want(w.look(w.place("one", w.files(w.log))))
	if s := w.remembered(); s.Entries().Len() != len(w.log.Entries) || !s.Entries().Has(release("1.4.0", 1)) || s.Entries().Has(release("1.4.0", 2)) {
		t.Errorf("%d entries remembered, want %d", s.Entries().Len(), len(w.log.Entries))
	}
}

func TestForkAgainstWhatWasSeen(t *testing.T) {
	for _, more := range []int{0, 3} { // of the same size, and larger
		w := newWorld(t)
		w.log.Append(release("1.4.0", 1))
		w.want(w.look(w.place("one", w.files(w.log))))
		other := prooftest.NewLog("log.example/countersign")
		other.Fill(5)
		other.Append(release("1.4.0", 2))
		other.Fill(more)
		got := w.look(w.place("one", w.files(other)))
		w.want(got, "fork: the log was forked: ")
		w.want(w.look(w.place("one", w.files(other)))) // told once
		if s := w.remembered(); s.Entries().Has(release("1.4.0", 2)) || !s.Entries().Has(release("1.4.0", 1)) {
			t.Error("the fork was taken for the log")
		} else {
			s.Close()
		}
		kept, err := filepath.Glob(filepath.Join(w.dir, "evidence", "fork_*", "*"))
		if err != nil || len(kept) != 3 {
			t.Fatal(kept, err)
		}
		for _, name := range kept {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.policy.Open(b); filepath.Base(name) != "alarm.txt" && err != nil {
				t.Errorf("%s is no evidence: %v", name, err)
			}
		}
		if more == 0 {
			w.want(w.look(w.place("one", w.files(w.log))), "over: the log was forked")
		} else {
			w.want(w.look(w.place("one", w.files(w.log))), "rollback: one serves a log of 6 entries; it served one of 9 before", "over: the log was forked")
		}
	}
}

func TestForkBetweenPlaces(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.place("one", w.files(w.log))))
	other := prooftest.NewLog("log.example/countersign")
	other.Fill(5)
	other.Append(release("6.6.6", 1))
	w.log.Append(release("1.4.0", 1))
	w.want(w.look(w.place("one", w.files(w.log)), w.place("two", w.files(other))), "fork: the log was forked: 6 entries at one and 6 at two")
	w.log.Fill(10)
	w.want(w.look(w.place("one", w.files(w.log)), w.place("two", w.files(other))),
		"fork: the log was forked: 16 entries at one and 6 at two: the smaller is not the beginning of the larger")
}

func TestRollbackOfAPlace(t *testing.T) {
	w := newWorld(t)
	old := w.files(w.log)
	w.log.Fill(3)
	w.want(w.look(w.place("one", w.files(w.log)), w.place("two", old))) // a mirror may lag
	w.want(w.look(w.place("one", old), w.place("two", old)), "rollback: one serves a log of 5 entries; it served one of 8 before")
	w.want(w.look(w.place("one", w.files(w.log)), w.place("two", old)), "over: one serves a log of 5 entries")
}

func TestWitnesses(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.place("one", tilestest.Files(w.log, 5, w.witnesses[:2]...))), "witnesses: witness w3 is missing from the head of the log at one")
	w.want(w.look(w.place("one", tilestest.Files(w.log, 5, w.witnesses...))), "over: witness w3 is missing")
	w.log.Fill(2)
	w.want(w.look(w.place("one", tilestest.Files(w.log, 7, w.witnesses[0]))), "witnesses: head of 7 entries at one: ")
	if n := w.remembered().Entries().Len(); n != 5 {
		t.Errorf("%d entries remembered under a head without a quorum", n)
	}
}

func TestWrongHeadsAndFiles(t *testing.T) {
	w := newWorld(t)
	stranger := prooftest.NewLog("other.example/log")
	stranger.Fill(5)
	forged := w.files(w.log)
	forged["checkpoint"] = &fstest.MapFile{Data: prooftest.Sign(w.log.Text(5), prooftest.NewSigner("log.example/countersign", proof.Ed25519Cosi))}
	cut := w.files(w.log)
	cut["tile/0/000.p/5"] = &fstest.MapFile{Data: make([]byte, 5*32)}
	changed := w.files(w.log)
	name := "tile/entries/000.p/5"
	b := slices.Clone(changed[name].Data)
	b[len(b)-2] ^= 1
	changed[name] = &fstest.MapFile{Data: b}
	for what, want := range map[string]struct {
		files fstest.MapFS
		told  string
	}{
		"another log":     {w.files(stranger), "bad head: head of the log at one: checkpoint of another log"},
		"a forged head":   {forged, "bad head: head of the log at one: checkpoint without the log's signature"},
		"a changed tile":  {cut, "corrupt: log at one: "},
		"a changed entry": {changed, "corrupt: log at one: "},
		"no log":          {fstest.MapFS{}, "problem: log at one: "},
	} {
		w.dir = t.TempDir()
		w.want(w.look(w.place("one", want.files)), want.told)
		if n := w.remembered().Entries().Len(); n != 0 {
			t.Errorf("%s: %d entries were believed", what, n)
		}
	}
}

func TestEntries(t *testing.T) {
	w := newWorld(t)
	w.log.Append(release("1.4.0", 1), release("1.4.0", 2), []byte("hello\nworld"), proof.MetadataLeaf("root", 2, [32]byte{1}), proof.MetadataLeaf("root", 2, [32]byte{2}),
		proof.MetadataLeaf("snapshot", 2, [32]byte{1}), proof.MetadataLeaf("snapshot", 2, [32]byte{2}))
	w.want(w.look(w.place("one", w.files(w.log))),
		"entry: entry 7 of the log: ",
		fmt.Sprintf("two of one: the log has two of release stable 1.4.0: sha256 01%062d (entry 5) and 02%062d (entry 6)", 0, 0),
		"two of one: the log has two of version 2 of root")
	w.want(w.look(w.place("one", w.files(w.log))))
}

// An alarm that may pass is told when it lasts, one that changes is told again, and what could not be
// looked at is not over.
func TestDue(t *testing.T) {
	w := newWorld(t)
	s := w.remembered()
	due := func(complete bool, alarms ...monitor.Alarm) []string {
		fresh, standing, over := s.Due(alarms, w.at, 10*time.Minute, complete)
		s.Tell(fresh, over, w.at)
		var got []string
		for _, a := range fresh {
			got = append(got, a.Text)
		}
		for _, a := range over {
			got = append(got, "over: "+a.Text)
		}
		return append(got, fmt.Sprint(len(standing)))
	}
	passing := monitor.Alarm{ID: "a", Text: "not logged", Wait: true}
	w.want(due(true, passing), "0")
	w.want(due(true), "0")
	w.at = w.at.Add(time.Hour)
	w.want(due(true, passing), "0") // it began anew
	w.at = w.at.Add(10 * time.Minute)
	w.want(due(true, passing), "not logged", "1")
	w.want(due(true, passing), "1")
	passing.Text = "not logged, and older"
	w.want(due(true, passing), "not logged, and older", "1")
	w.want(due(false), "0")
	w.want(due(true), "over: not logged, and older", "0")
}

// A crash between appending entries and writing the state, or in the middle of an entry, costs nothing.
func TestCrashBetweenTheFiles(t *testing.T) {
	w := newWorld(t)
	w.want(w.look(w.place("one", w.files(w.log))))
	state, err := os.ReadFile(filepath.Join(w.dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	w.log.Append(release("1.4.0", 1))
	w.log.Fill(4)
	w.want(w.look(w.place("one", w.files(w.log))))
	entries, err := os.ReadFile(filepath.Join(w.dir, "entries"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(entries) - 5*100 {
		if err := os.WriteFile(filepath.Join(w.dir, "state.json"), state, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, "entries"), entries[:len(entries)-cut], 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := monitor.OpenState(w.dir)
		if err != nil {
			break // cut into what counts: told, not forgotten
		}
		s.Close()
		w.want(w.look(w.place("one", w.files(w.log))))
		if got, err := os.ReadFile(filepath.Join(w.dir, "entries")); err != nil || string(got) != string(entries) {
			t.Fatalf("cut by %d: entries differ afterwards (%v)", cut, err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "entries"), entries[:10], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := monitor.OpenState(w.dir); err == nil || !strings.Contains(err.Error(), "entries: ") {
		t.Errorf("a state without its entries: %v", err)
	}
}

func TestTwoMonitorsInOneDirectory(t *testing.T) {
	w := newWorld(t)
	s := w.remembered()
	if _, err := monitor.OpenState(w.dir); err == nil {
		t.Error("two at once")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "state.json"), []byte(`{"format":"other"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := monitor.OpenState(w.dir); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("another format: %v", err)
	}
}
