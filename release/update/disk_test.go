//go:build linux

package update_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// smallDisk puts the device's home on a disk of that many megabytes.
func (d *device) smallDisk(megabytes string) {
	t := d.t
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+megabytes+"m,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("a small disk cannot be mounted here (%v): full disks are not tried", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	d.home = home.At(dir, "messenger")
}

// fill uses up the disk to the last byte and returns the file to remove again.
func (d *device) fill() string {
	d.t.Helper()
	path := filepath.Join(filepath.Dir(d.home.Dir), "ballast")
	f, err := os.Create(path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return path
}

// Too little room is noticed before anything is fetched.
func TestNotEnoughRoom(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.smallDisk("16")
	d.publish("1.1.0", "")
	_, err := d.update()
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "not enough room in "+d.home.Dir+": 15 MB free, 1") || !strings.HasSuffix(err.Error(), " MB needed; nothing was changed") {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(d.home.Downloads()); len(entries) > 0 {
		t.Error("something was fetched all the same")
	}
	if s := d.state(); s.Current != "" || s.Refused == nil || s.Refused.Wrong {
		t.Errorf("%+v", s)
	}
}

// Room that vanishes while the update runs: the old version stays, and the part is given back.
func TestDiskFillsUpMidway(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.smallDisk("8")
	d.publish("1.1.0", "")
	u := d.updater()
	u.Free = func(string) (int64, error) { return 1 << 40, nil }
	_, err := u.Update(context.Background())
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "the disk is full: ") {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(d.home.Downloads()); len(entries) > 0 {
		t.Error("the part still takes room")
	}
	if out, errs, code := d.run(d.environ(), "about"); out != "1.0.0 base 1.0.0\n" || code != 0 {
		t.Error(out, errs, code)
	}
}

// With not a byte left, a program on trial cannot be counted and so is not started; what works still does.
func TestStartOnAFullDisk(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.smallDisk("64")
	d.install("1.1.0", "")
	env := d.environ()
	ballast := d.fill()
	out, errs, code := d.run(env, "about")
	if out != "1.0.0 base 1.0.0\n" || code != 0 || !strings.Contains(errs, "1.1.0 was not started: its start could not be counted: ") {
		t.Error(out, errs, code)
	}
	if s := d.state(); s.Current != "1.1.0" || s.Trial == nil || len(s.Held) != 0 {
		t.Errorf("a full disk was blamed on the version: %+v", s)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if out, _, code := d.run(env, "about"); out != "1.1.0 base 1.0.0\n" || code != 0 {
		t.Error(out, code)
	}
	d.fill()
	if out, errs, code := d.run(env, "about"); out != "1.1.0 base 1.0.0\n" || code != 0 {
		t.Error(out, errs, code)
	}
}
