package rebuild

import (
	"os"
	"syscall"
	"testing"

	"errors"

	"github.com/countersign-project/countersign/builds/hermetic"
)

// With no room on the disk the build says so, calls nothing wrong, and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("cannot make a small disk: %v", err)
	}
	defer func() { check(t, syscall.Unmount(dir, 0)) }()
	t.Setenv("TMPDIR", dir)
	o := w.options()
	o.Cache = ""
	_, err := w.build(o)
	plainError(t, err, "no room left on the disk")
	if !errors.Is(err, hermetic.ErrDiskFull) {
		t.Errorf("%v is not told apart", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
