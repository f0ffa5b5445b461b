package client

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/countersign-project/countersign/tuf/trust"
)

// brokenDisk does what a disk does until its n-th change. Then the program is
// dead, as far as the disk can tell: that change is lost, or it was made and
// nobody heard of it, and nothing is changed any more.
type brokenDisk struct {
	quickDisk
	left    int  // changes until the break
	persist bool // the breaking change is made
	dead    bool
}

var errBroken = errors.New("the disk broke")

func (d *brokenDisk) change(do func() error) error {
	if d.dead {
		return errBroken
	}
	if d.left--; d.left > 0 {
		return do()
	}
	d.dead = true
	if d.persist {
		if err := do(); err != nil {
			return err
		}
	}
	return errBroken
}

func (d *brokenDisk) Write(path string, b []byte) error {
	return d.change(func() error { return d.quickDisk.Write(path, b) })
}

func (d *brokenDisk) Remove(path string) error {
	return d.change(func() error { return d.quickDisk.Remove(path) })
}

func (d *brokenDisk) MkdirAll(path string) error {
	return d.change(func() error { return d.quickDisk.MkdirAll(path) })
}

// TestCrashAtEveryWrite breaks the disk at each change of a refresh, in both
// ways, and then starts again with a whole disk: the device must come to the
// same end as if nothing had happened, must accept nothing older than it had
// accepted before, and must have something complete to look at offline.
func TestCrashAtEveryWrite(t *testing.T) {
	for name, history := range map[string]string{
		"first refresh":       "",
		"a release":           "ok release beta",
		"new roots":           "ok root root release",
		"timestamp rotated":   "ts ts ts ok rotate:timestamp",
		"everything replaced": "ok rotate:timestamp rotate:snapshot targets release beta",
	} {
		t.Run(name, func(t *testing.T) {
			told := newStory(t)
			told.marks["old"] = told.w.Files()
			told.tell(history)
			broken := 0
			for _, persist := range []bool{false, true} {
				for n := 1; ; n++ {
					s := told.fork()
					before := s.open().Seen()
					disk := &brokenDisk{left: n, persist: persist}
					err := s.refreshOn(disk)
					if !disk.dead {
						if err != nil {
							t.Fatal(err)
						}
						break
					}
					broken++
					if err == nil {
						t.Fatalf("break %d (made: %v) went unnoticed", n, persist)
					}
					s.afterCrash(before)
				}
			}
			t.Logf("%d breaks", broken)
			if broken < 6 {
				t.Fatal("the disk hardly broke")
			}
		})
	}
}

// refreshOn runs one refresh, from opening on, over a disk that may break.
func (s *story) refreshOn(d disk) error {
	s.mirror.files = s.w.Files()
	c, err := open(s.dir, s.anchor, 0, d)
	if err != nil {
		return err
	}
	_, _, err = c.Refresh(context.Background(), s.mirror, s.now, "stable", "beta")
	return err
}

func (s *story) afterCrash(before Seen) {
	s.t.Helper()
	if before.Timestamp > 0 {
		set, _, err := s.open().Load(s.now, "stable", "beta")
		rotated := s.open().seen.Root > before.Root || len(s.open().history) > int(before.Root)-1
		if err != nil && !rotated { // old files are worth nothing under new online keys
			s.t.Fatalf("offline after the crash: %v", err)
		}
		if err == nil {
			if r, ok := set.Role("stable"); !ok || r.Version < before.Channels["stable"] {
				s.t.Fatalf("offline after the crash: %+v", r)
			}
		}
		s.mirror.files = s.marks["old"]
		after := s.open().Seen()
		if _, _, err := s.open().Refresh(context.Background(), s.mirror, s.now, "stable"); err == nil && before.Timestamp > 2 {
			s.t.Fatalf("an older repository was accepted after the crash (seen %+v)", after)
		}
	}
	set := s.mustRefresh()
	whole, err := trust.Verify(s.anchor, s.w.Metadata(), s.now) // what a device without a past sees
	if err != nil {
		s.t.Fatal(err)
	}
	version := map[string]int64{}
	for _, want := range whole.Roles() {
		if r, ok := set.Role(want.Name); !ok || r.Version != want.Version {
			s.t.Fatalf("%s is %d after the crash, want %d", want.Name, r.Version, want.Version)
		}
		version[want.Name] = want.Version
	}
	seen := s.open().Seen()
	if seen.Timestamp != version["timestamp"] || !maps.Equal(seen.Channels, map[string]int64{"stable": version["stable"], "beta": version["beta"]}) {
		s.t.Fatalf("seen %+v, want %v", seen, version)
	}
	if _, _, err := s.open().Load(s.now, "stable", "beta"); err != nil {
		s.t.Fatal(err)
	}
}
