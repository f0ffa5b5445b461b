package hermetic

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	inner, err := openCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inner, "object"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := openCache(dir); err != nil || again != inner {
		t.Errorf("the same auditor's second build: %q, %v", again, err)
	}
	if b := newBox(t, Options{Cache: dir}); b.cache != inner {
		t.Errorf("the box uses %s", b.cache)
	}
	foreign := t.TempDir() // such as somebody's go-build
	if err := os.WriteFile(filepath.Join(foreign, "trim.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openCache(foreign)
	refused(t, err, "cache "+foreign+" was not made by this builder")
	if err := os.WriteFile(filepath.Join(dir, cacheMark), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openCache(dir)
	refused(t, err, "was not made by this builder")
}

// What others can write to, or wrote, is never believed.
func TestSharedCache(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits say nothing here")
	}
	for name, change := range map[string]func(dir string) error{
		"has mode 0770, others can write to it": func(dir string) error { return os.Chmod(dir, 0o770) },
		"has mode 0702, others can write to it": func(dir string) error { return os.Chmod(filepath.Join(dir, "go-build"), 0o702) },
		"has mode 0666, others can write to it": func(dir string) error { return os.Chmod(filepath.Join(dir, cacheMark), 0o666) },
		"is a symbolic link": func(dir string) error {
			inner := filepath.Join(dir, "go-build")
			if err := os.Remove(inner); err != nil {
				return err
			}
			return os.Symlink(t.TempDir(), inner)
		},
	} {
		dir := filepath.Join(t.TempDir(), "cache")
		if _, err := openCache(dir); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		_, err := openCache(dir)
		refused(t, err, name)
	}
	if os.Geteuid() == 0 { // only root can give a directory away
		dir := filepath.Join(t.TempDir(), "cache")
		if _, err := openCache(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 12345, 12345); err != nil {
			t.Skip(err)
		}
		_, err := openCache(dir)
		refused(t, err, "belongs to user 12345, want 0: a build cache is never shared")
	}
}
