package event_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/countersign-project/countersign/release/event"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// staged is a world with one release that is signed and rebuilt by three, not yet published.
func staged(t *testing.T) (*World, event.ID) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	w.Rebuild(id, Ana, Ben, Cleo)
	w.SignAll(id, Ana, Ben, Cleo)
	return w, id
}

// check is everything a careful reader does with an event. It returns the first thing wrong, or the
// answers that are not counted.
//
//lint:ignore ST1008 the first result is the answer, the second its details
func check(t *testing.T, w *World, id event.ID) (error, []error) {
	t.Helper()
	p, err := event.Load(t.Context(), w.Room.Events, id)
	if err != nil {
		return err, nil
	}
	if err := p.CheckFiles(t.Context(), w.Room.Events, nil); err != nil {
		return err, nil
	}
	return w.Room.Events.CheckNothingElse(p), p.Bad
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if err == nil && !f.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil || len(out) < 20 {
		t.Fatalf("%d files in the event, %v", len(out), err)
	}
	return out
}

// Each file of an event is changed in each way a courier could: nothing of it is believed.
func TestTamperedEvent(t *testing.T) {
	w, id := staged(t)
	dir := w.Room.Events.Path(id)
	changes := []struct {
		name string
		to   func(b []byte) []byte
	}{
		{"first byte", func(b []byte) []byte { b[0] ^= 1; return b }},
		{"middle byte", func(b []byte) []byte { b[len(b)/2] ^= 0x20; return b }},
		{"last byte", func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b }},
		{"one byte less", func(b []byte) []byte { return b[:len(b)-1] }},
		{"one byte more", func(b []byte) []byte { return append(b, '\n') }},
		{"empty", func(b []byte) []byte { return nil }},
	}
	for _, name := range filesOf(t, dir) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		answer := strings.HasPrefix(name, "signatures/") || strings.HasPrefix(name, "statements/")
		for _, c := range changes {
			if err := os.WriteFile(path, c.to(bytes.Clone(good)), 0o644); err != nil {
				t.Fatal(err)
			}
			err, bad := check(t, w, id)
			switch {
			case answer && (err != nil || len(bad) != 1 || !strings.HasPrefix(bad[0].Error(), name+": ")):
				// JSON may end in one more newline and stay the same bundle.
				if !(c.name == "one byte more" && strings.HasPrefix(name, "statements/") && err == nil && len(bad) == 0) {
					t.Errorf("%s, %s: err %v, not counted %v", name, c.name, err, bad)
				}
			case !answer && err == nil:
				t.Errorf("%s, %s: believed", name, c.name)
			case !answer && name != "event.json" && !strings.Contains(err.Error(), name):
				t.Errorf("%s, %s: not named in %v", name, c.name, err)
			}
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err, bad := check(t, w, id); err != nil || len(bad) > 0 {
		t.Fatal("the restored event:", err, bad)
	}
}

// Any byte of event.json that changes gives another id.
func TestEveryByteOfEventJSON(t *testing.T) {
	w, id := staged(t)
	path := filepath.Join(w.Room.Events.Path(id), "event.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := event.Load(t.Context(), w.Room.Events, id)
		refused(t, err, "it was changed after the event was opened, or put under a wrong name")
	}
}

// An event under another event's name is refused, whatever it holds.
func TestWrongName(t *testing.T) {
	w, id := staged(t)
	other := id
	other[0] ^= 1
	copyTree(t, w.Room.Events.Path(id), w.Room.Events.Path(other))
	_, err := event.Load(t.Context(), w.Room.Events, other)
	refused(t, err, "event "+other.Short()+": its event.json has the id "+id.String()+": it was changed after the event was opened, or put under a wrong name")
}

// A publisher who writes other metadata beside an honest event.json is found out, even where the metadata
// is well formed and for the right event.
func TestMetadataIsDerivedAgain(t *testing.T) {
	w, id := staged(t)
	path := filepath.Join(w.Room.Events.Path(id), "metadata", "stable.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sneaky := bytes.Replace(b, []byte(`"length":15`), []byte(`"length":16`), 1)
	if bytes.Equal(sneaky, b) {
		t.Fatal("nothing was changed in", string(b))
	}
	if err := os.WriteFile(path, sneaky, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = event.Load(t.Context(), w.Room.Events, id)
	refused(t, err, "metadata/stable.json is not what event.json and its files derive to: it was changed after the event was opened")
}

// Files missing from an event are named; its neighbours are not disturbed.
func TestHalfWritten(t *testing.T) {
	w, id := staged(t)
	neighbour := w.Stage("1.0.0", "beta")
	dir := w.Room.Events.Path(id)
	for _, name := range filesOf(t, dir) {
		if strings.HasPrefix(name, "signatures/") || strings.HasPrefix(name, "statements/") {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		err, _ = check(t, w, id)
		var half *event.HalfWritten
		if !errors.As(err, &half) || half.Name != id.String() {
			t.Errorf("without %s: %v", name, err)
		}
		statuses, broken, err := event.Survey(t.Context(), w.Room.Events, w.Published(), nil)
		if err != nil {
			t.Fatal(err)
		}
		big := strings.HasPrefix(name, "artifacts/") || name == "source.bundle" || name == "modules.tar"
		if want := 2; !big && (len(statuses) != want || len(broken) != 1 || !strings.Contains(broken[0].Problem, "half-written")) {
			t.Errorf("without %s: %d events, broken %+v", name, len(statuses), broken)
		}
		if big && len(broken) != 0 {
			t.Errorf("without %s: broken %+v", name, broken)
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.Load(neighbour)
}

// What a crash or a stranger leaves among the events is named and ignored.
func TestOddThingsAmongEvents(t *testing.T) {
	w, id := staged(t)
	events := filepath.Dir(w.Room.Events.Path(id))
	empty := strings.Repeat("ab", 32)
	for _, d := range []string{".opening-abc", empty, "notes"} {
		if err := os.Mkdir(filepath.Join(events, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(events, "thumbs.db"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	entries, err := w.Room.Events.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		got[e.Name] = e.Problem
	}
	want := map[string]string{
		".opening-abc": "is half-written: its opening was interrupted; it can be deleted",
		empty:          "is half-written: has no event.json",
		"notes":        "is not an event", "thumbs.db": "is not an event",
	}
	for name, problem := range want {
		if got[name] != problem {
			t.Errorf("%s: %q, want %q", name, got[name], problem)
		}
	}
	var half *event.HalfWritten
	emptyID, _ := event.ParseID(empty)
	if _, err := event.Load(t.Context(), w.Room.Events, emptyID); !errors.As(err, &half) || err.Error() != "event abababababab: event "+empty+" is half-written: has no event.json" {
		t.Error(err)
	}
	if _, err := w.Room.Step(t.Context(), w.Now); err != nil {
		t.Fatal("the room stops over it:", err)
	}
	if !status(w, id).Published {
		t.Error("the good event was not published")
	}
}

// Files nobody named, and links, do not become part of an event.
func TestStrangeFiles(t *testing.T) {
	w, id := staged(t)
	dir := w.Room.Events.Path(id)
	p := w.Load(id)
	extra := filepath.Join(dir, "README")
	if err := os.WriteFile(extra, []byte("sign me quickly"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, w.Room.Events.CheckNothingElse(p), "holds a file that event.json does not name: README")
	os.Remove(extra)
	for name, want := range map[string]bool{"signatures/.durable-7-0": true, "statements/.durable-7-1": true, ".durable-7-2": false, "artifacts/.durable-7-3": false} {
		half := filepath.Join(dir, filepath.FromSlash(name)) // of an answer that somebody else is writing
		if err := os.WriteFile(half, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := w.Room.Events.CheckNothingElse(p); (err == nil) != want {
			t.Errorf("%s: %v, want it accepted: %v", name, err, want)
		}
		os.Remove(half)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, p.Release, 0o644); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "release.json"))
	if err := os.Symlink(secret, filepath.Join(dir, "release.json")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	_, err := event.Load(t.Context(), w.Room.Events, id)
	refused(t, err, "release.json is not a plain file")
}

// A clash of release.json and event.json is found when the event is opened and when it is read.
func TestManifestAndFilesAgree(t *testing.T) {
	w := New(t)
	w.Distribute()
	m := w.Manifest("1.0.0", "stable")
	files := Files(m)
	files["artifacts/linux-amd64/messenger"] = Content([]byte("another program"))
	_, err := w.Room.Events.OpenRelease(t.Context(), m, files, w.Base(), 90, w.Opening())
	if err == nil || !strings.Contains(err.Error(), "release.json: artifact linux-amd64/messenger is 15 bytes with sha256") {
		t.Error(err)
	}
	files = Files(m)
	delete(files, "artifacts/linux-amd64/messengerd")
	_, err = w.Room.Events.OpenRelease(t.Context(), m, files, w.Base(), 90, w.Opening())
	refused(t, err, "release.json: artifact linux-amd64/messengerd is not among the event's files")
	files = Files(m)
	files["artifacts/linux-amd64/stowaway"] = Content([]byte("x"))
	_, err = w.Room.Events.OpenRelease(t.Context(), m, files, w.Base(), 90, w.Opening())
	refused(t, err, `event.json: file "artifacts/linux-amd64/stowaway" is not in release.json`)
	m = w.Manifest("1.0.0", "nightly")
	_, err = w.Room.Events.OpenRelease(t.Context(), m, Files(m), w.Base(), 90, w.Opening())
	refused(t, err, `release.json: channel "nightly" is not one the distribution has`)
	if entries, err := w.Room.Events.List(t.Context()); err != nil || len(entries) != 1 {
		t.Errorf("refused events left something: %+v %v", entries, err)
	}
}

// A disk that fails while an event is opened leaves nothing that looks like one, and the next try works.
func TestOpeningFails(t *testing.T) {
	w := New(t)
	w.Distribute()
	m := w.Manifest("1.0.0", "stable")
	files := Files(m)
	reads := 0
	files["modules.tar"] = func() (io.ReadCloser, error) {
		if reads++; reads == 1 { // once to learn its hash, then to copy it
			return io.NopCloser(strings.NewReader("modules of 1.0.0")), nil
		}
		return io.NopCloser(iotest.ErrReader(errors.New("input/output error"))), nil
	}
	_, err := w.Room.Events.OpenRelease(t.Context(), m, files, w.Base(), 90, w.Opening())
	if err == nil || err.Error() != "input/output error" {
		t.Error(err)
	}
	changing := 0
	files["modules.tar"] = func() (io.ReadCloser, error) {
		changing++
		return io.NopCloser(strings.NewReader(strings.Repeat("m", changing))), nil
	}
	_, err = w.Room.Events.OpenRelease(t.Context(), m, files, w.Base(), 90, w.Opening())
	refused(t, err, "modules.tar is longer than the 1 bytes event.json says")
	if entries, err := w.Room.Events.List(t.Context()); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %+v %v", entries, err)
	}
	w.Stage("1.0.0", "stable")
}

// The base of an event is what a client of the distribution would have verified.
func TestBaseOfAnotherDistribution(t *testing.T) {
	w, id := staged(t)
	other := New(t)
	other.People[0].Root = Ed25519("another root key")
	other.Distribute()
	base := w.Load(id).Base
	if _, err := base.Verify(w.Base().Roots[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := base.Verify(other.Base().Roots[0]); err == nil {
		t.Error("a base was believed by somebody who trusts another distribution")
	}
}
