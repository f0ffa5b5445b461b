package publish_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/trust"
)

var errPower = errors.New("the power went off")

// dying is a disk that stops at its n-th write: before it, or after it was made but reported lost. Later
// writes fail as well, since the program is gone.
type dying struct {
	left int
	kept bool // the last write is kept and reported lost
}

func (d *dying) write(make func() error) error {
	d.left--
	switch {
	case d.left > 0:
		return make()
	case d.left == 0 && d.kept:
		if err := make(); err != nil {
			return err
		}
	}
	return errPower
}

func (d *dying) WriteFile(path string, data []byte) error {
	return d.write(func() error { return put(path, bytes.NewReader(data)) })
}

func (d *dying) Copy(path string, r io.Reader) error {
	return d.write(func() error { return put(path, r) })
}

func put(path string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// waiting is a disk whose first write waits.
type waiting struct {
	started, release chan struct{}
	begun            bool
}

func (d *waiting) WriteFile(path string, data []byte) error {
	return d.Copy(path, bytes.NewReader(data))
}

func (d *waiting) Copy(path string, r io.Reader) error {
	if !d.begun {
		d.begun = true
		close(d.started)
		<-d.release
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return put(path, r)
}

// tree is every file below a directory and its hash.
func tree(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() || strings.HasSuffix(path, "lock") {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(a, b map[string][32]byte) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// whole checks that a client that starts from the first root gets a consistent state, with every file it
// names there.
func whole(t *testing.T, r *publish.Repository, set *trust.Set) {
	t.Helper()
	for _, role := range set.Roles() {
		for _, target := range set.Targets(role.Name) {
			b, err := os.ReadFile(filepath.Join(r.Dir, filepath.FromSlash(publish.TargetPath(target.Path, target.SHA256))))
			if err != nil || sha256.Sum256(b) != target.SHA256 {
				t.Fatalf("%s is named and not there whole: %v", target.Path, err)
			}
		}
	}
}

// The power goes off at every single write of a publication. Afterwards the old state or the new one is
// served, never a mixture, and publishing again completes it.
func TestCrashAtEveryWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes some hundred times")
	}
	for _, story := range []struct {
		name  string
		ready func(w *World) event.ID // an event ready to be published
		log   bool
		least int // writes
	}{
		{"distribution", func(w *World) event.ID {
			id, err := w.Room.Events.OpenDistribution(w.T.Context(), w.TOML(), w.Opening())
			if err != nil {
				w.T.Fatal(err)
			}
			w.SignAll(id, Ana, Ben, Cleo)
			return id
		}, false, 6},
		{"release", func(w *World) event.ID {
			w.Distribute()
			id := w.Stage("1.0.0", "stable")
			w.Rebuild(id, Ana, Ben, Cleo)
			w.SignAll(id, Ana, Ben, Cleo)
			return id
		}, false, 6},
		{"logged release", func(w *World) event.ID {
			w.Distribute()
			id := w.Stage("1.0.0", "stable")
			w.Rebuild(id, Ana, Ben, Cleo)
			w.SignAll(id, Ana, Ben, Cleo)
			return id
		}, true, 6},
		{"withdrawal", func(w *World) event.ID {
			w.Distribute()
			id := w.Release("1.0.0", "stable", Ana, Ben, Cleo)
			w.Now = w.Now.Add(time.Minute)
			if err := w.Room.Events.PutStatement(w.T.Context(), id, w.Bundle(Ana, withdrawal(w, id, "withdrawn"))); err != nil {
				w.T.Fatal(err)
			}
			return id
		}, false, 3},
		{"all keys changed", func(w *World) event.ID {
			w.Distribute()
			w.Release("1.0.0", "stable", Ana, Ben, Cleo)
			old := w.People
			w.People = append([]Member{}, old...)
			for i := range w.People {
				w.People[i].Auditor = Ed25519(w.People[i].Name + " second auditor")
				w.People[i].Root = Ed25519(w.People[i].Name + " second root")
			}
			w.Snapshot, w.Timestamp = Ed25519("second snapshot"), Ed25519("second timestamp")
			id, err := w.Room.Events.OpenRoles(w.T.Context(), w.TOML(), w.Base(), nil, w.Opening())
			if err != nil {
				w.T.Fatal(err)
			}
			w.SignAll(id, Ana, Ben, Cleo)
			p := w.Load(id)
			for _, i := range []int{Ana, Ben, Cleo} { // the old root holders agree
				sigs, err := p.Sign("root", old[i].Root)
				if err != nil {
					w.T.Fatal(err)
				}
				for _, s := range sigs {
					if err := w.Room.Events.PutSignature(w.T.Context(), id, s); err != nil {
						w.T.Fatal(err)
					}
				}
			}
			return id
		}, false, 6},
		{"renewal", func(w *World) event.ID {
			w.Distribute()
			w.Now = w.Now.AddDate(0, 0, 3)
			id, err := w.Room.Events.OpenRoles(w.T.Context(), w.TOML(), w.Base(), []string{"root", "targets", "stable", "beta"}, w.Opening())
			if err != nil {
				w.T.Fatal(err)
			}
			w.SignAll(id, Ana, Ben, Cleo)
			return id
		}, false, 6},
	} {
		t.Run(story.name, func(t *testing.T) {
			w := New(t)
			open, again := w.Open, func() {}
			if story.log {
				logged := newLogWorld(t)
				w, open = logged.World, logged.open
				again = func() { logged.witnesses.Forget(t) } // what they saw in the last copy of this world
			}
			id := story.ready(w)
			before := w.Published()
			writes := 0
			for n := 1; ; n++ {
				finished := false
				for _, kept := range []bool{false, true} {
					dir := t.TempDir()
					if err := os.CopyFS(dir, os.DirFS(w.Dir)); err != nil {
						t.Fatal(err)
					}
					again()
					room := open(dir)
					room.Repository.Disk = &dying{left: n, kept: kept}
					_, err := room.Repository.Publish(t.Context(), room.Events, id, w.Now)
					if err == nil {
						finished = true
						break
					}
					if !errors.Is(err, errPower) {
						t.Fatalf("write %d: %v", n, err)
					}
					writes = max(writes, n)
					afterCrash(t, w, open(dir), id, before)
				}
				if finished {
					break
				}
			}
			if writes < story.least {
				t.Errorf("only %d writes", writes)
			}
		})
	}
}

func afterCrash(t *testing.T, w *World, room *publish.Room, id event.ID, before event.Published) {
	t.Helper()
	s, err := room.Repository.Load()
	if err != nil {
		t.Fatal("after the crash:", err)
	}
	if !s.Empty() {
		whole(t, room.Repository, s.Set)
		if v := s.Published.Versions["timestamp"]; v != before.Versions["timestamp"] && v != before.Versions["timestamp"]+1 {
			t.Fatal("timestamp", v)
		}
	}
	later := w.Now.Add(1000)
	report, err := room.Step(t.Context(), later)
	if err != nil || len(report.Refused)+len(report.Delayed) != 0 {
		t.Fatal("publishing again:", report, err)
	}
	if s, err = room.Repository.Load(); err != nil || s.Pending != nil {
		t.Fatal(s.Pending, err)
	}
	whole(t, room.Repository, s.Set)
	proposed := w.Load(id).Event.Expires
	for role, event := range s.Published.Events {
		if want := proposed[role]; !want.IsZero() && event != id.String() {
			t.Fatalf("%s is of event %.12s, want %s", role, event, id.Short())
		}
	}
	foreign, err := room.Repository.Foreign(s)
	if err != nil || len(foreign) != 0 {
		t.Fatal("left behind:", foreign, err)
	}
	if again, err := room.Step(t.Context(), later); err != nil || len(again.Published) != 0 || again.Refreshed != (publish.Refreshed{}) {
		t.Fatalf("a second time: %+v %v", again, err)
	}
}
