package evidence

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

var program = []byte("the messenger")

// world is a repository with one release, three of five signed and rebuilt.
func world(t *testing.T) (*repotest.World, repotest.Made) {
	t.Helper()
	w := repotest.New(t, 5, 3)
	return w, w.Release("1.0.0", map[string][]byte{"linux-amd64/messenger": program})
}

func source(name string, files map[string][]byte) fetch.Source {
	fsys := fstest.MapFS{}
	for path, b := range files {
		fsys[path] = &fstest.MapFile{Data: b}
	}
	return fetch.Dir(fsys, name)
}

// with is the repository with other statements for the release.
func with(t *testing.T, w *repotest.World, m repotest.Made, statements ...[]byte) fetch.Source {
	t.Helper()
	files := w.Files()
	b, err := genuine.File{Statements: statements}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	files[Path(sha256.Sum256(m.Manifest))] = b
	return source("mirror", files)
}

func collect(t *testing.T, w *repotest.World, version string, sources ...fetch.Source) (genuine.Evidence, error) {
	t.Helper()
	set, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now)
	if err != nil {
		t.Fatal(err)
	}
	return Collect(t.Context(), anchor.Anchor{Root: w.Anchor(), Policy: w.Policy}, set, w.Metadata(), "stable", version, &fetch.Courier{Sources: sources})
}

func judge(w *repotest.World, ev genuine.Evidence) genuine.Verdict {
	return genuine.Judge(anchor.Anchor{Root: w.Anchor(), Policy: w.Policy}, ev, genuine.Subject{Channel: "stable", Program: "messenger", OS: "linux", Arch: "amd64",
		Length: int64(len(program)), SHA256: sha256.Sum256(program)}, genuine.Seen{}, w.Now)
}

func TestCollectIsEnoughForTheJudge(t *testing.T) {
	w, _ := world(t)
	ev, err := collect(t, w, "1.0.0", source("mirror", w.Files()))
	if err != nil {
		t.Fatal(err)
	}
	if v := judge(w, ev); v.Outcome != genuine.Genuine {
		t.Error(v.Text())
	}
	if _, err := collect(t, w, "9.9.9", source("mirror", w.Files())); !errors.Is(err, trust.ErrNoTarget) {
		t.Errorf("error %v, want no such target", err)
	}
}

// Each mirror withholds something; together they have what is needed.
func TestStatementsAreTheUnionOfTheMirrors(t *testing.T) {
	w, m := world(t)
	without := w.Files()
	delete(without, Path(sha256.Sum256(m.Manifest)))
	ev, err := collect(t, w, "1.0.0", source("none", without), with(t, w, m), with(t, w, m, m.Statements[0]), with(t, w, m, m.Statements[1], m.Statements[0]), with(t, w, m, m.Statements[2]))
	if err != nil {
		t.Fatal(err)
	}
	if v := judge(w, ev); v.Outcome != genuine.Genuine || len(ev.Statements) != 3 {
		t.Errorf("%d statements\n%s", len(ev.Statements), v.Text())
	}
}

// The judge reads only so many statements; noise must not push out the real ones.
func TestNoiseIsDropped(t *testing.T) {
	w, m := world(t)
	other := w.Release("0.9.0", map[string][]byte{"linux-amd64/messenger": program})
	var noise [][]byte
	for i := range genuine.MaxStatements - 30 { // by people nobody knows
		noise = append(noise, w.Bundle(w.People[0].Auditor, fmt.Appendf(nil, `{"n":%d}`, i)))
	}
	noise = append(noise, other.Statements...) // by auditors, about another release
	for range 10 {                             // one statement, signed again and again
		noise = append(noise, w.Statement(1, m, m.Artifacts))
	}
	noise = append(noise, []byte(`"junk"`), []byte(`null`), []byte(`{}`))
	spaced := []byte(strings.Replace(string(m.Statements[0]), ":", ": ", 1))
	ev, err := collect(t, w, "1.0.0", with(t, w, m, append(noise, spaced)...), with(t, w, m, m.Statements...))
	if err != nil {
		t.Fatal(err)
	}
	if len(ev.Statements) != 3 {
		t.Errorf("%d statements, want the three that count", len(ev.Statements))
	}
	if v := judge(w, ev); v.Outcome != genuine.Genuine {
		t.Error(v.Text())
	}
}

func TestNoStatementsAnywhereIsForTheJudgeToSay(t *testing.T) {
	w, m := world(t)
	files := w.Files()
	delete(files, Path(sha256.Sum256(m.Manifest)))
	ev, err := collect(t, w, "1.0.0", source("mirror", files))
	if err != nil || len(ev.Statements) != 0 {
		t.Fatalf("%d statements, %v", len(ev.Statements), err)
	}
	if r, _ := judge(w, ev).First(); r.Name != genuine.ReasonRebuilt || r.State != genuine.Failed {
		t.Errorf("first reason %s, want rebuilt failed", r)
	}
	// But where the only mirror with statements is broken, nobody can tell.
	files[Path(sha256.Sum256(m.Manifest))] = []byte("junk")
	_, err = collect(t, w, "1.0.0", source("mirror", files))
	if err == nil || !strings.Contains(err.Error(), "mirror: evidence: invalid character") {
		t.Errorf("error %v, want could not tell", err)
	}
}

func TestStatementsInHandAreKept(t *testing.T) {
	w, m := world(t)
	policy, err := genuine.ParsePolicy(w.Policy)
	if err != nil {
		t.Fatal(err)
	}
	old := []byte(`{"by":"somebody who left"}`)
	got, err := Gather(t.Context(), Wanted{Channel: "stable", Version: "1.0.0", Release: sha256.Sum256(m.Manifest), Policy: policy}, genuine.File{Statements: [][]byte{old, m.Statements[0]}},
		&fetch.Courier{Sources: []fetch.Source{source("mirror", w.Files())}})
	if err != nil || len(got.Statements) != 4 || !slices.ContainsFunc(got.Statements, func(b []byte) bool { return string(b) == string(old) }) {
		t.Errorf("%d statements, %v, want three and the old one", len(got.Statements), err)
	}
}

func TestFindAndVersions(t *testing.T) {
	w, _ := world(t)
	w.Release("1.10.0", map[string][]byte{"linux-amd64/messenger": []byte("new"), "linux-arm64/messenger": program})
	w.Release("1.9.0", map[string][]byte{"linux-amd64/messenger": []byte("newer")})
	c, err := client.Open(t.TempDir(), w.Anchor())
	if err != nil {
		t.Fatal(err)
	}
	set, md, err := RefreshAll(t.Context(), c, &fetch.Courier{Sources: []fetch.Source{source("mirror", w.Files())}}, w.Now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if channels, err := Channels(md.Targets); err != nil || !slices.Equal(channels, []string{"beta", "stable"}) || len(md.Delegated) != 2 {
		t.Errorf("channels %q, %v", channels, err)
	}
	if got := Versions(set, "stable"); !slices.Equal(got, []string{"1.0.0", "1.9.0", "1.10.0"}) {
		t.Errorf("versions %q", got)
	}
	got := Find(set, []string{"beta", "stable"}, int64(len(program)), sha256.Sum256(program))
	want := []Named{{"stable", "1.0.0", "stable/1.0.0/linux-amd64/messenger"}, {"stable", "1.10.0", "stable/1.10.0/linux-arm64/messenger"}}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}
