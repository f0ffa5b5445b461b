package client

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

// mirror serves a map of files and notes what it was asked for.
type mirror struct {
	files map[string][]byte
	asked []string
	caps  map[string]int64
	bytes int
}

func (m *mirror) Fetch(_ context.Context, path string, max int64) ([]byte, error) {
	m.asked = append(m.asked, strings.TrimSuffix(strings.TrimPrefix(path, "metadata/"), ".json"))
	if m.caps != nil {
		m.caps[path] = max
	}
	b, ok := m.files[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s: more than %d bytes", path, max)
	}
	m.bytes += len(b)
	return b, nil
}

// story is a repository, a mirror of it and one device.
type story struct {
	t      testing.TB
	w      *repotest.World
	mirror *mirror
	dir    string
	anchor []byte
	marks  map[string]map[string][]byte
	now    time.Time
	live   bool // the mirror follows the repository
	count  int  // for names of keys and releases
}

func newStory(t testing.TB) *story {
	w := repotest.New(t, 5, 3)
	s := &story{t: t, w: w, mirror: &mirror{}, dir: t.TempDir(), anchor: w.Anchor(), marks: map[string]map[string][]byte{}, now: w.Now, live: true}
	s.release("stable", 0, 1, 2)
	return s
}

// quickDisk writes without waiting for the disk: no power fails in these tests.
type quickDisk struct{ realDisk }

func (quickDisk) Write(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
func (quickDisk) Remove(path string) error   { return os.RemoveAll(path) }
func (quickDisk) MkdirAll(path string) error { return os.MkdirAll(path, 0o700) }

func (s *story) open() *Client {
	s.t.Helper()
	c, err := open(s.dir, s.anchor, trust.Strict, quickDisk{})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// fork is the same repository with a device of its own, in the state this one
// is in. The repository must not change any more.
func (s *story) fork() *story {
	s.t.Helper()
	twin := *s
	twin.dir = s.t.TempDir()
	twin.mirror = &mirror{}
	if err := os.CopyFS(twin.dir, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	return &twin
}

func (s *story) refresh() (*trust.Set, trust.Metadata, error) {
	s.t.Helper()
	if s.live {
		s.mirror.files = s.w.Files()
	}
	s.mirror.asked, s.mirror.bytes = nil, 0
	return s.open().Refresh(context.Background(), s.mirror, s.now, "stable", "beta")
}

// mustRefresh refreshes and returns the Set.
func (s *story) mustRefresh() *trust.Set {
	s.t.Helper()
	set, _, err := s.refresh()
	if err != nil {
		s.t.Fatal(err)
	}
	return set
}

func (s *story) release(channel string, signers ...int) {
	s.count++
	s.w.Publish(repotest.Release{Channel: channel, Version: fmt.Sprintf("1.%d.0", s.count), Artifacts: map[string][]byte{"linux-amd64/messenger": fmt.Append(nil, s.count)}, Signers: signers})
}

func (s *story) freshKey() crypto.Signer {
	s.count++
	seed := sha256.Sum256(fmt.Append(nil, "story ", s.count))
	return ed25519.NewKeyFromSeed(seed[:])
}

// rotate gives an online role a new key by a new root.
func (s *story) rotate(role string) {
	k := s.freshKey()
	l := s.w.Layout
	keys := repo.RoleKeys{Holders: []repo.Holder{{Person: s.w.Publisher, Public: k.Public()}}, Quorum: 1}
	switch role {
	case "timestamp":
		s.w.Timestamp, l.Timestamp = k, keys
	case "snapshot":
		s.w.Snapshot, l.Snapshot = k, keys
	}
	s.w.PublishRoot(l)
	s.w.Refresh()
}

func (s *story) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *story) forget(what string) {
	var names []string
	switch what {
	case "files":
		names, _ = filepath.Glob(s.path("*.json"))
	default:
		names = []string{s.path(what)}
	}
	for _, n := range names {
		if err := os.RemoveAll(n); err != nil {
			s.t.Fatal(err)
		}
	}
}

// tell plays a history. Its words:
//
//	release, beta       a release on stable or beta; release:0,1 signed by these only
//	ts                  a new timestamp; root: a new root; rotate:timestamp, rotate:snapshot: with a new key
//	mark:x, show:x      remember the mirror as it is; make it show that from now on (show:now: follow again)
//	lose:file           the mirror loses a file
//	anchor              programs now embed the newest root
//	forget:x            the device loses files, roots or device/seen.json
//	days:n              the device's clock moves, and pulls the repository's along; behind:n sets that back
//	ok                  a refresh that works
//	no=text             a refresh that is refused, or cannot tell, with this text
//	seen=1/2/3/4/5      root/timestamp/snapshot/targets/stable as remembered
//
// Underscores in texts stand for spaces.
func (s *story) tell(history string) {
	s.t.Helper()
	for _, word := range strings.Fields(history) {
		verb, arg, _ := strings.Cut(word, ":")
		if key, text, ok := strings.Cut(word, "="); ok {
			verb, arg = key, strings.ReplaceAll(text, "_", " ")
		}
		switch verb {
		case "release", "beta":
			var signers []int
			for _, n := range strings.FieldsFunc(arg, func(r rune) bool { return r == ',' }) {
				i, _ := strconv.Atoi(n)
				signers = append(signers, i)
			}
			s.release(map[string]string{"release": "stable", "beta": "beta"}[verb], signers...)
		case "ts":
			s.w.RefreshTimestamp()
		case "root":
			s.w.PublishRoot(s.w.Layout)
		case "rotate":
			s.rotate(arg)
		case "targets":
			s.w.PublishTargets()
			s.w.Refresh()
		case "mark":
			s.marks[arg] = s.w.Files()
		case "show":
			if s.live = arg == "now"; !s.live {
				s.mirror.files = s.marks[arg]
			}
		case "lose":
			s.live = false
			s.mirror.files = s.w.Files()
			delete(s.mirror.files, arg)
		case "anchor":
			s.anchor = s.w.Role("root")
		case "forget":
			s.forget(arg)
		case "days":
			n, _ := strconv.Atoi(arg)
			s.now = s.now.AddDate(0, 0, n)
			if n > 0 && s.now.After(s.w.Now) {
				s.w.Now = s.now
			}
		case "behind":
			n, _ := strconv.Atoi(arg)
			s.w.Now = s.w.Now.AddDate(0, 0, -n)
		case "ok":
			if _, _, err := s.refresh(); err != nil {
				s.t.Fatalf("at %q in %q: %v", word, history, err)
			}
		case "no":
			_, _, err := s.refresh()
			if err == nil || !strings.Contains(err.Error(), arg) {
				s.t.Fatalf("at %q in %q: %v", word, history, err)
			}
		case "seen":
			n := s.open().Seen()
			if got := fmt.Sprintf("%d/%d/%d/%d/%d", n.Root, n.Timestamp, n.Snapshot, n.Targets, n.Channels["stable"]); got != arg {
				s.t.Fatalf("at %q in %q: seen %s", word, history, got)
			}
		default:
			s.t.Fatalf("no such word: %q", word)
		}
	}
}

func TestHistories(t *testing.T) {
	for name, history := range map[string]string{
		"nothing new":                     "ok seen=1/2/2/1/2 ok seen=1/2/2/1/2",
		"a release":                       "ok release ok seen=1/3/3/1/3",
		"old timestamp served again":      "mark:old release ok show:old no=timestamp:_version_2_offered,_but_version_3_was_seen_before",
		"old timestamp, files lost":       "mark:old release ok forget:files show:old no=timestamp:_version_2_offered,_but_version_3_was_seen_before",
		"old timestamp, memory lost":      "mark:old release ok forget:device/seen.json show:old no=timestamp:_version_2_offered,_but_version_3_was_seen_before",
		"embedded 1, seen 5, shows 3":     "root root mark:old root root ts ok seen=5/3/2/1/2 show:old no=timestamp:_version_2_offered,_but_version_3_was_seen_before",
		"the same, history lost":          "root root mark:old root root ts ok forget:roots show:old no=root:_version_3_offered,_but_version_5_was_seen_before",
		"the same, history and files":     "root root mark:old root root ts ok forget:roots forget:files show:old no=root:_version_3_offered,_but_version_5_was_seen_before show:now ok seen=5/3/2/1/2",
		"anchor newer than the cache":     "ok root rotate:timestamp anchor ok seen=3/3/3/1/2",
		"anchor older than the cache":     "root root ok ok seen=3/2/2/1/2",
		"anchor jumps over a lost root":   "ok root root anchor lose:metadata/2.root.json ok",
		"a root in the middle is lost":    "ok root root lose:metadata/2.root.json ok seen=1/2/2/1/2", // hidden, until the timestamp runs out
		"revoked timestamp key":           "ok mark:old rotate:timestamp ok show:old no=timestamp:_quorum_not_reached:_0_of_the_1_keys_authorised_signed,_1_needed",
		"revoked key, files lost":         "ok mark:old rotate:timestamp ok forget:files show:old no=timestamp:_quorum_not_reached",
		"rotation forgets the online two": "ts ts ts ok seen=1/5/2/1/2 rotate:timestamp ok seen=2/6/3/1/2",
		"snapshot key rotation":           "release ok rotate:snapshot ok seen=2/4/4/1/3",
		"frozen":                          "ok days:2 show:old no=timestamp",
		"freeze ends":                     "ok days:2 no=timestamp:_expired_on ts ok",
		"expired root, then a new one":    "ok days:400 no=root:_expired_on root targets release beta ok",
		"clock back ten years":            "ok days:-3650 ok",
		"floor outlives the clock":        "ok days:10 targets release beta ok days:-10 behind:6 ts no=timestamp:_expired_on_2026-11-26T12:00:00Z,_now_is_2026-12-01T12:00:00Z",
		"floor outlives the files":        "ok days:10 targets release beta ok forget:files days:-10 behind:6 ts no=timestamp:_expired_on",
		"clock forward, then right":       "ok days:3650 no=root:_expired days:-3650 ok",
		"snapshot missing":                "ok release lose:metadata/3.snapshot.json no=file_does_not_exist show:now ok seen=1/3/3/1/3",
		"channel missing":                 "ok release lose:metadata/3.stable.json no=3.stable.json:_file_does_not_exist show:now ok seen=1/3/3/1/3",
		"timestamp missing":               "ok lose:metadata/timestamp.json no=file_does_not_exist show:now ok",
		"short quorum":                    "ok release:0,1 no=stable:_quorum_not_reached:_2_of_the_5_keys_authorised_signed seen=1/3/3/1/2 release ok seen=1/4/4/1/4",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.marks["old"] = s.w.Files()
			s.tell(history)
		})
	}
}
