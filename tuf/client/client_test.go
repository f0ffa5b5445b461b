package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

// TestRequests holds the cost of a check: what a standard client asks for, and
// nothing else.
func TestRequests(t *testing.T) {
	s := newStory(t)
	check := func(what string, limit int, want ...string) {
		t.Helper()
		s.mustRefresh()
		if !slices.Equal(s.mirror.asked, want) {
			t.Fatalf("%s: asked for %q, want %q", what, s.mirror.asked, want)
		}
		if s.mirror.bytes > limit {
			t.Fatalf("%s: %d bytes, want at most %d", what, s.mirror.bytes, limit)
		}
		t.Logf("%s: %d requests, %d bytes", what, len(s.mirror.asked), s.mirror.bytes)
	}
	check("cold", 10_000, "2.root", "timestamp", "2.snapshot", "1.targets", "2.stable", "1.beta")
	check("warm", 1_000, "2.root", "timestamp")
	s.w.RefreshTimestamp()
	check("new timestamp", 1_000, "2.root", "timestamp")
	s.release("stable")
	check("new release", 5_000, "2.root", "timestamp", "3.snapshot", "3.stable")
	s.tell("root")
	check("new root", 10_000, "2.root", "3.root", "timestamp")
}

// TestFilesOnDisk: unversioned names, the bytes that were served.
func TestFilesOnDisk(t *testing.T) {
	s := newStory(t)
	s.tell("root")
	s.mirror.files = s.w.Files()
	c, err := Open(s.dir, s.anchor) // the real disk, for once
	if err != nil {
		t.Fatal(err)
	}
	set, files, err := c.Refresh(context.Background(), s.mirror, s.now, "stable", "beta")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"root.json": s.w.Role("root"), "timestamp.json": files.Timestamp, "snapshot.json": files.Snapshot,
		"targets.json": files.Targets, "stable.json": s.w.Role("stable"), "beta.json": files.Delegated["beta"], "roots/2.root.json": files.Roots[0]} {
		if got, err := os.ReadFile(s.path(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, or not the bytes served", name, err)
		}
	}
	if _, err := trust.Verify(s.anchor, files, s.now); err != nil {
		t.Fatalf("the metadata returned does not verify from the anchor: %v", err)
	}
	if r, _ := set.Role("stable"); len(r.Signers) != 3 {
		t.Fatalf("signers %v", r.Signers)
	}
}

// TestCapsReachTheCourier: before length is known the role's cap, afterwards
// the very length.
func TestCapsReachTheCourier(t *testing.T) {
	s := newStory(t)
	s.mirror.caps = map[string]int64{}
	s.mustRefresh()
	want := map[string]int64{"metadata/2.root.json": 512_000, "metadata/timestamp.json": 16_384}
	for path, role := range map[string]string{"metadata/2.snapshot.json": "snapshot", "metadata/1.targets.json": "targets",
		"metadata/2.stable.json": "stable", "metadata/1.beta.json": "beta"} {
		want[path] = int64(len(s.w.Role(role)))
	}
	if !maps.Equal(s.mirror.caps, want) {
		t.Fatalf("caps %v, want %v", s.mirror.caps, want)
	}
}

// TestBadChannel: one channel without its quorum is told of; the others and the
// top level stay usable, and the last good file stays on disk.
func TestBadChannel(t *testing.T) {
	s := newStory(t)
	s.mustRefresh()
	good := s.w.Role("stable")
	s.release("stable", 0, 4)
	s.release("beta", 0)
	set, files, err := s.refresh()
	var q *trust.QuorumError
	if !errors.As(err, &q) || q.Role != "stable" || len(q.Signers) != 2 || q.Need != 3 {
		t.Fatalf("%v", err)
	}
	if set == nil || files.Delegated["stable"] != nil || files.Delegated["beta"] == nil {
		t.Fatal("the other roles are not usable")
	}
	if _, ok := set.Role("stable"); ok {
		t.Fatal("the bad channel is in the set")
	}
	if r, _ := set.Role("beta"); r.Version != 2 {
		t.Fatalf("beta %+v", r)
	}
	if b, _ := os.ReadFile(s.path("stable.json")); !bytes.Equal(b, good) {
		t.Fatal("the last good stable.json is gone")
	}
	if n := s.open().Seen(); n.Channels["stable"] != 2 {
		t.Fatalf("seen %+v", n)
	}
	if set, _, err := s.open().Load(s.now, "stable", "beta"); err != nil {
		t.Fatalf("offline: %v", err)
	} else if r, _ := set.Role("stable"); r.Version != 2 {
		t.Fatalf("offline: %+v", r)
	}
	if _, _, err := s.open().Refresh(context.Background(), s.mirror, s.now, "nightly"); err == nil || err.Error() != "nightly: delegation is none, want one by targets" {
		t.Fatalf("a channel nobody delegates: %v", err)
	}
}

// TestDamagedFiles: whatever is wrong with a local copy, it counts as absent.
func TestDamagedFiles(t *testing.T) {
	junk := map[string][]byte{"empty": {}, "null": []byte("null"), "cut": nil, "flipped": nil, "huge": bytes.Repeat([]byte(" "), 6_000_000),
		"null target": []byte(`{"signed":{"_type":"targets","targets":{"x":null}},"signatures":[]}`), "directory": nil}
	told := newStory(t)
	told.mustRefresh()
	for _, name := range []string{"root.json", "timestamp.json", "snapshot.json", "targets.json", "stable.json", "device/seen.json", "device/last.json"} {
		for kind, b := range junk {
			s := told.fork()
			s.mirror.files = s.w.Files()
			was, err := os.ReadFile(s.path(name))
			if err != nil {
				t.Fatal(err)
			}
			switch kind {
			case "cut":
				b = was[:len(was)/2]
			case "flipped":
				b = bytes.Clone(was)
				b[len(b)/2] ^= 1
			}
			if kind == "directory" {
				err = errors.Join(os.Remove(s.path(name)), os.Mkdir(s.path(name), 0o700))
			} else {
				err = os.WriteFile(s.path(name), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := open(s.dir, s.anchor, trust.Strict, quickDisk{})
			if kind == "directory" { // never ours to remove; but no crash
				continue
			}
			if err != nil {
				t.Errorf("%s %s: open: %v", name, kind, err)
				continue
			}
			if _, _, err := c.Refresh(context.Background(), s.mirror, s.now, "stable", "beta"); err != nil {
				t.Errorf("%s %s: %v", name, kind, err)
			}
			if got, _ := os.ReadFile(s.path(name)); name != "device/last.json" && !bytes.Equal(got, was) {
				t.Errorf("%s %s: not repaired", name, kind)
			}
		}
	}
}

// TestDamagedHistory is an error with advice, and following the advice helps.
func TestDamagedHistory(t *testing.T) {
	s := newStory(t)
	s.tell("root root ok")
	b, err := os.ReadFile(s.path("roots/2.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("roots/2.root.json"), b[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(s.dir, s.anchor)
	want := fmt.Sprintf("root history: %s: root: not one JSON value; to fetch it again from mirrors, remove the directory %s",
		s.path("roots/2.root.json"), s.path("roots"))
	if err == nil || err.Error() != want {
		t.Fatalf("%v, want %s", err, want)
	}
	var refused interface{ Refused() bool }
	if errors.As(err, &refused) {
		t.Fatal("a damaged disk counts as a refusal")
	}
	s.tell("forget:roots ok seen=3/2/2/1/2")
}

// TestPlantedHistory: a root of other people's making does not become trusted
// by lying in the history.
func TestPlantedHistory(t *testing.T) {
	s := newStory(t)
	s.mustRefresh()
	other := newStory(t)
	other.w.People[0].Name = "Somebody Else"
	other.tell("rotate:snapshot")
	forged := bytes.Replace(other.w.Role("root"), []byte("Example Project"), []byte("Elsewhere Inc. "), 1)
	if err := os.WriteFile(s.path("roots/2.root.json"), forged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir, s.anchor); err == nil || !strings.Contains(err.Error(), "root history") {
		t.Fatalf("a planted root: %v", err)
	}
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	s := newStory(t)
	c := s.open()
	unlock, err := durable.Lock(s.path("lock"))
	if err != nil {
		t.Fatal(err)
	}
	s.mirror.files = s.w.Files()
	synctest.Test(t, func(t *testing.T) { // it tries for a while
		if _, _, err := c.Refresh(t.Context(), s.mirror, s.now); !errors.Is(err, durable.ErrLocked) {
			t.Fatalf("%v", err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, _, err := c.Refresh(ctx, s.mirror, s.now); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
	})
	if _, err := Open(s.dir, s.anchor); err != nil {
		t.Fatalf("reading is allowed: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	s.mustRefresh()
}

// TestRefreshWhileAnotherProcessTidies: who only opens the directory to look has the lock for a moment, and no refresh fails of it.
func TestRefreshWhileAnotherProcessTidies(t *testing.T) {
	s := newStory(t)
	c := s.open()
	s.mirror.files = s.w.Files()
	unlock, err := durable.Lock(s.path("lock"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Second, func() {
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
		if _, _, err := c.Refresh(t.Context(), s.mirror, s.now, "stable"); err != nil {
			t.Error(err)
		}
	})
}

// TestTwoClientsOfOneDirectory: each takes up what the other has brought.
func TestTwoClientsOfOneDirectory(t *testing.T) {
	s := newStory(t)
	one, two := s.open(), s.open()
	s.tell("root release")
	s.mirror.files = s.w.Files()
	if _, _, err := one.Refresh(context.Background(), s.mirror, s.now, "stable"); err != nil {
		t.Fatal(err)
	}
	s.mirror.asked = nil
	set, _, err := two.Refresh(context.Background(), s.mirror, s.now, "stable")
	if err != nil || !slices.Equal(s.mirror.asked, []string{"3.root", "timestamp"}) {
		t.Fatalf("%v, asked %q", err, s.mirror.asked)
	}
	if r, _ := set.Role("stable"); r.Version != 3 {
		t.Fatalf("%+v", r)
	}
}

func TestLoad(t *testing.T) {
	s := newStory(t)
	if _, _, err := s.open().Load(s.now, "stable"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before anything was fetched: %v", err)
	}
	s.mustRefresh()
	set, files, err := s.open().Load(s.now, "stable")
	if err != nil || files.Delegated["stable"] == nil {
		t.Fatal(err)
	}
	if r, _ := set.Role("stable"); r.Version != 2 {
		t.Fatalf("%+v", r)
	}
	var expired *trust.ExpiredError
	if _, _, err := s.open().Load(s.now.AddDate(0, 0, 2), "stable"); !errors.As(err, &expired) || expired.Role != "timestamp" {
		t.Fatalf("two days later: %v", err)
	}
	if _, _, err := s.open().Load(time.Time{}, "stable"); err != nil {
		t.Fatalf("without a time: %v", err)
	}
	// A refresh cut short leaves a newer timestamp above an older snapshot.
	s.tell("release lose:metadata/3.snapshot.json no=file_does_not_exist")
	set, _, err = s.open().Load(s.now, "stable", "beta")
	if err != nil {
		t.Fatalf("after a refresh cut short: %v", err)
	}
	if r, _ := set.Role("timestamp"); r.Version != 2 {
		t.Fatalf("%+v", r)
	}
}

// TestManyRoots: one refresh follows at most 256, the next goes on.
func TestManyRoots(t *testing.T) {
	if testing.Short() {
		t.Skip("signs 258 roots")
	}
	s := newStory(t)
	for range trust.MaxRootSteps + 2 {
		s.tell("root")
	}
	s.tell("ok seen=257/2/2/1/2 ok seen=259/2/2/1/2")
}

// TestAuditorsReplaced: exchanging one of five keeps the memory of what they
// signed; only when nobody is left does it start again.
func TestAuditorsReplaced(t *testing.T) {
	s := newStory(t)
	s.mustRefresh()
	r, _ := s.mustRefresh().Role("targets")
	m := s.open().seen
	if m.changed("targets", r.Authorised) || !m.changed("targets", r.Authorised[1:]) {
		t.Fatal("changed")
	}
	if m.replaced("targets", r.Authorised[4:]) || !m.replaced("targets", nil) || m.replaced("nightly", nil) {
		t.Fatal("replaced")
	}
}

// TestLyingMirrors: one mirror of two has every fault for every file; the
// refresh ends with the right bytes all the same.
func TestLyingMirrors(t *testing.T) {
	told := newStory(t)
	told.mustRefresh()
	told.w.RefreshTimestamp() // a mirror that shows what we have is no liar, only late
	before := map[string][]byte{}
	for _, role := range []string{"root", "timestamp", "snapshot", "targets", "stable", "beta"} {
		before[role] = told.w.Role(role)
	}
	told.tell("ts ok root targets release beta")
	honest := told.w.Files()
	for _, file := range []string{"2.root", "timestamp", "5.snapshot", "2.targets", "3.stable", "2.beta"} {
		for fault, lie := range map[string]func(b, old []byte) []byte{
			"missing": nil,
			"null":    func(_, _ []byte) []byte { return []byte("null") },
			"cut":     func(b, _ []byte) []byte { return b[:len(b)/2] },
			"longer":  func(b, _ []byte) []byte { return append(bytes.Clone(b), bytes.Repeat([]byte(" "), 600_000)...) },
			"flipped": func(b, _ []byte) []byte {
				b = bytes.Clone(b)
				b[len(b)/3] ^= 2
				return b
			},
			"older": func(_, old []byte) []byte { return old },
			"null target": func(_, _ []byte) []byte {
				return []byte(`{"signed":{"_type":"targets","version":1,"targets":{"x":null}},"signatures":[]}`)
			},
		} {
			s := told.fork()
			name := "metadata/" + file + ".json"
			if honest[name] == nil {
				t.Fatalf("no such file: %s", name)
			}
			lying := maps.Clone(honest)
			delete(lying, name)
			if lie != nil {
				lying[name] = lie(honest[name], before[file[strings.LastIndex(file, ".")+1:]])
			}
			courier := &fetch.Courier{Sources: []fetch.Source{fetch.Dir(directory(lying), "lying"), fetch.Dir(directory(honest), "honest")}}
			set, _, err := s.open().Refresh(context.Background(), courier, s.now, "stable", "beta")
			if err != nil {
				t.Errorf("%s %s: %v", file, fault, err)
				continue
			}
			if r, _ := set.Role("beta"); r.Version != 2 {
				t.Errorf("%s %s: beta is %d", file, fault, r.Version)
			}
		}
	}
}

func directory(files map[string][]byte) fs.FS {
	dir := fstest.MapFS{}
	for name, b := range files {
		dir[name] = &fstest.MapFile{Data: b}
	}
	return dir
}

// TestRejecterIsBounded: a courier that promises another source for ever.
func TestRejecterIsBounded(t *testing.T) {
	s := newStory(t)
	liar := &liar{}
	if _, _, err := s.open().Refresh(context.Background(), liar, s.now); err == nil || liar.asked != maxTries {
		t.Fatalf("%v after %d requests, want %d", err, liar.asked, maxTries)
	}
}

type liar struct{ asked int }

func (l *liar) Fetch(context.Context, string, int64) ([]byte, error) {
	l.asked++
	return []byte("{}"), nil
}
func (l *liar) Reject(string, error) bool { return true }

// TestSeenFormat pins seen.json: other programs of ours and people read it.
func TestSeenFormat(t *testing.T) {
	s := newStory(t)
	s.mustRefresh()
	b, err := os.ReadFile(s.path("device/seen.json"))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(b), "\"keys\"")
	want := `{
  "format": "countersign-seen-1",
  "root": 1,
  "timestamp": 2,
  "snapshot": 2,
  "targets": 1,
  "channels": {
    "beta": 1,
    "stable": 2
  },
  "floor": "2026-11-21T12:00:00Z",
  `
	if head != want {
		t.Fatalf("%s\nwant\n%s", head, want)
	}
	if n := s.open().Seen(); n.Root != 1 || n.Channels["beta"] != 1 || !n.Floor.Equal(repotest.New(t, 3, 2).Now) {
		t.Fatalf("%+v", n)
	}
}

// TestFastForward is the recovery drill: a thief of the online keys drives
// version numbers up; the honest repository is then refused, until root
// replaces the keys. What auditors signed is not forgotten by that.
func TestFastForward(t *testing.T) {
	for _, rotated := range []string{"rotate:timestamp", "rotate:snapshot"} {
		thief, honest := newStory(t), newStory(t) // the same keys, derived from the same names
		thief.dir = honest.dir
		honest.tell("release ok seen=1/3/3/1/3")
		thief.tell("release ts ts ts targets ts ts ts ok")
		if rotated == "rotate:snapshot" {
			// targets went to 2 under the thief's story, with the auditors' signatures.
			honest.tell("no=timestamp:_version_3_offered,_but_version_10_was_seen_before rotate:snapshot no=targets:_version_1_offered,_but_version_2_was_seen_before")
			honest.tell("targets ok seen=2/5/5/2/3")
			continue
		}
		honest.tell("no=timestamp:_version_3_offered,_but_version_10_was_seen_before rotate:timestamp targets ok seen=2/5/5/2/3")
	}
}
