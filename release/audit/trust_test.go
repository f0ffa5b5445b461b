package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
	"github.com/countersign-project/countersign/tuf/repo"
)

func TestTwoProposalsForOneVersion(t *testing.T) {
	r := newRoom(t)
	one, two := r.stage("1.4.0", "stable"), r.stage("1.4.0", "stable")
	r.rebuild(one, roomtest.Ana)
	r.rebuild(two, roomtest.Ana)
	d, err := r.decide(one, roomtest.Ana)
	r.check(err)
	want := "event " + two.Short() + " (1.4.0 stable) proposes the same version of stable; only one of the two can be published"
	if !contains(d.Warnings, want) {
		t.Errorf("warnings %q, want %q", d.Warnings, want)
	}
	r.sign(one, roomtest.Ana)
	_, err = r.decide(two, roomtest.Ana)
	refused(t, err, two, "you signed version 2 of stable for event "+one.Short()+" on 2026-11-21; event {id} is another proposal for the same version")
	var conflict *Conflict
	if !errors.As(err, &conflict) {
		t.Errorf("error of type %T", err)
	}
	a := r.auditor(roomtest.Ana)
	d, err = a.Check(t.Context(), two, Options{Supersede: true})
	r.check(err)
	if want := "you have signed event " + one.Short() + " for version 2 of stable; signing this one as well means that you stand by both until one is published"; !contains(d.Warnings, want) {
		t.Errorf("warnings %q, want %q", d.Warnings, want)
	}
	_, err = a.Sign(t.Context(), d)
	r.check(err)
	known, err := a.memories()
	r.check(err)
	if got := known[0].signed; len(got) != 2 || got[1].InsteadOf != one.String() || got[1].Event != two.String() {
		t.Errorf("remembered %+v", got)
	}
	r.sign(two, roomtest.Ana) // signing the newer one again is no conflict
	_, err = r.decide(one, roomtest.Ana)
	refused(t, err, one, "you signed version 2 of stable for event "+two.Short()+" on 2026-11-21; event {id} is another proposal for the same version")
	r.rebuild(two, roomtest.Ben)
	r.sign(two, roomtest.Ben) // what Ana signed does not bind Ben
}

// Two commands of one auditor look at two rivals at the same time; only the first may sign.
func TestRivalSignedBetweenCheckAndSign(t *testing.T) {
	r := newRoom(t)
	one, two := r.stage("1.4.0", "stable"), r.stage("1.4.0", "stable")
	r.rebuild(one, roomtest.Ana)
	r.rebuild(two, roomtest.Ana)
	a := r.auditor(roomtest.Ana)
	first, err := a.Check(t.Context(), one, Options{})
	r.check(err)
	second, err := a.Check(t.Context(), two, Options{})
	r.check(err)
	_, err = a.Sign(t.Context(), first)
	r.check(err)
	_, err = a.Sign(t.Context(), second)
	refused(t, err, two, "you signed version 2 of stable for event "+one.Short()+" on 2026-11-21; event {id} is another proposal for the same version")
	if n := len(r.Load(two).Signatures); n != 0 {
		t.Errorf("%d signatures left this machine", n)
	}
}

func TestVersionsNeverGoBack(t *testing.T) {
	r := newRoom(t)
	old := r.stage("1.4.0", "stable")
	r.rebuild(old, roomtest.Ana)
	r.release("1.4.1", "stable")
	next := r.stage("1.4.2", "stable")
	a := r.auditor(roomtest.Ana)
	_, err := a.Check(t.Context(), old, Options{})
	refused(t, err, old, "event {id} builds on version 1 of stable, and version 2 is published: stage it again")
	// An auditor without a network knows what they signed; what was published on top of it they know only
	// once they met an event that builds on it.
	a.Published = event.Published{}
	_, err = a.Check(t.Context(), old, Options{})
	refused(t, err, old, "you signed version 2 of stable for event "+r.Published().Events["stable"][:12]+" on 2026-11-21; event {id} is another proposal for the same version")
	r.rebuild(next, roomtest.Ana)
	r.sign(next, roomtest.Ana)
	_, err = a.Check(t.Context(), old, Options{Supersede: true})
	refused(t, err, old, "the event builds on version 1 of stable, and you have seen version 2 published: it must be staged again on the newest state")
	m, err := a.memories()
	r.check(err)
	m[0].Seen["stable"] = 1 // even when that is forgotten, what was signed is not
	r.check(m[0].save())
	_, err = a.Check(t.Context(), old, Options{Supersede: true})
	refused(t, err, old, "the event proposes version 2 of stable, and you have signed version 3 already (event "+next.Short()+", on 2026-11-21): versions never go back")
}

func TestBrokenMemoryIsNoEmptyMemory(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ana)
	r.sign(id, roomtest.Ana)
	files, err := filepath.Glob(filepath.Join(r.homes[roomtest.Ana], "distributions", "*", "*.json"))
	r.check(err)
	if len(files) != 2 {
		t.Fatalf("files %q", files)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		r.check(err)
		r.check(os.WriteFile(f, b[:len(b)/2], 0o600))
		if _, err := r.decide(id, roomtest.Ana); err == nil || isRefusal(err) || !strings.Contains(err.Error(), f) {
			t.Errorf("%s cut in half: %v", filepath.Base(f), err)
		}
		r.check(os.WriteFile(f, b, 0o600))
	}
}

func TestFirstUseIsShownAndRemembered(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ana)
	d, err := r.decide(id, roomtest.Ana)
	r.check(err)
	sum, err := payloadSum(r.Base().Roots[0])
	r.check(err)
	want := `distribution "Test Messenger", root 1, sha256 of its signed part ` + sum + ": trusted on first use; compare this hash with what the others have, since it is remembered from now on"
	if d.Trust.How != TrustFirstUse || d.Trust.Text() != want || !contains(d.Warnings, want) {
		t.Errorf("trust %q: %s", d.Trust.How, d.Trust.Text())
	}
	_, err = r.auditor(roomtest.Ana).Sign(t.Context(), d)
	r.check(err)
	d, err = r.decide(id, roomtest.Ana)
	r.check(err)
	if d.Trust.How != TrustRemembered || len(d.Warnings) != 0 {
		t.Errorf("second time: %s, %q", d.Trust.How, d.Warnings)
	}
	a := r.auditor(roomtest.Ben)
	a.Anchor = r.Base().Roots[0]
	_, err = a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	if d, err = a.Check(t.Context(), id, Options{}); err != nil || d.Trust.How != TrustGiven {
		t.Errorf("with a root given: %v, %v", d, err)
	}
}

// A publisher makes a second distribution of the same name and people, in which the channel has a target
// nobody saw, and asks an auditor to sign "the next version": the signature would count in the real one.
func TestForgedDistribution(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ana)
	r.sign(id, roomtest.Ana)
	forged := &room{roomtest.New(t), r.homes, r.base}
	forged.Snapshot = roomtest.Ed25519("another online key")
	forged.Room = forged.Open(forged.Dir)
	forged.Distribute()
	bad := forged.stage("1.4.0", "stable")
	forged.rebuild(bad, roomtest.Ana)
	_, err := forged.decide(bad, roomtest.Ana)
	refused(t, err, bad, `your key for stable signs for distribution "Test Messenger" since 2026-11-21, and this event is of another distribution, "Test Messenger": one key, one distribution`)
	a := forged.auditor(roomtest.Ben) // nothing is remembered; the anchor of the source tree helps
	a.Anchor = r.Base().Roots[0]
	_, err = a.Rebuild(t.Context(), bad, RebuildOptions{})
	forged.check(err)
	_, err = a.Check(t.Context(), bad, Options{})
	refused(t, err, bad, "root 1 of the event is not the root you trust: this is another distribution, or a forged one")
}

// renewed publishes the next version of root, signed by three holders through the auditors' own command.
func (r *room) renewed(roles ...string) event.ID {
	r.T.Helper()
	id, err := r.Room.Events.OpenRoles(r.T.Context(), r.TOML(), r.Base(), roles, r.Opening())
	r.check(err)
	for _, m := range []int{roomtest.Ana, roomtest.Ben, roomtest.Cleo} {
		r.sign(id, m)
	}
	r.Publish(id)
	return id
}

func TestNewRootIsFollowedAndNeverLost(t *testing.T) {
	r := newRoom(t)
	before := r.stage("1.4.0", "stable")
	r.rebuild(before, roomtest.Ana)
	r.renewed("root")
	after := r.stage("1.4.0", "stable")
	r.rebuild(after, roomtest.Ana)
	r.sign(after, roomtest.Ana)
	_, err := r.decide(before, roomtest.Ana)
	refused(t, err, before, "the event builds on root 1, the root you remember is version 2: it was staged on an old state, or somebody hides the new one")
}

// A base whose copy of the trusted root is forged, while all that follows from the real one verifies.
func TestForgedCopyOfATrustedRoot(t *testing.T) {
	r := newRoom(t)
	p := r.Load(r.stage("1.4.0", "stable"))
	other := roomtest.New(t)
	other.Snapshot = roomtest.Ed25519("another online key")
	other.Room = other.Open(other.Dir)
	other.Distribute()
	a := r.auditor(roomtest.Ana)
	a.Anchor = p.Base.Roots[0]
	p.Base.Roots = [][]byte{other.Base().Roots[0]}
	_, err := a.trust(p)
	refused(t, err, p.ID, "root 1 of the event is not the root you trust: this is another distribution, or a forged one")
}

func TestNewDistribution(t *testing.T) {
	w := roomtest.New(t)
	r := &room{w, map[int]string{}, t.TempDir()}
	id, err := w.Room.Events.OpenDistribution(t.Context(), w.TOML(), w.Opening())
	r.check(err)
	a := r.auditor(roomtest.Ana)
	if _, err := a.Rebuild(t.Context(), id, RebuildOptions{}); err == nil || err.Error() != "event "+id.Short()+" is of kind distribution: there is nothing to rebuild" {
		t.Errorf("rebuild: %v", err)
	}
	d, err := a.Check(t.Context(), id, Options{})
	r.check(err)
	if len(d.Will) != 4 || d.Word() != "root 1" || d.Trust.How != TrustNew {
		t.Errorf("will sign %+v, word %q, trust %s", d.Will, d.Word(), d.Trust.How)
	}
	text := d.Change.Text()
	for _, want := range []string{
		"root (decides who everybody is): 3 of 5: Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis",
		"channel stable: a release takes 3 auditors from at least 3 countries and 3 organisations, and 3 matching rebuilds",
		"the publisher, Pia Lund (Publisher, SE), holds the online keys: may delay, cannot ship a byte",
		"Ana Sousa (Alpha, PT): root key " + signer.Fingerprint(r.People[0].Root.Public()),
		"root: new → version 1, expires 2027-11-21",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("change does not say %q:\n%s", want, text)
		}
	}
	_, err = a.Sign(t.Context(), d)
	r.check(err)
	a.Keys = signer.Ring{r.People[roomtest.Ben].Root} // the other keys are elsewhere
	a.Home = t.TempDir()
	d, err = a.Check(t.Context(), id, Options{})
	r.check(err)
	if len(d.Will) != 1 || d.Will[0].Role != "root" {
		t.Errorf("with the root key only: %+v", d.Will)
	}
	_, err = a.Sign(t.Context(), d)
	r.check(err)
	second, err := w.Room.Events.OpenDistribution(t.Context(), w.TOML(), w.Opening())
	r.check(err)
	_, err = r.decide(second, roomtest.Ana)
	refused(t, err, second, `your key for root signs for distribution "Test Messenger" since 2026-11-21, and this event is of another distribution, "Test Messenger": one key, one distribution`)
	d, err = r.auditor(roomtest.Ana).Check(t.Context(), second, Options{Supersede: true})
	r.check(err)
	if d.Will[0].InsteadOf != id.String() {
		t.Errorf("instead of %q", d.Will[0].InsteadOf)
	}
	r.SignAll(id, roomtest.Ben, roomtest.Cleo)
	r.Publish(id)
	// What was signed unpublished is recognised when it comes back as the base of the first release.
	release := r.stage("1.4.0", "stable")
	r.rebuild(release, roomtest.Ana)
	d, err = r.decide(release, roomtest.Ana)
	r.check(err)
	if d.Trust.How != TrustRemembered {
		t.Errorf("trust: %s", d.Trust.Text())
	}
}

func TestLoweredNumbersAreNamed(t *testing.T) {
	r := newRoom(t)
	lower := strings.NewReplacer("quorum = 3\njurisdictions = 3\norganisations = 3\nrebuilds = 3", "quorum = 2\njurisdictions = 2\norganisations = 0\nrebuilds = 1", "targets = 3", "targets = 2").Replace(string(r.TOML()))
	lower = strings.Replace(lower, `name = "Eva Reis"`, `name = "Zoe Voss"`, 1)
	id, err := r.Room.Events.OpenRoles(t.Context(), []byte(lower), r.Base(), nil, r.Opening())
	r.check(err)
	d, err := r.decide(id, roomtest.Ana)
	r.check(err)
	for _, want := range []string{
		"the quorum of targets is lowered from 3 to 2", "the quorum of stable is lowered from 3 to 2",
		"the number of jurisdictions for stable is lowered from 3 to 2", "the number of organisations for stable is lowered from 3 to 0",
		"the number of rebuilds for stable is lowered from 3 to 1",
		"Eva Reis (Epsilon, PT) is an auditor no longer", "Zoe Voss (Epsilon, PT) is a new auditor",
	} {
		if !contains(d.Warnings, want) {
			t.Errorf("no warning %q in %q", want, d.Warnings)
		}
	}
}

// What a publisher puts into the proposed metadata beside what the event says is refused by everybody.
func TestSmuggledMetadata(t *testing.T) {
	r := newRoom(t)
	for what, change := range map[string]func(stable []byte) []byte{
		"an extra target": func(stable []byte) []byte {
			info, err := repo.Inspect(stable)
			r.check(err)
			add := []repo.File{{Path: "stable/9.9.9/linux-amd64/messenger", Length: 4, SHA256: [32]byte{1}}}
			out, err := repo.ChannelRole(stable, add, repo.Stamp{Version: info.Version + 1, Made: info.Made, Expires: info.Expires, Event: info.Event})
			r.check(err)
			return out
		},
		"another version": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"version":2`, `"version":3`, 1))
		},
		"a later expiry": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"expires":"2027`, `"expires":"2037`, 1))
		},
		"a field": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"signed":{`, `"signed":{"x":"y",`, 1))
		},
	} {
		t.Run(what, func(t *testing.T) {
			r.T = t
			id := r.stage("1.4.0", "stable")
			r.rebuild(id, roomtest.Ana)
			path := filepath.Join(r.Room.Events.Path(id), "metadata", "stable.json")
			b, err := os.ReadFile(path)
			r.check(err)
			changed := change(b)
			if string(changed) == string(b) {
				t.Fatal("nothing was changed")
			}
			r.check(os.WriteFile(path, changed, 0o644))
			_, err = r.decide(id, roomtest.Ana)
			refused(t, err, id, "event {id}: metadata/stable.json is not what event.json and its files derive to: it was changed after the event was opened")
		})
	}
}

func TestEventChangedAfterTheRebuild(t *testing.T) {
	r := newRoom(t)
	for file, want := range map[string]string{
		"artifacts/linux-amd64/messenger": "event {id}: artifacts/linux-amd64/messenger does not have the 15 bytes event.json says: it was changed after the event was opened",
		"source.bundle":                   "event {id}: source.bundle does not have the 19 bytes event.json says: it was changed after the event was opened",
		"release.json":                    "event {id}: release.json has 1639 bytes, event.json says 1638",
		"base/targets.json":               "",
		"event.json":                      "",
		"artifacts/more":                  "event {id}: event {id} holds a file that event.json does not name: artifacts/more",
	} {
		t.Run(file, func(t *testing.T) {
			r.T = t
			id := r.stage("1.4.0", "stable")
			defer os.RemoveAll(r.Room.Events.Path(id))
			r.rebuild(id, roomtest.Ana)
			path := filepath.Join(r.Room.Events.Path(id), filepath.FromSlash(file))
			b, err := os.ReadFile(path)
			if err != nil && file != "artifacts/more" {
				t.Fatal(err)
			}
			r.check(os.WriteFile(path, append(b, '!'), 0o644))
			_, err = r.decide(id, roomtest.Ana)
			if want == "" && err != nil && isRefusal(err) {
				return // the exact words are release/event's
			}
			refused(t, err, id, want)
		})
	}
}
