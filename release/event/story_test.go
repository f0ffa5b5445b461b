package event_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// refused checks that err is a refusal and that its text ends as wanted.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want: %s", want)
	}
	r, ok := err.(interface{ Refused() bool })
	for e := err; !ok && e != nil; {
		u, is := e.(interface{ Unwrap() error })
		if !is {
			break
		}
		e = u.Unwrap()
		r, ok = e.(interface{ Refused() bool })
	}
	if !ok || !r.Refused() {
		t.Fatalf("not a refusal: %v", err)
	}
	if !strings.HasSuffix(err.Error(), want) {
		t.Fatalf("refused with\n  %v\nwant\n  … %s", err, want)
	}
}

func status(w *World, id event.ID) event.Status {
	w.T.Helper()
	replacing, err := event.Replacing(w.T.Context(), w.Room.Events, id)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Load(id).Status(w.Published(), replacing)
}

// A release from its opening until it is published, as people see it.
func TestReleaseAsPeopleSeeIt(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	next := func(want string) {
		t.Helper()
		if got := status(w, id).Next(); got != want {
			t.Fatalf("next:\n  %s\nwant\n  %s", got, want)
		}
	}
	next("waiting: stable needs 3 more of Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis; 0 of 3 jurisdictions among the signers; 0 of 3 organisations among the signers; 0 of 3 matching rebuilds")
	w.Rebuild(id, Ana, Ben)
	w.SignAll(id, Ana, Ben)
	next("waiting: stable needs 1 more of Cleo Hart, Dai Mori, Eva Reis; 2 of 3 jurisdictions among the signers; 2 of 3 organisations among the signers; 2 of 3 matching rebuilds")
	w.SignAll(id, Eva)
	w.Rebuild(id, Eva)
	next("waiting: 2 of 3 jurisdictions among the signers")
	w.SignAll(id, Dai)
	next("ready to publish")
	w.Publish(id)
	next("published")
	if s := status(w, id); !s.Published || s.Ready || s.Open() {
		t.Errorf("%+v", s)
	}
}

// What people state is told apart: matched, differs and where, inconclusive and why.
func TestRebuildResults(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	w.Rebuild(id, Ana)
	differs := w.Rebuilt(id)
	differs.Artifacts[1].SHA256[0] ^= 1
	differs.SourceTree = strings.Repeat("e", 40)
	put(w, id, w.Bundle(Ben, differs))
	put(w, id, w.Bundle(Cleo, statement.Inconclusive{Event: id.String(), Release: w.Load(id).ReleaseSHA256(), SourceCommit: strings.Repeat("c", 40), Reason: "no space left on device", Started: w.Now, Finished: w.Now}))
	want := []string{
		"rebuild by Ana Sousa (Alpha, PT): matched",
		"rebuild by Ben Weiss (Beta, DE): differs in source tree " + strings.Repeat("e", 40) + " instead of " + strings.Repeat("d", 40) + ", linux-amd64/messenger",
		"rebuild by Cleo Hart (Gamma, US): inconclusive (no space left on device)",
		"rebuild by Dai Mori (Delta, JP): not yet",
	}
	text := status(w, id).Text()
	for _, line := range want {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	// Cleo finds room on her disk: a finished rebuild outweighs the attempt, and both stay on record.
	w.Rebuild(id, Cleo)
	if text := status(w, id).Text(); !strings.Contains(text, "rebuild by Cleo Hart (Gamma, US): matched\n") || len(w.Load(id).Statements) != 4 {
		t.Errorf("%s", text)
	}
}

// Several events live side by side. What is signed for one counts for no other, and publishing one makes
// only its rivals stale.
func TestConcurrentEvents(t *testing.T) {
	w := New(t)
	w.Distribute()
	one, rival := w.Stage("1.0.0", "stable"), w.Stage("1.0.0", "stable")
	beta := w.Stage("1.0.0", "beta")
	if one == rival {
		t.Fatal("two stagings of the same release have one id")
	}
	w.Rebuild(one, Ana, Ben, Cleo)
	w.SignAll(one, Ana, Ben, Cleo)

	sig := w.Load(one).Signatures[0]
	refused(t, w.Room.Events.PutSignature(t.Context(), rival, sig), "signature is for event "+one.Short()+", not for "+rival.Short()+"; what is signed for one event counts for no other")
	relabelled := sig
	relabelled.Event = rival
	refused(t, w.Room.Events.PutSignature(t.Context(), rival, relabelled), "signature of "+holder(w, one, sig)+" on stable is not valid for event "+rival.Short())
	refused(t, w.Room.Events.PutStatement(t.Context(), rival, w.Load(one).Statements[0].Bundle), "is about event "+one.String()[:57]+"…, not about "+rival.Short())

	// Somebody copies the files by hand: they are named, and count for nothing.
	copyTree(t, filepath.Join(w.Room.Events.Path(one), "signatures"), filepath.Join(w.Room.Events.Path(rival), "signatures"))
	copyTree(t, filepath.Join(w.Room.Events.Path(one), "statements"), filepath.Join(w.Room.Events.Path(rival), "statements"))
	s := status(w, rival)
	if len(s.Quorums[0].Signed) != 0 || s.Ready || len(s.Bad) != 6 {
		t.Errorf("%+v", s)
	}
	w.Publish(one)
	if got, want := status(w, rival).Next(), "stale: builds on version 1 of stable, and version 2 is published: stage it again"; got != want {
		t.Errorf("rival: %s, want %s", got, want)
	}
	w.Rebuild(beta, Ana, Ben)
	w.SignAll(beta, Ana, Ben)
	w.Publish(beta)
	if v := w.Published().Versions; v["stable"] != 2 || v["beta"] != 2 {
		t.Error(v)
	}
}

func holder(w *World, id event.ID, s event.Signature) string {
	a := w.Load(id).Authorities(s.Role)[0]
	for i, k := range a.KeyIDs {
		if k == s.KeyID {
			return a.Holders[i].Name
		}
	}
	return ""
}

func TestSuperseded(t *testing.T) {
	w := New(t)
	w.Distribute()
	old := w.Stage("1.0.0", "stable")
	o := w.Opening()
	o.Supersedes = old
	m := w.Manifest("1.0.0", "stable")
	m.Notes = "Better notes."
	young := w.StageAs(m, o)
	if got := status(w, old).Next(); got != "superseded by "+young.Short() {
		t.Error(got)
	}
	if s := status(w, young); s.Superseded != "" || !s.Open() {
		t.Errorf("%+v", s)
	}
}

// People who hold no key of a role, or another role's, do not sign it.
func TestOnlyTheRolesKeys(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	p := w.Load(id)
	_, err := p.Sign("stable", w.People[Ana].Root)
	refused(t, err, "this key does not sign stable; those that do are of Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis")
	_, err = p.Sign("beta", w.People[Ana].Auditor)
	refused(t, err, `event `+id.Short()+` proposes no role "beta", only stable`)
	_, err = p.Sign("stable", w.Snapshot)
	refused(t, err, "those that do are of Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis")
	stranger := NewMember("Mallory", "Nowhere", "XX")
	w.People = append(w.People, stranger)
	if err := w.Room.Events.PutStatement(t.Context(), id, w.Bundle(len(w.People)-1, w.Rebuilt(id))); err == nil || !strings.Contains(err.Error(), "which is none of the 5 that may sign") {
		t.Errorf("a stranger's statement: %v", err)
	}
}

// A new root is signed by a quorum of the old holders and one of the new, counted apart.
func TestRootRotation(t *testing.T) {
	w := New(t)
	w.Distribute()
	lost := w.People[Ana]
	w.People[Ana] = NewMember("Ana Sousa", "Alpha", "PT")
	w.People[Ana].Root, w.People[Ana].Auditor = Ed25519("Ana's second root key"), Ed25519("Ana's second auditor key")
	w.People = append(w.People, NewMember("Femi Ade", "Zeta", "NG"))
	id, err := w.Room.Events.OpenRoles(t.Context(), w.TOML(), w.Base(), nil, w.Opening())
	if err != nil {
		t.Fatal(err)
	}
	p := w.Load(id)
	if got := strings.Join(p.Event.Roles(), " "); got != "root targets beta stable" {
		t.Fatal("roles", got)
	}
	sign := func(role string, k Key) {
		t.Helper()
		sigs, err := p.Sign(role, k)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sigs {
			if err := w.Room.Events.PutSignature(t.Context(), id, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	sign("root", w.People[Ben].Root)
	sign("root", w.People[Cleo].Root)
	sign("root", lost.Root) // the old key still counts for the old quorum, and only there
	s := status(w, id)
	if q := s.Quorums[0]; q.Name != "root 1 (in force)" || !q.Met() || len(q.Signed) != 3 {
		t.Errorf("%+v", q)
	}
	if q := s.Quorums[1]; q.Name != "root 2 (proposed)" || q.Met() || len(q.Signed) != 2 || q.Need != 4 {
		t.Errorf("%+v", q)
	}
	sign("root", w.People[Ana].Root)
	sign("root", w.People[len(w.People)-1].Root)
	for _, role := range []string{"targets", "stable", "beta"} {
		for _, i := range []int{Ana, Ben, Cleo} {
			sign(role, w.People[i].Auditor)
		}
	}
	w.Publish(id)
	next := w.Stage("1.0.0", "stable")
	_, err = w.Load(next).Sign("stable", lost.Auditor)
	refused(t, err, "this key does not sign stable; those that do are of Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis, Femi Ade")
	w.Rebuild(next, Ana, Ben, Cleo)
	w.SignAll(next, Ana, Ben, Cleo)
	w.Publish(next)
}

// Roles are renewed in time by the same people, with nothing changed but versions and dates.
func TestRenewal(t *testing.T) {
	w := New(t)
	w.Distribute()
	w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	_, err := w.Room.Events.OpenRoles(t.Context(), w.TOML(), w.Base(), nil, w.Opening())
	if err != event.ErrNothingToDo {
		t.Fatal(err)
	}
	w.Now = w.Now.AddDate(0, 0, 60)
	id, err := w.Room.Events.OpenRoles(t.Context(), w.TOML(), w.Base(), []string{"stable", "root"}, w.Opening())
	if err != nil {
		t.Fatal(err)
	}
	w.SignAll(id, Dai, Eva, Ben)
	w.Publish(id)
	if v := w.Published().Versions; v["root"] != 2 || v["targets"] != 1 || v["stable"] != 3 || v["beta"] != 1 {
		t.Error(v)
	}
	s, err := w.Room.Repository.Load()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Set.Targets("stable")); n != 5 {
		t.Errorf("stable names %d files after its renewal, want the 5 of 1.0.0", n)
	}
}

// A published channel does not disappear: programs would refuse the snapshot that lacks it.
func TestChannelStays(t *testing.T) {
	w := New(t)
	w.Distribute()
	file := string(w.TOML())
	start, end := strings.Index(file, "[[channel]]\nname = \"beta\""), strings.Index(file, "[publisher]")
	_, err := w.Room.Events.OpenRoles(t.Context(), []byte(file[:start]+file[end:]), w.Base(), nil, w.Opening())
	refused(t, err, `distribution.toml: channel "beta" is published and missing here; a published channel cannot be taken away`)
	entries, err := w.Room.Events.List(t.Context())
	if err != nil || len(entries) != 1 {
		t.Errorf("the refused event left something: %v %v", entries, err)
	}
}

func put(w *World, id event.ID, bundle []byte) {
	w.T.Helper()
	if err := w.Room.Events.PutStatement(w.T.Context(), id, bundle); err != nil {
		w.T.Fatal(err)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
