package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

type readCloser = io.ReadCloser

func TestSyncCopiesEverythingOnce(t *testing.T) {
	w, dir := world(t), filepath.Join(t.TempDir(), "mirror")
	r := sync(t, options(w, dir))
	wantMirror(t, dir, current(w))
	if r.Files != 7 || r.Kept != 0 || r.Evidence != 1 || !r.Changed || len(r.Foreign)+len(r.Warnings) != 0 {
		t.Errorf("first sync: %+v", r)
	}
	r = sync(t, options(w, dir))
	if r.Files != 0 || r.Kept != 7 || r.Evidence != 0 || r.Changed {
		t.Errorf("second sync: %+v, want nothing to do", r)
	}
	old := current(w)
	w.Release("1.1.0", programs("1.1.0"))
	r = sync(t, options(w, dir))
	if r.Files != 5 || r.Kept != 7 || !r.Changed {
		t.Errorf("third sync: %+v, want the five files of the release", r)
	}
	// Older metadata stays, for those who are in the middle of a refresh.
	maps.Copy(old, current(w))
	wantMirror(t, dir, old)
}

// A device must be able to use the mirror at any moment, whatever the sync was doing when it stopped.
func TestWhateverBreaksTheOldContentIsServed(t *testing.T) {
	w := world(t)
	before, start := current(w), source("origin", w.Files())
	w.Now = w.Now.Add(time.Hour)
	w.Release("1.1.0", programs("1.1.0"))
	after, broken := current(w), 0
	for _, name := range keysOf(after) {
		if string(before[name]) == string(after[name]) || strings.HasPrefix(name, "evidence/") {
			continue // not asked for; or a warning only, tested elsewhere
		}
		broken++
		dir := t.TempDir()
		sync(t, options(w, dir, start))
		away := lying{source("origin", after), func(path string) fetch.Source {
			if path == name {
				return deadSource{}
			}
			return nil
		}}
		if _, err := Sync(t.Context(), options(w, dir, away)); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("without %s: error %v, want one that names it", name, err)
		}
		got := listing(t, dir)
		for old, b := range before {
			if got[old] != string(b) {
				t.Errorf("without %s: %s is not what it was", name, old)
			}
		}
		for new := range got {
			if _, was := before[new]; !was && strings.HasPrefix(new, "metadata/") {
				t.Errorf("without %s: %s is visible", name, new)
			}
		}
		sync(t, options(w, dir, source("origin", after)))
		both := maps.Clone(before)
		maps.Copy(both, after)
		wantMirror(t, dir, both)
	}
	if broken != 8 {
		t.Errorf("%d files were withheld, want the five targets, stable, snapshot and timestamp", broken)
	}
}

type deadSource struct{}

func (deadSource) String() string { return "dead" }
func (deadSource) Open(context.Context, string, int64) (readCloser, int64, int64, error) {
	return nil, 0, 0, errors.New("connection refused")
}

// recorder notes what was on the disk whenever something was fetched.
type recorder struct {
	fetch.Source
	seen func(path string)
}

func (r recorder) Open(ctx context.Context, path string, offset int64) (readCloser, int64, int64, error) {
	r.seen(path)
	return r.Source.Open(ctx, path, offset)
}

func TestMetadataBecomesVisibleLast(t *testing.T) {
	w, dir := world(t), t.TempDir()
	var fetched []string
	src := recorder{source("origin", w.Files()), func(path string) {
		fetched = append(fetched, path)
		if names := listing(t, dir); names["metadata/timestamp.json"] != "" {
			t.Errorf("timestamp.json is there while %s is being fetched", path)
		}
	}}
	sync(t, options(w, dir, src))
	if len(fetched) < 10 {
		t.Errorf("fetched %q only", fetched)
	}
}

func TestInterruptedFileIsContinued(t *testing.T) {
	w, dir := world(t), t.TempDir()
	var big string
	for name, b := range w.Files() {
		if len(b) > 100_000 {
			big = name
		}
	}
	half := lying{source("origin", w.Files()), func(path string) fetch.Source {
		if path == big {
			return source("half", map[string][]byte{big: w.Files()[big][:70_000]})
		}
		return nil
	}}
	// The source says it is shorter, so nothing of it is taken; a broken connection is what leaves a part.
	if _, err := Sync(t.Context(), options(w, dir, half)); err == nil || !strings.Contains(err.Error(), "70000 bytes, want ") {
		t.Fatalf("error %v", err)
	}
	cutting := lying{source("origin", w.Files()), func(path string) fetch.Source {
		if path == big {
			return cutSource{w.Files()[big][:70_000], int64(len(w.Files()[big]))}
		}
		return nil
	}}
	if _, err := Sync(t.Context(), options(w, dir, cutting)); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Fatalf("error %v", err)
	}
	var resumed int64
	o := options(w, dir)
	o.Courier.Report = func(e fetch.Event) {
		if e.Kind == fetch.Resumed {
			resumed = e.Done
		}
	}
	sync(t, o)
	if resumed != 70_000 {
		t.Errorf("resumed at %d, want 70000", resumed)
	}
	wantMirror(t, dir, current(w))
	if left, _ := os.ReadDir(filepath.Join(dir, stateDir, "partial")); len(left) != 0 {
		t.Errorf("partial downloads are left: %v", left)
	}
}

// cutSource breaks off after its bytes.
type cutSource struct {
	b    []byte
	size int64
}

func (cutSource) String() string { return "cut" }
func (c cutSource) Open(context.Context, string, int64) (readCloser, int64, int64, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(c.b), eof{})), c.size, 0, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestLiesAreNotStored(t *testing.T) {
	w := world(t)
	for _, name := range keysOf(current(w)) {
		if strings.HasPrefix(name, "evidence/") || name == "metadata/1.root.json" {
			continue // not signed as a whole; the anchor is not fetched
		}
		dir := t.TempDir()
		flipped := bytes.Clone(w.Files()[name])
		flipped[len(flipped)/2] ^= 1
		liar := lying{source("liar", w.Files()), func(path string) fetch.Source {
			if path == name {
				return source("liar", map[string][]byte{name: flipped})
			}
			return nil
		}}
		if _, err := Sync(t.Context(), options(w, dir, liar)); err == nil {
			t.Errorf("%s changed: no error", name)
		}
		for got, content := range listing(t, dir) {
			if content == string(flipped) {
				t.Errorf("the changed %s is stored as %s", name, got)
			}
		}
		// With an honest source behind it, it does not matter.
		sync(t, options(w, dir, liar, source("honest", w.Files())))
		wantMirror(t, dir, current(w))
	}
}

func TestForeignDirectoryIsNotTouched(t *testing.T) {
	w, dir := world(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "diary.txt"), []byte("dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Sync(t.Context(), options(w, dir))
	var notOurs *NotOursError
	if want := dir + ` is not empty and not a mirror: it holds "diary.txt"; nothing was changed`; !errors.As(err, &notOurs) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("directory now holds %v", entries)
	}
}

func TestForeignFilesInAMirror(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	put := func(name, content string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Hour) // the file system's own clock may not have moved since the sync
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	foreign := []string{"README", "metadata/99.snapshot.json", "metadata/backup/timestamp.json", "targets/stable/1.0.0/extra"}
	for _, name := range foreign {
		put(name, "mine")
	}
	// In the place of files that a release names: one of the same length, one shorter, and metadata.
	var same, shorter string
	for name, b := range w.Files() {
		switch {
		case strings.HasSuffix(name, "linux-amd64.tar"):
			same = name
			put(name, strings.Repeat("x", len(b)))
		case strings.HasSuffix(name, ".messengerd"):
			shorter = name
			put(name, "x")
		}
	}
	put("metadata/1.targets.json", "x")
	r := sync(t, options(w, dir))
	if !reflect.DeepEqual(r.Foreign, foreign) {
		t.Errorf("foreign files %q, want %q", r.Foreign, foreign)
	}
	if r.Files != 2 {
		t.Errorf("%d files replaced, want %s and %s", r.Files, same, shorter)
	}
	wantMirror(t, dir, current(w), foreign...)
}

// Somebody changes bytes and sets size and time back: only --recheck reads everything again.
func TestRecheckFindsSilentDamage(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	for name, b := range w.Files() {
		if !strings.HasSuffix(name, ".messengerd") {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(path, bytes.Repeat([]byte("x"), len(b)), 0o644)
		os.Chtimes(path, info.ModTime(), info.ModTime())
	}
	o := options(w, dir)
	o.Recheck = true
	if r := sync(t, o); r.Files != 1 {
		t.Errorf("%d files replaced, want one", r.Files)
	}
	wantMirror(t, dir, current(w))
}

func TestTwoSyncsAtOnce(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	unlock, err := durable.Lock(filepath.Join(dir, stateDir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Sync(t.Context(), options(w, dir)); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("error %v, want locked", err)
	}
}

// The union of statements is kept: a source that withholds some, adds noise or has lost them all takes
// nothing away.
func TestStatementsAreJoined(t *testing.T) {
	w, dir := world(t), t.TempDir()
	made := w.Made("stable", "1.0.0")
	name := repotest.EvidencePath(made.Manifest)
	with := func(statements ...[]byte) fetch.Source {
		files := w.Files()
		b, err := genuine.File{Statements: statements}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
		return source("some", files)
	}
	stranger := repotest.NewWith(t, repotest.Config{Place: nil}).Bundle(w.People[0].Auditor, []byte(`{}`)) // a key that makes no statements
	count := func() int {
		f, err := genuine.ParseFile([]byte(listing(t, dir)[name]))
		if err != nil {
			t.Fatal(err)
		}
		return len(f.Statements)
	}
	sync(t, options(w, dir, with(made.Statements[0], stranger)))
	if n := count(); n != 1 {
		t.Errorf("%d statements, want one and no noise", n)
	}
	sync(t, options(w, dir, with(made.Statements[1]), with(made.Statements[2])))
	if n := count(); n != 3 {
		t.Errorf("%d statements, want the union of three", n)
	}
	empty := w.Files()
	delete(empty, name)
	if r := sync(t, options(w, dir, source("empty", empty))); r.Changed || len(r.Warnings) != 0 {
		t.Errorf("%+v, want nothing changed", r)
	}
	junk := w.Files()
	junk[name] = []byte(`{"format":"countersign-evidence-2","statements":[{}]}`)
	sync(t, options(w, dir, source("junk", junk)))
	if n := count(); n != 3 {
		t.Errorf("%d statements, want still three", n)
	}
}

func TestSourceWithoutStatementsIsAWarning(t *testing.T) {
	w, dir := world(t), t.TempDir()
	files := w.Files()
	delete(files, repotest.EvidencePath(w.Made("stable", "1.0.0").Manifest))
	r := sync(t, options(w, dir, source("origin", files)))
	if want := []string{"statements for stable 1.0.0: nobody has any"}; !reflect.DeepEqual(r.Warnings, want) {
		t.Errorf("warnings %q, want %q", r.Warnings, want)
	}
}

func TestRootRotation(t *testing.T) {
	w, dir := world(t), t.TempDir()
	sync(t, options(w, dir))
	first := current(w)
	w.PublishRoot(w.Layout)
	w.PublishRoot(w.Layout)
	w.RefreshTimestamp()
	sync(t, options(w, dir))
	maps.Copy(first, current(w))
	wantMirror(t, dir, first)
	// A mirror that starts from root 3 has the older roots too, for programs that start from root 1.
	late := options(w, t.TempDir())
	late.Anchor.Root = w.Role("root")
	sync(t, late)
	wantMirror(t, late.Dir, current(w))
	// A made-up root 2 that does not lead to root 3 is not stored.
	files := w.Files()
	files["metadata/2.root.json"] = repotest.New(t, 3, 2).Anchor()
	fake := options(w, t.TempDir(), source("fake", files))
	fake.Anchor.Root = w.Role("root")
	r := sync(t, fake)
	if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "older roots: metadata/2.root.json: fake: ") {
		t.Errorf("warnings %q", r.Warnings)
	}
	if _, ok := listing(t, fake.Dir)["metadata/2.root.json"]; ok {
		t.Error("the made-up root is stored")
	}
}

func TestOldRepositoryIsRefused(t *testing.T) {
	w, dir := world(t), t.TempDir()
	old := source("old", w.Files())
	w.Release("1.1.0", programs("1.1.0"))
	sync(t, options(w, dir))
	_, err := Sync(t.Context(), options(w, dir, old))
	var refused interface{ Refused() bool }
	if !errors.As(err, &refused) || err.Error() != "timestamp: version 2 offered, but version 3 was seen before" {
		t.Errorf("error %v, want a rollback refused", err)
	}
}

func TestResultIsJSON(t *testing.T) {
	w := world(t)
	b, err := json.Marshal(sync(t, options(w, t.TempDir())))
	if err != nil || !bytes.Contains(b, []byte(`"foreign":[]`)) {
		t.Errorf("%s, %v", b, err)
	}
}
