package audit

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
	"github.com/countersign-project/countersign/release/review"
)

// newShelf is a publisher with a git repository, whose releases have that source and need not be built.
func newShelf(t *testing.T) *workshop {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		absent(t, "git is not installed")
	}
	w := &workshop{room: newRoom(t), repo: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}}
	w.git("init", "-q", "-b", "main", ".")
	return w
}

// offer opens the event of a version whose source is a new commit with these changes.
func (w *workshop) offer(version, previous string, files map[string]string) event.ID {
	w.T.Helper()
	m := w.Manifest(version, "stable")
	m.Previous, m.Source.Commit = previous, w.commit(files)
	m.Source.Tree = w.git("rev-parse", "HEAD^{tree}")
	content := roomtest.Files(m)
	bundle, modules := filepath.Join(w.T.TempDir(), "source.bundle"), filepath.Join(w.T.TempDir(), "modules.tar")
	w.git("bundle", "create", "-q", bundle, "HEAD")
	f, err := os.Create(modules)
	w.check(err)
	w.check(rebuild.PackModules(w.T.TempDir(), f))
	w.check(f.Close())
	content[event.FileSource], content[event.FileModules] = event.FromFile(bundle), event.FromFile(modules)
	id, err := w.Room.Events.OpenRelease(w.T.Context(), m, content, w.Base(), 90, w.Opening())
	w.check(err)
	return id
}

// ship takes an event through three auditors to publication.
func (w *workshop) ship(id event.ID) {
	w.T.Helper()
	w.Rebuild(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	w.SignAll(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	w.Publish(id)
}

func (w *workshop) reading(id event.ID, member int, base string) *Reviewing {
	w.T.Helper()
	r, err := w.auditor(member).OpenReview(w.T.Context(), id, base)
	w.check(err)
	w.T.Cleanup(r.Close)
	return r
}

// markAll marks items by name; none means all.
func (w *workshop) markAll(r *Reviewing, m review.Mark, names ...string) {
	w.T.Helper()
	for _, i := range r.Changes.Items {
		if len(names) > 0 && !slices.Contains(names, i.Name) {
			continue
		}
		for n := range i.Pages() {
			w.check(r.Journal.Put(review.Entry{At: w.Now, Key: i.Key(n), Title: i.Title(n), Mark: m}))
		}
	}
}

func itemNames(r *Reviewing) string {
	var names []string
	for _, i := range r.Changes.Items {
		names = append(names, i.What+" "+i.Name)
	}
	return strings.Join(names, ", ")
}

// good are the words of somebody who read everything.
func good() Words {
	return Words{Criteria: []string{"read-every-change", "notes-match"}, Minutes: 30, Tools: "none", Independence: "none"}
}

func TestReviewFromFirstLineToStatement(t *testing.T) {
	w := newShelf(t)
	first := w.offer("1.0.0", "", map[string]string{"main.go": "package main\n", "go.mod": "module m\n"})
	r := w.reading(first, roomtest.Ana, "")
	if got := itemNames(r); got != "A go.mod, A main.go" || r.Base.Version != "" || r.Base.Why != "this is the first release of the channel" {
		t.Fatalf("%s, base %+v", got, r.Base)
	}
	_, err := r.Draft(Words{Verdict: "pass", Criteria: []string{"notes-match"}, Minutes: 1, Tools: "none", Independence: "none"})
	refused(t, err, first, "verdict pass, and 2 of 2 items are unread: go.mod, main.go")
	_, err = r.Draft(good())
	refused(t, err, first, "verdict partial, and none of the 2 items was read")
	w.markAll(r, review.Read, "main.go")
	d, err := r.Draft(good())
	w.check(err)
	s := d.Statement
	if s.Verdict != "partial" || !slices.Equal(s.Unread, []string{"go.mod"}) || s.Files != 2 || s.Modules != 0 || s.Lines != 2 || s.Base != (statement.ReviewBase{}) ||
		s.Changes != r.Changes.SHA256() || s.HeadTree != r.Proposal.Manifest.Source.Tree || s.Release != r.Proposal.ReleaseSHA256() || s.Event != first.String() {
		t.Errorf("%+v", s)
	}
	w.Now = w.Now.Add(20 * time.Minute)
	w.markAll(r, review.Read, "go.mod")
	w.Now = w.Now.Add(5 * time.Minute)
	d, err = r.Draft(good())
	w.check(err)
	if s := d.Statement; s.Verdict != "pass" || len(s.Unread) != 0 || s.Finished.Sub(s.Started) != 25*time.Minute {
		t.Errorf("%+v", s)
	}
	text := d.Text()
	for _, want := range []string{"you sign, as Ana Sousa (Alpha, PT):", "I read the whole source of the release", "2 of 2 items read", "read-every-change: I read every changed line myself", "verdict pass after 30 minutes", string(d.Payload)} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestReviewWordsAreChecked(t *testing.T) {
	w := newShelf(t)
	id := w.offer("1.0.0", "", map[string]string{"main.go": "package main\n"})
	r := w.reading(id, roomtest.Ana, "")
	w.markAll(r, review.Read)
	for want, change := range map[string]func(*Words){
		`criterion "looks-good" is neither one of crypto-checked, dependencies-read, generated-checked, no-new-powers, notes-match, read-every-change, nor asked for by the policy`: func(w *Words) { w.Criteria = []string{"looks-good"} },
		"statement: verdict pass without a criterion":                              func(w *Words) { w.Criteria = nil },
		"statement: verdict pass after 0 minutes":                                  func(w *Words) { w.Minutes = 0 },
		"statement: tools: nothing said; if there is nothing to say, say \"none\"": func(w *Words) { w.Tools = " \n" },
		"statement: verdict fail without notes that say why":                       func(w *Words) { w.Verdict = "fail" },
		"statement: verdict partial with nothing unread, want pass":                func(w *Words) { w.Verdict = "partial" },
		`statement: verdict "good", want pass, partial, fail or inconclusive`:      func(w *Words) { w.Verdict = "good" },
	} {
		words := good()
		change(&words)
		_, err := r.Draft(words)
		refused(t, err, id, want)
	}
	words := good()
	words.Verdict, words.Notes, words.Criteria, words.Minutes = "fail", "line one\nline\x1b[2J two", nil, 0
	d, err := r.Draft(words)
	w.check(err)
	if d.Statement.Notes != "line one line?[2J two" {
		t.Errorf("%q", d.Statement.Notes)
	}
	i := r.Changes.Items[0]
	w.check(r.Journal.Put(review.Entry{At: w.Now, Key: i.Key(0), Mark: review.Read, Note: "why\nso?"}))
	words = good()
	words.Notes = "read it twice"
	if d, err = r.Draft(words); err != nil || d.Statement.Notes != "read it twice" {
		t.Errorf("a private note got out: %q, %v", d.Statement.Notes, err)
	}
	words.PublishNotes = true
	if d, err = r.Draft(words); err != nil || d.Statement.Notes != "read it twice; main.go: why so?" {
		t.Errorf("%q, %v", d.Statement.Notes, err)
	}
	a := w.auditor(roomtest.Ana)
	a.Keys = a.Keys[:1]
	r.a = a
	if _, err := r.Draft(good()); err == nil || !strings.Contains(err.Error(), "is a statement key of this event's policy") {
		t.Error(err)
	}
}

// The base is what this auditor read last, also when a newer release was published meanwhile by others;
// whoever asks can have another one, and nobody gets one that the channel does not name.
func TestReviewBase(t *testing.T) {
	w := newShelf(t)
	first := w.offer("1.0.0", "", map[string]string{"main.go": "package main\n"})
	r := w.reading(first, roomtest.Ana, "")
	w.markAll(r, review.Read)
	w.ship(first)
	second := w.offer("1.1.0", "1.0.0", map[string]string{"main.go": "package main\n\n// 1.1\n"})
	w.ship(second)
	third := w.offer("1.2.0", "1.1.0", map[string]string{"new.go": "package main\n"})

	r = w.reading(third, roomtest.Ana, "")
	if r.Base.Version != "" || r.Base.Why != "nobody's complete review of 1.1.0 is known here (--base 1.1.0 reads only the change since then)" || itemNames(r) != "A main.go, A new.go" {
		t.Errorf("%+v: %s", r.Base, itemNames(r))
	}
	w.remember(roomtest.Ana, Done{Event: first.String(), Channel: "stable", Version: "1.0.0", Release: w.Load(first).ReleaseSHA256(), Verdict: "pass", At: w.Now})
	r = w.reading(third, roomtest.Ana, "")
	if r.Base.Version != "1.0.0" || r.Base.Why != "your review of 2026-11-21 (pass)" || r.Base.Tree != w.Load(first).Manifest.Source.Tree || itemNames(r) != "M main.go, A new.go" {
		t.Errorf("%+v: %s", r.Base, itemNames(r))
	}
	for base, want := range map[string]string{"1.1.0": "A new.go", "1.0.0": "M main.go, A new.go", NoBase: "A main.go, A new.go"} {
		if r = w.reading(third, roomtest.Ben, base); itemNames(r) != want {
			t.Errorf("since %s: %s", base, itemNames(r))
		}
	}
	for base, want := range map[string]string{
		"1.2.0": `base "1.2.0": want a version below 1.2.0, or "none"`, "2.0.0": `base "2.0.0": want a version below 1.2.0, or "none"`,
		"HEAD": `base "HEAD": want a version below 1.2.0, or "none"`, "0.9.0": "channel stable has no release 0.9.0; it has [1.0.0 1.1.0]",
	} {
		_, err := w.auditor(roomtest.Ben).OpenReview(t.Context(), third, base)
		refused(t, err, third, want)
	}
	// What another proposal with that version number was does not matter: the channel names one.
	w.remember(roomtest.Dai, Done{Channel: "stable", Version: "1.1.0", Release: [32]byte{1}, Verdict: "pass", At: w.Now})
	if r = w.reading(third, roomtest.Dai, ""); r.Base.Version != "" {
		t.Errorf("%+v", r.Base)
	}
}

// remember writes a member's finished reviews.
func (w *workshop) remember(member int, done ...Done) {
	w.T.Helper()
	a := w.auditor(member)
	w.check(os.MkdirAll(a.reviewDir(), 0o700))
	w.check(writeJSON(filepath.Join(a.reviewDir(), "done.json"), doneFile{doneFormat, done}))
}

// Marks belong to bytes: the publisher stages the same source again, and nothing has to be read twice; one
// line more, and that file is unread.
func TestMarksOutliveTheEvent(t *testing.T) {
	w := newShelf(t)
	first := w.offer("1.0.0", "", map[string]string{"a.go": "package a\n", "b.go": "package b\n"})
	w.markAll(w.reading(first, roomtest.Ana, ""), review.Read)
	again := w.offer("1.0.0", "", map[string]string{"b.go": "package b // more\n"})
	r := w.reading(again, roomtest.Ana, "")
	if v := r.Changes.Cover(r.Journal.Mark); v.ItemsDone != 1 || !slices.Equal(v.Unread, []string{"b.go"}) {
		t.Errorf("%+v", v)
	}
	if v := w.reading(again, roomtest.Ben, "").Changes; len(v.Items) != 2 || v.Cover(w.reading(again, roomtest.Ben, "").Journal.Mark).ItemsDone != 0 {
		t.Error("Ben has Ana's marks")
	}
}

func TestReviewRefusesFalseSources(t *testing.T) {
	w := newShelf(t)
	good := w.offer("1.0.0", "", map[string]string{"a.go": "package a\n"})
	m := w.Load(good).Manifest
	other := w.commit(map[string]string{"a.go": "package evil\n"})
	bundle := filepath.Join(t.TempDir(), "b")
	w.git("bundle", "create", "-q", bundle, "HEAD")
	tree := m.Source.Tree
	for name, c := range map[string]struct {
		commit, want string
		source       event.Content
	}{
		"other tree": {other, "event {id}: commit " + other + " has tree " + w.git("rev-parse", "HEAD^{tree}") + ", release.json says " + tree, event.FromFile(bundle)},
		"no commit":  {strings.Repeat("ab", 20), "event {id}: source.bundle does not hold commit " + strings.Repeat("ab", 20), event.FromFile(bundle)},
		"no bundle":  {strings.Repeat("ab", 20), "", event.Bytes([]byte("# v2 git bundle\nnonsense"))},
	} {
		m := m
		m.Source.Commit = c.commit
		files := roomtest.Files(m)
		files[event.FileSource] = c.source
		id, err := w.Room.Events.OpenRelease(t.Context(), m, files, w.Base(), 90, w.Opening())
		w.check(err)
		_, err = w.auditor(roomtest.Cleo).OpenReview(t.Context(), id, "")
		if c.want != "" {
			refused(t, err, id, c.want)
		} else if err == nil || !isRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dist := w.Room.Events
	entries, err := dist.List(t.Context())
	w.check(err)
	for _, e := range entries {
		if p := w.Load(e.ID); p.Event.Kind == event.KindDistribution {
			_, err := w.auditor(roomtest.Ana).OpenReview(t.Context(), e.ID, "")
			refused(t, err, e.ID, "event {id} is of kind distribution: there is no source to read")
		}
	}
}

// The whole change list of a release is what git and awk print, from the bundle in the event alone.
func TestChangeListFromTheBundle(t *testing.T) {
	w := newShelf(t)
	id := w.offer("1.0.0", "", map[string]string{"a.go": "package a\n", "dir/b": "b\n"})
	r := w.reading(id, roomtest.Ana, "")
	want := fmt.Sprintf("countersign changes 1\nbase 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nhead %s\n:000000 100644 %040d %s A\ta.go\n:000000 100644 %040d %s A\tdir/b\n",
		r.Proposal.Manifest.Source.Tree, 0, w.git("rev-parse", "HEAD:a.go"), 0, w.git("rev-parse", "HEAD:dir/b"))
	if got := string(r.Changes.Encode()); got != want || r.Changes.SHA256() != sha256.Sum256([]byte(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBrokenReviewMemoryIsAnError(t *testing.T) {
	w := newShelf(t)
	id := w.offer("1.0.0", "", map[string]string{"a.go": "package a\n"})
	a := w.auditor(roomtest.Ana)
	w.remember(roomtest.Ana)
	for _, text := range []string{"{", `{"format":"x","reviews":null}`, `{"format":"countersign-reviewed-1","reviews":[{"x":1}]}`} {
		w.check(os.WriteFile(filepath.Join(a.reviewDir(), "done.json"), []byte(text), 0o600))
		if _, err := a.OpenReview(t.Context(), id, ""); err == nil || !strings.Contains(err.Error(), "done.json: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := a.SendReview(t.Context(), id); err == nil || !strings.HasPrefix(err.Error(), "there is no signed review of event "+id.Short()) {
		t.Error(err)
	}
}

// A signed review is in the room for everybody, and is the base of the next one: the reviewer's own, and,
// when it was complete, everybody's.
func TestSignedReviews(t *testing.T) {
	w := newShelf(t)
	first := w.offer("1.0.0", "", map[string]string{"main.go": "package main\n", "x.go": "package main\n"})
	sign := func(member int, id event.ID, unread string) {
		t.Helper()
		r := w.reading(id, member, "")
		w.markAll(r, review.Read)
		if unread != "" {
			w.markAll(r, review.Unread, unread)
		}
		d, err := r.Draft(good())
		w.check(err)
		w.check(r.Sign(t.Context(), d))
	}
	sign(roomtest.Ana, first, "x.go")
	sign(roomtest.Ben, first, "")
	verdicts := map[string]string{}
	for _, s := range w.Load(first).Statements {
		if s.Review != nil {
			verdicts[s.By.Name] = fmt.Sprint(s.Review.Verdict, s.Review.Unread)
		}
	}
	if fmt.Sprint(verdicts) != "map[Ana Sousa:partial[x.go] Ben Weiss:pass[]]" {
		t.Errorf("%v", verdicts)
	}
	w.check(w.auditor(roomtest.Ana).SendReview(t.Context(), first)) // again: the same file
	w.ship(first)
	second := w.offer("1.1.0", "1.0.0", map[string]string{"x.go": "package main // 1.1\n"})
	for member, want := range map[int]string{roomtest.Ana: "your review of 2026-11-21 (partial)", roomtest.Ben: "your review of 2026-11-21 (pass)", roomtest.Cleo: "reviewed by Ben Weiss (Beta, DE)"} {
		if r := w.reading(second, member, ""); r.Base.Version != "1.0.0" || r.Base.Why != want || itemNames(r) != "M x.go" {
			t.Errorf("%d: %+v, %s", member, r.Base, itemNames(r))
		}
	}
	sign(roomtest.Cleo, second, "")
	s := w.Load(second).Statements[0].Review
	if s == nil || s.Base.Version != "1.0.0" || s.Base.Release != w.Load(first).ReleaseSHA256() || s.Base.Tree != w.Load(first).Manifest.Source.Tree {
		t.Errorf("%+v", s)
	}
}

// A room that cannot be written keeps nobody from signing: the review is kept, and handed in later.
func TestReviewThatDidNotReachTheRoom(t *testing.T) {
	w := newShelf(t)
	id := w.offer("1.0.0", "", map[string]string{"main.go": "package main\n"})
	r := w.reading(id, roomtest.Ana, "")
	w.markAll(r, review.Read)
	d, err := r.Draft(good())
	w.check(err)
	away := *r.a
	away.Store = deaf{away.Store}
	r.a = &away
	if err := r.Sign(t.Context(), d); err == nil || !strings.HasPrefix(err.Error(), "the review is signed and kept in ") {
		t.Fatal(err)
	}
	if n := len(w.Load(id).Statements); n != 0 {
		t.Fatalf("%d statements", n)
	}
	w.check(w.auditor(roomtest.Ana).SendReview(t.Context(), id))
	if list := w.Load(id).Statements; len(list) != 1 || list[0].Review == nil {
		t.Errorf("%+v", list)
	}
}

// The publisher's judge counts what is signed here: a release whose channel asks for two readers of every
// item is not published with one and a half, and is with two.
func TestReviewsCountForTheVerdict(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		absent(t, "git is not installed")
	}
	world := roomtest.New(t)
	world.Rule += "\nreviews = 2\ncriteria = [\"read-every-change\"]"
	world.Distribute()
	w := &workshop{room: &room{world, map[int]string{}, t.TempDir()}, repo: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}}
	w.git("init", "-q", "-b", "main", ".")
	id := w.offer("1.0.0", "", map[string]string{"a.go": "package a\n", "b.go": "package a\n\nconst b = 1\n"})
	w.Rebuild(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	w.SignAll(id, roomtest.Ana, roomtest.Ben, roomtest.Cleo)
	sign := func(member int, unread string) {
		t.Helper()
		r := w.reading(id, member, "")
		w.markAll(r, review.Read)
		if unread != "" {
			w.markAll(r, review.Unread, unread)
		}
		d, err := r.Draft(good())
		w.check(err)
		w.check(r.Sign(t.Context(), d))
	}
	publish := func() error {
		_, err := w.Room.Repository.Publish(t.Context(), w.Room.Events, id, w.Now)
		return err
	}
	sign(roomtest.Ana, "")
	sign(roomtest.Ben, "b.go")
	if err := publish(); err == nil || !strings.Contains(err.Error(), "b.go") {
		t.Fatalf("published although b.go was read by one: %v", err)
	}
	sign(roomtest.Cleo, "a.go")
	w.check(publish())
}
