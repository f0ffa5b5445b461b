//go:build linux

package update_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/tuf/durable/killtest"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// writes are the system calls by which an update changes the disk, and how many of the first are each
// worth a kill; after those only every 16th is: a download is one call of a kind after another.
var writes = map[string]int{
	"renameat": 1000, "renameat2": 1000, "rename": 1000, "fsync": 1000, "fdatasync": 1000, "mkdirat": 1000, "unlinkat": 1000,
	"fchmod": 1000, "fchmodat": 1000, "ftruncate": 1000, "write": 12, "pwrite64": 12,
}

// TestKilledAtEveryWrite kills a real update with SIGKILL at its n-th call that changes the disk, for every
// n, until it gets through. After each kill the program must start as the old or the new version,
// complete, and the next update must finish what was begun.
func TestKilledAtEveryWrite(t *testing.T) {
	killer := killtest.New(t)
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	env := d.environ()
	kills, olds, news := 0, 0, 0
	for call, each := range writes {
		for n := 1; ; n++ {
			if n > each {
				n += 15
			}
			if err := os.RemoveAll(filepath.Dir(d.home.Dir)); err != nil {
				t.Fatal(err)
			}
			if _, killed := killer.At(call, n, env, d.base, "update"); !killed {
				break
			}
			where := fmt.Sprintf("killed at %s %d", call, n)
			kills++
			switch d.recovers(env, where) {
			case "1.0.0":
				olds++
			case "1.1.0":
				news++
			}
		}
	}
	t.Logf("%d kills: the old version ran after %d, the new one after %d", kills, olds, news)
	if kills < 60 || olds == 0 || news == 0 {
		t.Errorf("%d kills (%d old, %d new) are not every write: does strace count?", kills, olds, news)
	}
}

// recovers checks a device after a crash, and returns the version that ran right after it.
func (d *device) recovers(env []string, where string) (version string) {
	d.t.Helper()
	out, errs, code := d.run(env, "about")
	version = strings.TrimSuffix(out, " base 1.0.0\n")
	if version != "1.0.0" && version != "1.1.0" || code != 0 {
		d.t.Fatalf("%s: about says %q, %q, exit code %d", where, out, errs, code)
	}
	out, errs, code = d.run(env, "update")
	if code != 0 || out != "running 1.0.0 newest \"1.1.0\" installed true\n" && out != "running 1.1.0 newest \"\" installed false\n" {
		d.t.Fatalf("%s: the next update says %q, %q, exit code %d", where, out, errs, code)
	}
	if out, errs, code := d.run(env, "about"); out != "1.1.0 base 1.0.0\n" || code != 0 {
		d.t.Fatalf("%s: after the next update about says %q, %q, exit code %d", where, out, errs, code)
	}
	if left, _ := filepath.Glob(filepath.Join(d.home.Dir, "versions", "*.tmp")); len(left) > 0 {
		d.t.Errorf("%s: %v left", where, left)
	}
	return version
}

// TestKilledWhileStarting does the same to the start of a version on trial, which is counted before, and
// confirmed after. One kill costs at most one of its three starts.
func TestKilledWhileStarting(t *testing.T) {
	killer := killtest.New(t)
	d := newDevice(t, repotest.Config{})
	d.install("1.1.0", "")
	env := d.environ()
	fresh, err := os.ReadFile(filepath.Join(d.home.Dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	for call := range writes {
		for n := 1; ; n++ {
			if err := os.WriteFile(filepath.Join(d.home.Dir, "state.json"), fresh, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, killed := killer.At(call, n, env, d.base, "about"); !killed {
				break
			}
			kills++
			if s := d.state(); s.Current != "1.1.0" || s.Trial != nil && s.Trial.Starts > 1 {
				t.Errorf("killed at %s %d: %+v", call, n, s)
			}
			if out, errs, code := d.run(env, "about"); out != "1.1.0 base 1.0.0\n" || code != 0 || errs != "" {
				t.Errorf("killed at %s %d: about says %q, %q, exit code %d", call, n, out, errs, code)
			}
			if s := d.state(); s.Trial != nil {
				t.Errorf("killed at %s %d: not confirmed: %+v", call, n, s)
			}
		}
	}
	if kills < 10 {
		t.Errorf("%d kills are not every write: does strace count?", kills)
	}
}
