package publish_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// refused checks that err is a refusal with this text at its end.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var r interface{ Refused() bool }
	switch {
	case err == nil:
		t.Fatalf("accepted, want: %s", want)
	case !errors.As(err, &r) || !r.Refused():
		t.Fatalf("not a refusal: %v", err)
	case !strings.HasSuffix(err.Error(), want):
		t.Fatalf("refused with\n  %v\nwant\n  … %s", err, want)
	}
}

func publishing(w *World, id event.ID) error {
	_, err := w.Room.Repository.Publish(w.T.Context(), w.Room.Events, id, w.Now)
	return err
}

func TestFirstRelease(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	got := w.Published().Versions
	if got["stable"] != 2 || got["beta"] != 1 || got["snapshot"] != 2 || got["timestamp"] != 2 || got["root"] != 1 {
		t.Fatal(got)
	}
	before := tree(t, w.Room.Repository.Dir)
	if r := w.Publish(id); !r.Already {
		t.Errorf("%+v", r)
	}
	if after := tree(t, w.Room.Repository.Dir); !same(before, after) {
		t.Error("publishing what is published changed something")
	}
	for version, want := range map[string]string{"linux-amd64/messenger": "messenger 1.0.0", "linux-amd64/messengerd": "messengerd 1.0.0"} {
		for _, a := range w.Load(id).Manifest.Artifacts {
			if a.Path != version {
				continue
			}
			b, err := os.ReadFile(filepath.Join(w.Room.Repository.Dir, filepath.FromSlash(publish.TargetPath("stable/1.0.0/"+a.Path, a.SHA256))))
			if err != nil || string(b) != want {
				t.Errorf("%s: %q %v", a.Path, b, err)
			}
		}
	}
	w.Release("1.1.0", "stable", Cleo, Dai, Eva)
	if got := w.Published().Versions; got["stable"] != 3 || got["snapshot"] != 3 {
		t.Fatal(got)
	}
}

// Of all subsets of the five people, exactly those of three or more from three countries publish.
func TestEverySubsetOfAuditors(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for each of 32 subsets")
	}
	w := New(t)
	w.Distribute()
	all := w.Stage("1.0.0", "stable")
	w.Rebuild(all, Ana, Ben, Cleo, Dai, Eva)
	w.SignAll(all, Ana, Ben, Cleo, Dai, Eva)
	files := map[string]string{} // of signatures, by who signed
	a := w.Load(all).Authorities("stable")[0]
	for i, h := range a.Holders {
		files[h.Name] = "stable." + a.KeyIDs[i] + ".json"
	}
	accepted := 0
	for set := range 1 << len(w.People) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(w.Dir)); err != nil {
			t.Fatal(err)
		}
		room := w.Open(dir)
		room.Repository.Disk = &dying{left: 1000} // which lives, and spares the syncing
		signers, countries := 0, map[string]bool{}
		for i, who := range w.People {
			if set>>i&1 == 1 {
				signers++
				countries[who.Jurisdiction] = true
				continue
			}
			if err := os.Remove(filepath.Join(room.Events.Path(all), "signatures", files[who.Name])); err != nil {
				t.Fatal(err)
			}
		}
		_, err := room.Repository.Publish(t.Context(), room.Events, all, w.Now)
		want := signers >= 3 && len(countries) >= 3
		var r interface{ Refused() bool }
		if (err == nil) != want || err != nil && !(errors.As(err, &r) && r.Refused()) {
			t.Errorf("set %05b: %v, want published: %v", set, err, want)
		}
		if err == nil {
			accepted++
		}
	}
	if accepted != 13 {
		t.Errorf("%d subsets are ready, want 13", accepted)
	}
}

// What users would refuse is not published, and the reason has its name.
func TestRefusedBeforeUsersSeeIt(t *testing.T) {
	w := New(t)
	w.Distribute()
	before := tree(t, w.Room.Repository.Dir)
	id := w.Stage("1.0.0", "stable")
	w.SignAll(id, Ana, Ben)
	refused(t, publishing(w, id), "event "+id.Short()+" (1.0.0 stable) cannot be published: waiting: stable needs 1 more of Cleo Hart, Dai Mori, Eva Reis; 2 of 3 jurisdictions among the signers; 2 of 3 organisations among the signers; 0 of 3 matching rebuilds")
	w.SignAll(id, Eva)
	w.Rebuild(id, Ana, Ben, Eva)
	err := publishing(w, id)
	refused(t, err, "(reason 2, spread)")
	if !strings.Contains(err.Error(), "2 jurisdictions (DE, PT)") {
		t.Errorf("the jurisdictions are not named: %v", err)
	}
	w.SignAll(id, Dai)
	w.Publish(id)

	two := w.Stage("1.1.0", "stable")
	w.SignAll(two, Ana, Ben, Cleo)
	w.Rebuild(two, Ana, Ben)
	wrong := w.Rebuilt(two)
	wrong.Artifacts[1].SHA256[3] ^= 1
	if err := w.Room.Events.PutStatement(t.Context(), two, w.Bundle(Cleo, wrong)); err != nil {
		t.Fatal(err)
	}
	err = publishing(w, two)
	refused(t, err, "(reason 4, rebuilt)")
	if !strings.Contains(err.Error(), "Cleo") {
		t.Errorf("who differs is not named: %v", err)
	}
	if same(before, tree(t, w.Room.Repository.Dir)) {
		t.Error("1.0.0 was not written")
	}
	if got := w.Published().Versions["stable"]; got != 2 {
		t.Error("stable is at", got)
	}
}

// An event that is out of date or replaced is refused, by whom asks directly too.
func TestRefusedWhenLate(t *testing.T) {
	w := New(t)
	w.Distribute()
	rival := w.Stage("1.0.0", "stable")
	w.Rebuild(rival, Ana, Ben, Cleo)
	w.SignAll(rival, Ana, Ben, Cleo)
	replaced := w.Stage("1.0.0", "beta")
	w.Rebuild(replaced, Ana, Ben, Cleo)
	w.SignAll(replaced, Ana, Ben, Cleo)
	o := w.Opening()
	o.Supersedes = replaced
	young := w.StageAs(w.Manifest("1.0.0", "beta"), o)
	refused(t, publishing(w, replaced), "(1.0.0 beta) cannot be published: superseded by "+young.Short())
	w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	refused(t, publishing(w, rival), "(1.0.0 stable) cannot be published: stale: builds on version 1 of stable, and version 2 is published: stage it again")
	report, err := w.Room.Step(t.Context(), w.Now)
	if err != nil || len(report.Published) != 0 || len(report.Waiting) != 1 || report.Waiting[0].ID != young {
		t.Errorf("%+v %v", report, err)
	}
}

// What people signed too long ago, or with a clock that ran ahead, is not published.
func TestOutOfTime(t *testing.T) {
	w := New(t)
	w.Distribute()
	now := w.Now
	w.Now = now.AddDate(3, 0, 0)
	future := w.Stage("1.0.0", "stable")
	w.Rebuild(future, Ana, Ben, Cleo)
	w.SignAll(future, Ana, Ben, Cleo)
	w.Now = now
	refused(t, publishing(w, future), "event "+future.Short()+" was made 2029-11-21T12:00:00Z, and the clock says 2026-11-21T12:00:00Z")
	slow := w.Stage("1.0.0", "stable")
	w.Rebuild(slow, Ana, Ben, Cleo)
	w.SignAll(slow, Ana, Ben, Cleo)
	w.Now = now.AddDate(0, 0, 90)
	refused(t, publishing(w, slow), "event "+slow.Short()+" proposes a version of stable that expired on 2027-02-19: stage it again")
}

// An event made for another distribution does not land here.
func TestForeignEvent(t *testing.T) {
	w, other := New(t), New(t)
	other.People[Ana] = NewMember("Ana Sousa", "Alpha", "BR")
	w.Distribute()
	other.Distribute()
	id := other.Stage("1.0.0", "stable")
	other.Rebuild(id, Ben, Cleo, Dai)
	other.SignAll(id, Ben, Cleo, Dai)
	if _, err := w.Room.Events.Collect(t.Context(), other.Room.Events, id, false); err != nil {
		t.Fatal(err)
	}
	refused(t, publishing(w, id), "event "+id.Short()+" builds on another distribution: base: root 1 is not the one trusted here: it is another distribution, or a forged history")
}

// A room without the publisher's keys can be looked at, and publishes nothing.
func TestWithoutKeys(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	w.Rebuild(id, Ana, Ben, Cleo)
	w.SignAll(id, Ana, Ben, Cleo)
	before := tree(t, w.Dir)
	w.Room.Repository.Keys = signer.Ring{w.Timestamp}
	err := publishing(w, id)
	var none *publish.NoKey
	if !errors.As(err, &none) || err.Error() != "none of the keys given is the snapshot key of Pia Lund" {
		t.Error(err)
	}
	if !same(before, tree(t, w.Dir)) {
		t.Error("something changed")
	}
}

// Statements that come after publication are added to the evidence; what a stranger wrote there is not kept.
func TestLateStatements(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	path := filepath.Join(w.Room.Repository.Dir, filepath.FromSlash(evidence.Path(w.Load(id).ReleaseSHA256())))
	count := func() int {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := genuine.ParseFile(b)
		if err != nil {
			t.Fatal(err)
		}
		return len(f.Statements)
	}
	if n := count(); n != 3 {
		t.Fatal(n, "statements")
	}
	w.Rebuild(id, Dai)
	stmt := statement.Inconclusive{Event: id.String(), Release: w.Load(id).ReleaseSHA256(), SourceCommit: strings.Repeat("c", 40), Reason: "no network", Started: w.Now, Finished: w.Now}
	if err := w.Room.Events.PutStatement(t.Context(), id, w.Bundle(Eva, stmt)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Room.Step(t.Context(), w.Now); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 5 {
		t.Error(n, "statements after two more")
	}
	other := New(t)
	other.Distribute()
	beta := w.Stage("1.0.0", "beta")
	b, err := genuine.File{Statements: [][]byte{w.Bundle(Ana, w.Rebuilt(beta))}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	w.Publish(id)
	if n := count(); n != 5 {
		t.Error(n, "statements after somebody else's were put there")
	}
}

// Two publishers at once: one of them waits for its turn.
func TestTwoPublishers(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	w.Rebuild(id, Ana, Ben, Cleo)
	w.SignAll(id, Ana, Ben, Cleo)
	started, release := make(chan struct{}), make(chan struct{})
	slow := w.Open(w.Dir)
	slow.Repository.Disk = &waiting{started: started, release: release}
	done := make(chan error)
	go func() {
		_, err := slow.Repository.Publish(context.Background(), slow.Events, id, w.Now)
		done <- err
	}()
	<-started
	if err := publishing(w, id); err == nil || !strings.Contains(err.Error(), "another program is publishing") {
		t.Error(err)
	}
	patient := w.Open(w.Dir)
	patient.Repository.Wait = time.Hour
	second := make(chan publish.Result)
	go func() {
		r, err := patient.Repository.Publish(context.Background(), patient.Events, id, w.Now)
		if err != nil {
			t.Error(err)
		}
		second <- r
	}()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r := <-second; !r.Already {
		t.Errorf("%+v", r)
	}
}
