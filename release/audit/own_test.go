package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

const notRebuilt = "1.4.0 stable (event {id}) is not signed without your own matching rebuild: "

// plant puts a file among an event's answers as somebody with access to the room's disk could.
func (r *room) plant(id event.ID, name string, b []byte) {
	r.T.Helper()
	path := filepath.Join(r.Room.Events.Path(id), filepath.FromSlash(name))
	r.check(os.MkdirAll(filepath.Dir(path), 0o755))
	r.check(os.WriteFile(path, b, 0o644))
}

func TestStatementsThatDoNotCount(t *testing.T) {
	r := newRoom(t)
	id, other := r.stage("1.4.0", "stable"), r.stage("1.4.0", "stable")
	r.rebuild(other, roomtest.Ana)
	about := r.Load(other).Statements[0]
	manifest := r.Rebuilt(id)
	manifest.Release[0] ^= 1
	twisted := r.Rebuilt(id)
	twisted.Artifacts[0].SHA256[0] ^= 1
	stranger := roomtest.NewMember("Mallory", "None", "FR")
	r.People = append(r.People, stranger)
	for name, b := range map[string][]byte{
		"another event":    about.Bundle,
		"another manifest": r.Bundle(roomtest.Ana, manifest),
		"a stranger":       r.Bundle(5, r.Rebuilt(id)),
		"garbage":          []byte("{}"),
		"one byte off":     append([]byte(" "), r.Bundle(roomtest.Ana, r.Rebuilt(id))[1:]...),
	} {
		t.Run(name, func(t *testing.T) {
			r.T = t
			if err := r.Room.Events.PutStatement(t.Context(), id, b); err == nil || !isRefusal(err) {
				t.Fatalf("the room took it: %v", err)
			}
			r.plant(id, about.Name(), b)
			if len(r.Load(id).Bad) == 0 {
				t.Error("nothing is said about a bad answer")
			}
			_, err := r.decide(id, roomtest.Ana)
			refused(t, err, id, notRebuilt+"there is no statement of a rebuild by Ana Sousa (Alpha, PT)")
		})
	}
	r.T = t
	r.check(os.Remove(filepath.Join(r.Room.Events.Path(id), filepath.FromSlash(about.Name()))))
	r.Rebuild(id, roomtest.Ben, roomtest.Cleo, roomtest.Dai) // three others, all good
	_, err := r.decide(id, roomtest.Ana)
	refused(t, err, id, notRebuilt+"there is no statement of a rebuild by Ana Sousa (Alpha, PT)")
	r.check(r.Room.Events.PutStatement(t.Context(), id, r.Bundle(roomtest.Ana, twisted)))
	_, err = r.decide(id, roomtest.Ana)
	refused(t, err, id, notRebuilt+"you, Ana Sousa, stated that you got other bytes: countersign-1.4.0-linux-amd64.tar")
}

// A good statement by Ana's key is in the event, but this machine knows nothing of such a rebuild.
func TestStatementWithoutARecord(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.Rebuild(id, roomtest.Ana)
	a := r.auditor(roomtest.Ana)
	_, err := a.Check(t.Context(), id, Options{})
	refused(t, err, id, notRebuilt+"there is a statement by Ana Sousa, but no record of that rebuild in "+a.Home+": it was made on another machine, or by somebody else with your statement key")
}

func TestRecordThatDoesNotAgree(t *testing.T) {
	r := newRoom(t)
	for want, change := range map[string]func(*Record){
		`the record of your rebuild does not agree: it is recorded as "differs"`:           func(r *Record) { r.Result = event.Differs },
		"the record of your rebuild does not agree: it was of a release.json with sha256 ": func(r *Record) { r.Release[0] ^= 1 },
		"the record of your rebuild does not agree: it has 3 artifacts and 0 differences, the release has 4 artifacts": func(r *Record) {
			r.Artifacts = r.Artifacts[:3]
		},
		"the record of your rebuild does not agree: linux-amd64/messenger is recorded with sha256 ": func(r *Record) { r.Artifacts[1].SHA256[0] ^= 1 },
		"the record of your rebuild is about another statement than the one by Ana Sousa in the event": func(r *Record) {
			r.Statement = strings.Repeat("0", 64)
		},
	} {
		id := r.stage("1.4.0", "stable")
		record := r.rebuild(id, roomtest.Ana)
		change(record)
		r.check(r.auditor(roomtest.Ana).saveRecord(id, *record))
		_, err := r.decide(id, roomtest.Ana)
		if err == nil || !isRefusal(err) || !strings.HasPrefix(err.Error(), strings.ReplaceAll(notRebuilt, "{id}", id.Short())+want) {
			t.Errorf("err  = %v\nwant %s", err, want)
		}
	}
}

// Rebuilding without a key shows the result to a person and tells nobody; it is no ground for a signature.
func TestRebuildWithoutAKey(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	a := r.auditor(roomtest.Ana)
	keys := a.Keys
	a.Keys = nil
	record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	if record.Result != event.Matched || len(r.Load(id).Statements) != 0 || !strings.Contains(record.Text(), "no statement was made") {
		t.Errorf("%s\n%d statements", record.Text(), len(r.Load(id).Statements))
	}
	a.Keys = keys
	_, err = a.Check(t.Context(), id, Options{})
	refused(t, err, id, notRebuilt+"there is no statement of a rebuild by Ana Sousa (Alpha, PT)")
	record, err = a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	if record.Person == "" || len(r.Load(id).Statements) != 1 {
		t.Errorf("with the key: %s", record.Text())
	}
}

// The key that signs the channel may be on another store than the one that signs statements: whose
// rebuild counts is decided by the policy, and not by what else is in the ring.
func TestAuditorKeyAlone(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ana)
	r.rebuild(id, roomtest.Ben)
	a := r.auditor(roomtest.Ana)
	a.Keys = signer.Ring{r.People[roomtest.Ana].Auditor}
	d, err := a.Check(t.Context(), id, Options{})
	r.check(err)
	_, err = a.Sign(t.Context(), d)
	r.check(err)
	a.Keys = signer.Ring{r.People[roomtest.Ben].Auditor, r.People[roomtest.Ana].Statement}
	_, err = a.Check(t.Context(), id, Options{})
	refused(t, err, id, notRebuilt+"the record of your rebuild is about another statement than the one by Ben Weiss in the event")
}
