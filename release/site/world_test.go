package site_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/release/site"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

func programs(version string) map[string][]byte {
	return map[string][]byte{
		"linux-amd64/messenger":                       []byte("messenger " + version),
		"linux-amd64/messengerd":                      []byte("messengerd " + version),
		"windows-amd64/messenger.exe":                 []byte("messenger for windows " + version),
		"countersign-" + version + "-linux-amd64.tar": []byte("archive " + version),
	}
}

// world has two releases: one everybody agrees on, and one that a fourth auditor rebuilt otherwise.
func world(t *testing.T) *repotest.World {
	t.Helper()
	w := repotest.New(t, 5, 3)
	w.Release("1.0.0", programs("1.0.0"))
	w.Now = w.Now.Add(24 * time.Hour)
	w.Publish(repotest.Release{Version: "1.1.0", Artifacts: programs("1.1.0"), Otherwise: []int{3}, Notes: "Faster start.\nSmaller downloads."})
	return w
}

func repository(w *repotest.World) fstest.MapFS {
	fsys := fstest.MapFS{}
	for path, b := range w.Files() {
		fsys[path] = &fstest.MapFile{Data: b}
	}
	return fsys
}

// gather reads a repository as a stranger does, at this time by the clock.
func gather(t *testing.T, w *repotest.World, files fstest.MapFS, now time.Time) record.Record {
	t.Helper()
	courier := &fetch.Courier{Sources: []fetch.Source{fetch.Dir(files, "repository")}}
	c, err := client.Open(t.TempDir(), w.Anchor())
	if err != nil {
		t.Fatal(err)
	}
	set, md, err := evidence.RefreshAll(t.Context(), c, courier, now)
	if set == nil {
		t.Fatal(err)
	}
	r, gerr := record.Gather(t.Context(), record.Source{Anchor: anchor.Anchor{Root: w.Anchor(), Policy: w.Policy}, Set: set, Metadata: md, Broken: err, Courier: courier}, time.Time{})
	if gerr != nil {
		t.Fatal(gerr)
	}
	return r
}

// full is a record with something of every kind in it, all texts being text.
func full(t *testing.T, text string) record.Record {
	t.Helper()
	w := world(t)
	r := gather(t, w, repository(w), w.Now)
	who := func(i int) genuine.Person { return r.People[i].Person }
	r.Missing = []string{text}
	r.Name, r.Mirrors = text, []string{"https://mirror.example/", text}
	rel := &r.Channels[0].Releases[0]
	rel.Manifest.Notes, rel.Rebuilds[0].Builder, rel.Rebuilds[0].Bootstrap, rel.Reasons[0].Text = text, text, text, text
	rel.Inconclusive = []record.Inconclusive{{Person: who(4), Finished: r.At, Reason: text, Builder: text}}
	review := record.Review{Person: who(0), Finished: r.At, Base: "1.0.0", Verdict: "partial", Notes: text, Criteria: []string{"read-every-change"},
		Unread: []string{text}, Generated: []string{text}, Mechanical: []string{text}, Tools: text, Independence: text}
	failed := review
	failed.Person, failed.Verdict, failed.Base = who(1), "fail", ""
	rel.Reviews = []record.Review{review, failed}
	old := &r.Channels[0].Releases[1]
	old.Withdrawals = []record.Withdrawal{
		{Person: who(1), At: r.At, State: "withdrawn", Reason: text, Latest: true},
		{Person: who(2), At: r.At, State: "withdrawn", Reason: text},
		{Person: who(2), At: r.At, State: "reinstated", Reason: text, Latest: true},
	}
	r.Log = &record.Log{Origin: text, Size: 12, Root: strings.Repeat("ab", 32), Problem: text, Witnesses: []record.Witness{{Name: text, Key: "ana+a3cf2e11+AZk0", Time: r.At}, {Name: "bernd", Key: "bernd+a3cf2e11+AZk0"}}}
	r.People[0].Name, r.People[0].Organisation = text, text
	return r
}

func render(t *testing.T, r record.Record, l site.Links) map[string][]byte {
	t.Helper()
	files, err := site.Render(r, l)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
