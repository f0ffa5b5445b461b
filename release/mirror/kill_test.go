//go:build linux

package mirror

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/durable/killtest"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// childSync is the sync of a process that is killed: everything it needs lies in a directory.
func childSync(dir string) error {
	root, err := os.ReadFile(filepath.Join(dir, "root.json"))
	if err != nil {
		return err
	}
	policy, err := os.ReadFile(filepath.Join(dir, "log.policy"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "now"))
	if err != nil {
		return err
	}
	now, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return err
	}
	_, err = Sync(context.Background(), Options{
		Dir: filepath.Join(dir, "mirror"), Anchor: anchor.Anchor{Root: root, LogPolicy: policy}, Now: func() time.Time { return now },
		Courier: &fetch.Courier{Sources: []fetch.Source{fetch.Dir(os.DirFS(filepath.Join(dir, "source")), "origin")}},
	})
	return err
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("COUNTERSIGN_TEST_MIRROR"); dir != "" {
		runtime.LockOSThread() // strace counts by thread
		if err := childSync(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The sync of a new release and a longer log is killed with SIGKILL at its n-th call that changes the disk, for
// every n (every seventh beyond the first dozen of a kind). After each kill the mirror serves a log that is whole,
// old or new, and metadata whose log it has; and the next sync completes all of it.
func TestSyncKilledAtEveryWrite(t *testing.T) {
	killer := killtest.New(t)
	l, base := newLogged(t), t.TempDir()
	sync(t, l.options(filepath.Join(base, "mirror"), source("origin", l.files(l.log, 300))))
	old := string(l.Role("timestamp"))
	l.Now = l.Now.Add(time.Hour)
	l.Release("1.1.0", programs("1.1.0"))
	after := l.files(l.log, 700)
	for name, b := range after {
		write(t, filepath.Join(base, "source", filepath.FromSlash(name)), b)
	}
	write(t, filepath.Join(base, "root.json"), l.Anchor())
	write(t, filepath.Join(base, "log.policy"), l.policy)
	write(t, filepath.Join(base, "now"), []byte(l.Now.Format(time.RFC3339)))
	step := 7
	if testing.Short() {
		step = 40
	}
	kills := map[string]int{}
	for _, call := range []string{"renameat", "renameat2", "rename", "fsync", "mkdirat", "unlinkat", "write"} {
		for n := 1; ; n++ {
			if n > 12 {
				n += step - 1
			}
			dir := filepath.Join(t.TempDir(), "room")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			if _, killed := killer.At(call, n, append(os.Environ(), "COUNTERSIGN_TEST_MIRROR="+dir, "GOMAXPROCS=1"), os.Args[0]); !killed {
				break
			}
			kills[call]++
			l.afterKill(fmt.Sprintf("%s %d", call, n), dir, old, after)
			os.RemoveAll(dir)
		}
	}
	t.Log("killed", kills)
	if kills["renameat"] < 10 || kills["fsync"] < 10 || kills["write"] < 10 {
		t.Errorf("killed %v, want more: did strace inject anything?", kills)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (l *logged) afterKill(when, dir, old string, after map[string][]byte) {
	l.t.Helper()
	mirror := filepath.Join(dir, "mirror")
	got := listing(l.t, mirror)
	size := 300
	if got["log/checkpoint"] == string(after["log/checkpoint"]) {
		size = 700
	}
	l.holds(mirror, size)
	switch got["metadata/timestamp.json"] {
	case old:
	case string(after["metadata/timestamp.json"]):
		if size != 700 {
			l.t.Errorf("%s: the new release is served, and the log that has it is not", when)
		}
	default:
		l.t.Errorf("%s: timestamp.json is neither the old nor the new one", when)
	}
	if err := childSync(dir); err != nil {
		l.t.Fatalf("%s: afterwards: %v", when, err)
	}
	l.holds(mirror, 700)
	for name, b := range after {
		if now, err := os.ReadFile(filepath.Join(mirror, filepath.FromSlash(name))); err != nil || string(now) != string(b) {
			l.t.Errorf("%s: afterwards %s is not the repository's: %v", when, name, err)
		}
	}
}
