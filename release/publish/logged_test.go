package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/log"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// logWorld is a room whose distribution asks that releases are logged, with three witnesses that run, of
// which two are a quorum.
type logWorld struct {
	*World
	witnesses *witnesstest.World
}

func newLogWorld(t *testing.T) logWorld {
	w := logWorld{New(t), witnesstest.New(t, "log.example.org", "wim", "xu", "yan")}
	w.Now = witnesstest.Time.Add(time.Hour)
	w.Rule += "\nlogged = true"
	w.Log = fmt.Sprintf("[log]\nkey = %q\npolicy = '''\n%s'''", w.witnesses.Log, w.witnesses.PolicyText(2))
	w.Room = w.open(w.Dir)
	return w
}

// open returns the room in a directory as a publisher opens it that keeps the log.
func (w logWorld) open(dir string) *publish.Room {
	room := w.Open(dir)
	room.Repository.OpenLog = func(ctx context.Context, policy proof.Policy) (publish.Log, error) {
		return log.Open(ctx, log.Options{
			Dir: filepath.Join(dir, "log"), Public: filepath.Join(room.Repository.Dir, "log"),
			Policy: policy, Key: w.witnesses.Signer, Cosign: w.witnesses.Gatherer(w.T, 2).Cosign,
		})
	}
	return room
}

func (w logWorld) step() publish.Report {
	w.T.Helper()
	r, err := w.Room.Step(w.T.Context(), w.Now)
	if err != nil {
		w.T.Fatal(err)
	}
	return r
}

// ready stages a release up to the last answer.
func (w logWorld) ready(version string) event.ID {
	id := w.Stage(version, "stable")
	w.Rebuild(id, Ana, Ben, Cleo)
	w.SignAll(id, Ana, Ben, Cleo)
	return id
}

// stop takes all witnesses but n off the network, and returns how they come back.
func (w logWorld) stop(n int) (back func()) {
	var on []func()
	for _, p := range w.witnesses.People[n:] {
		handler := p.Server.Config.Handler
		p.Server.Config.Handler = http.NotFoundHandler()
		on = append(on, func() { p.Server.Config.Handler = handler })
	}
	return func() {
		for _, f := range on {
			f()
		}
	}
}

func (w logWorld) read(name string) []byte {
	w.T.Helper()
	b, err := os.ReadFile(filepath.Join(w.Room.Repository.Dir, filepath.FromSlash(name)))
	if err != nil {
		w.T.Fatal(err)
	}
	return b
}

// head is the published head, which must satisfy the policy.
func (w logWorld) head() proof.Head {
	w.T.Helper()
	h, err := w.witnesses.Policy(w.T, 2).Open(w.read("log/checkpoint"))
	if err != nil {
		w.T.Fatal(err)
	}
	return h
}

// proven is how many entries of an event's release its published proof shows, of all there are.
func (w logWorld) proven(id event.ID) (shown, all int) {
	w.T.Helper()
	p := w.Load(id)
	f, err := genuine.ParseFile(w.read(evidence.Path(p.ReleaseSHA256())))
	if err != nil {
		w.T.Fatal(err)
	}
	entries, err := publish.ReleaseEntries(p)
	if err != nil {
		w.T.Fatal(err)
	}
	had, err := proof.Parse(f.Proof)
	if err != nil {
		w.T.Fatal(err)
	}
	_, in, err := had.Verify(w.witnesses.Policy(w.T, 2), entries)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, there := range in {
		if there {
			shown++
		}
	}
	return shown, len(in)
}

func TestReleaseIsLoggedBeforeItIsPublished(t *testing.T) {
	w := newLogWorld(t)
	w.Distribute()
	if r := w.step(); r.Err() != nil || w.head().Size != 6 {
		t.Fatalf("%v, %d entries: want root, targets, two channels, snapshot and timestamp", r.Err(), w.head().Size)
	}
	id := w.ready("1.0.0")
	if r := w.step(); r.Err() != nil || len(r.Published) != 1 || len(r.Foreign) != 0 {
		t.Fatalf("%+v", r)
	}
	if shown, all := w.proven(id); shown != 4 || all != 4 {
		t.Errorf("the proof shows %d of %d entries: want the release and three statements", shown, all)
	}
	// And then the channel, the snapshot and the timestamp that published it.
	if n := w.head().Size; n != 13 {
		t.Errorf("%d entries", n)
	}
	before := tree(t, w.Dir)
	if r := w.step(); r.Err() != nil || !same(before, tree(t, w.Dir)) {
		t.Errorf("a second step changed something: %v", r.Err())
	}
	// Another process goes on with the same log.
	w.Room = w.open(w.Dir)
	w.Now = w.Now.Add(time.Minute)
	w.ready("1.1.0")
	if r := w.step(); r.Err() != nil || len(r.Published) != 1 || w.head().Size != 20 {
		t.Errorf("%v, %d entries", r.Err(), w.head().Size)
	}
}

// Without a quorum of witnesses nothing gets to users, and nothing is lost: what the log took keeps its place.
func TestWithoutWitnessesNothingIsPublished(t *testing.T) {
	w := newLogWorld(t)
	w.Distribute()
	w.step()
	head, shown, versions := w.head(), w.read("log/checkpoint"), w.Published().Versions
	back := w.stop(1)
	id := w.ready("1.0.0")
	var no *publish.Unlogged
	if err := publishing(w.World, id); !errors.As(err, &no) || !strings.Contains(err.Error(), "needs 2 of 3, has 1") {
		t.Fatalf("published with one witness: %v", err)
	}
	w.Now = w.Now.Add(20 * time.Hour)
	r := w.step()
	if len(r.Published) != 0 || len(r.Delayed) != 2 || r.Delayed[0].Label != "the newest metadata" && r.Delayed[1].Label != "the newest metadata" {
		t.Fatalf("%+v", r)
	}
	if !errors.As(r.Err(), &no) {
		t.Errorf("the step says %v", r.Err())
	}
	// The timestamp goes on, or users could not tell any more.
	if got := w.Published().Versions; got["timestamp"] != versions["timestamp"]+1 || got["stable"] != versions["stable"] {
		t.Errorf("versions %v, were %v", got, versions)
	}
	if !bytes.Equal(w.read("log/checkpoint"), shown) {
		t.Error("a head without its quorum was shown")
	}
	back()
	if r := w.step(); r.Err() != nil || len(r.Published) != 1 {
		t.Fatalf("%+v", r)
	}
	if shown, all := w.proven(id); shown != all {
		t.Errorf("%d of %d", shown, all)
	}
	// release and statements once each; then the timestamp of the delay, the channel, snapshot and timestamp
	if n := w.head().Size; n != head.Size+8 {
		t.Errorf("%d entries after %d", n, head.Size)
	}
}

// A statement that comes later is shown at once, beside the old proof, and gets into the proof with the witnesses.
func TestLateStatementGetsANewProof(t *testing.T) {
	w := newLogWorld(t)
	w.Distribute()
	id := w.ready("1.0.0")
	w.step()
	back := w.stop(0)
	w.Rebuild(id, Dai)
	if r := w.step(); len(r.Delayed) == 0 {
		t.Fatalf("%+v", r)
	}
	if shown, all := w.proven(id); shown != 4 || all != 5 {
		t.Errorf("%d of %d without witnesses", shown, all)
	}
	back()
	if r := w.step(); r.Err() != nil {
		t.Fatal(r.Err())
	}
	if shown, all := w.proven(id); shown != 5 || all != 5 {
		t.Errorf("%d of %d with witnesses", shown, all)
	}
}

// Whoever has not the log's key can look, and cannot publish what has to be logged.
func TestPublisherWithoutTheLog(t *testing.T) {
	w := newLogWorld(t)
	w.Distribute()
	id := w.ready("1.0.0")
	w.Room = w.Open(w.Dir)
	var none *publish.NoKey
	if err := publishing(w.World, id); !errors.As(err, &none) || none.Role != "log" {
		t.Fatal(err)
	}
	if r := w.step(); len(r.Published) != 0 || len(r.Delayed) != 1 || r.Delayed[0].Label == "the newest metadata" {
		t.Errorf("%+v", r)
	}
}

// The log's directory comes back from a backup that is older than what was shown: nothing goes on from there.
func TestLogPutBackIsRefused(t *testing.T) {
	w := newLogWorld(t)
	w.Distribute()
	w.step()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(w.Dir, "log"))); err != nil {
		t.Fatal(err)
	}
	w.ready("1.0.0")
	w.step()
	if err := os.RemoveAll(filepath.Join(w.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(w.Dir, "log"), os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	shown := w.read("log/checkpoint")
	w.Room = w.open(w.Dir)
	w.Now = w.Now.Add(time.Minute)
	id := w.ready("1.1.0")
	var fork *log.ForkError
	if err := publishing(w.World, id); !errors.As(err, &fork) {
		t.Fatal(err)
	}
	if r := w.step(); len(r.Published) != 0 || len(r.Refused) != 2 || !errors.As(r.Err(), &fork) {
		t.Errorf("%+v", r)
	}
	if !bytes.Equal(w.read("log/checkpoint"), shown) {
		t.Error("another head is shown")
	}
}
