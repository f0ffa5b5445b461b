package repo_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// lines prints a difference as people see it.
func lines(t *testing.T, old, new []byte) []string {
	t.Helper()
	changes, err := repo.Diff(old, new)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, c := range changes {
		out = append(out, c.String())
	}
	return out
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDiffOfARelease(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("m")})
	before, snapshot := w.Role("stable"), w.Role("snapshot")
	w.Now = w.Now.Add(time.Hour)
	m := w.Release("1.5.0", map[string][]byte{"linux-amd64/messenger": []byte("m")})
	got := lines(t, before, w.Role("stable"))
	if len(got) != 6 {
		t.Fatalf("%d changes: %q", len(got), got)
	}
	wantLines(t, got[:5],
		"version: 2 → 3",
		"made: 2026-11-21T12:00:00Z → 2026-11-21T13:00:00Z",
		"expires: 2027-02-19T12:00:00Z → 2027-02-19T13:00:00Z",
		"event: "+repotest.EventID("stable 1.4.0")+" → "+m.Event,
		"target stable/1.5.0/linux-amd64/messenger: new: 1 bytes, sha256 62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a")
	if !strings.HasPrefix(got[5], "target stable/1.5.0/release.json: new: ") {
		t.Error(got[5])
	}
	wantLines(t, lines(t, w.Role("stable"), w.Role("stable")))
	if got := lines(t, snapshot, w.Role("snapshot")); len(got) != 4 || !strings.HasPrefix(got[3], "pinned stable.json: version 2, ") || !strings.Contains(got[3], " → version 3, ") {
		t.Errorf("snapshot: %q", got)
	}
}

func TestDiffOfKeys(t *testing.T) {
	w := repotest.New(t, 5, 3)
	old := w.Role("targets")
	l := clone(w.Layout)
	stable := &l.Channels[1]
	stable.Quorum = 2
	was, fresh := repo.Fingerprint(stable.Holders[0].Public), freshKey(t)
	stable.Holders[0].Public = fresh
	elena := repo.Fingerprint(stable.Holders[4].Public)
	stable.Holders = stable.Holders[:4]
	info, err := repo.Inspect(old)
	if err != nil {
		t.Fatal(err)
	}
	next, err := repo.Targets(l, info.Files, repo.Stamp{Version: 1, Made: info.Made, Expires: info.Expires, Event: info.Event})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, lines(t, old, next),
		"quorum stable: 3 → 2",
		"key Ana Sousa (Tejo Labs, PT) in stable: "+was+" → "+repo.Fingerprint(fresh),
		"key Elena Prado (Rio Aberto, BR) in stable: removed: "+elena)

	l.Channels = l.Channels[1:]
	fewer, err := repo.Targets(l, info.Files, repo.Stamp{Version: 1, Made: info.Made, Expires: info.Expires, Event: info.Event})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(lines(t, next, fewer), "\n")
	for _, want := range []string{"role beta: removed: 1 of 5 keys", "key Ana Sousa (Tejo Labs, PT) in beta: removed: " + was, `other delegations.roles.beta.paths.0: removed: "beta/*/*"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %s", got, want)
		}
	}
}

func TestDiffFromNothing(t *testing.T) {
	w := repotest.New(t, 3, 2)
	got := lines(t, nil, w.Role("root"))
	if len(got) != 4+4+8 || got[0] != "version: new: 1" || got[4] != "role root: new: 2 of 3 keys" {
		t.Errorf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	if _, err := repo.Diff(w.Role("root"), w.Role("targets")); err == nil || err.Error() != "targets: cannot be compared with root" {
		t.Error(err)
	}
}

// Whatever is added to or changed in "signed", Diff says something.
func TestNothingHidesFromDiff(t *testing.T) {
	w := repotest.New(t, 3, 2)
	w.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("m")})
	for _, role := range []string{"root", "targets", "stable", "snapshot", "timestamp"} {
		good := w.Role(role)
		var doc map[string]any
		if err := json.Unmarshal(good, &doc); err != nil {
			t.Fatal(err)
		}
		tried := 0
		walk(doc["signed"], func() {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			if err := enc.Encode(doc); err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(b.Bytes(), good) {
				return
			}
			changes, err := repo.Diff(good, b.Bytes())
			if err == nil {
				tried++
				if len(changes) == 0 {
					t.Errorf("%s: no change seen in edit %d", role, tried)
				}
			}
		})
		if tried < 5 {
			t.Errorf("%s: only %d edits were readable", role, tried)
		}
	}
}

// walk makes one edit after another somewhere in v, calls f, and takes it back.
func walk(v any, f func()) {
	switch v := v.(type) {
	case map[string]any:
		for _, extra := range []any{"", "x", 7, false, nil, map[string]any{}, []any{}} {
			v["zz"] = extra
			f()
			delete(v, "zz")
		}
		for k, child := range v {
			for _, other := range edits(child) {
				v[k] = other
				f()
			}
			delete(v, k)
			f()
			v[k] = child
			walk(child, f)
		}
	case []any:
		for i, child := range v {
			for _, other := range edits(child) {
				v[i] = other
				f()
			}
			v[i] = child
			walk(child, f)
		}
	}
}

func edits(v any) []any {
	switch v := v.(type) {
	case string:
		return []any{v + "x", "", strings.ToUpper(v)}
	case float64:
		return []any{v + 1, v - 1, 0.0}
	case bool:
		return []any{!v}
	case []any:
		return []any{append(append([]any{}, v...), "x"), v[:len(v)-1]}
	}
	return nil
}
