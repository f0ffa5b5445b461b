package durable

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// names lists dir.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	got := names(t, dir)
	if len(got) != len(want) {
		t.Fatalf("%s holds %q, want %q", dir, got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s holds %q, want %q", dir, got, want)
		}
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatalf("%s holds %q, want %q", path, got, want)
	}
}

func TestWriteFileReplacesAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, data := range []string{"one", "", "three"} {
		if err := WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, data)
	}
	wantNames(t, dir, "state")
}

func TestWriteFileReplacesALinkAndNotWhatItPointsTo(t *testing.T) {
	dir := t.TempDir()
	precious, link := filepath.Join(dir, "precious"), filepath.Join(dir, "state")
	if err := os.WriteFile(precious, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := WriteFile(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, precious, "mine")
	wantFile(t, link, "new")
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state") // a directory: the rename over it must fail
	if err := os.MkdirAll(filepath.Join(path, "inner"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x"), 0o600); err == nil {
		t.Fatal("a file replaced a directory")
	}
	wantNames(t, dir, "state")
	wantNames(t, path, "inner")
	if err := WriteFile(filepath.Join(dir, "missing", "state"), nil, 0o600); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("write into a missing directory: %v, want not exist", err)
	}
}

func TestTemporaryFilesOfACrashAreSteppedOverAndSwept(t *testing.T) {
	dir := t.TempDir()
	left, err := createTemp(dir, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	left.Close() // as if killed here
	if err := WriteFile(filepath.Join(dir, "state"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, left.Name(), "")
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "state")
}

func TestMkdirAllMakesParentsAndRefusesAFile(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := MkdirAll(deep, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(deep, "file")
	if err := WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := MkdirAll(path, 0o700); err == nil {
			t.Fatalf("%s: made a directory of a file", path)
		}
	}
}

func TestRenameMovesBetweenDirectories(t *testing.T) {
	dir := t.TempDir()
	old, new := filepath.Join(dir, "a", "f"), filepath.Join(dir, "b", "f")
	for _, d := range []string{"a", "b"} {
		if err := MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, data := range map[string]string{old: "new", new: "old"} {
		if err := WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Rename(old, new); err != nil {
		t.Fatal(err)
	}
	wantFile(t, new, "new")
	wantNames(t, filepath.Join(dir, "a"))
}

func TestRemoveAllTakesTreesFilesAndNothing(t *testing.T) {
	dir := t.TempDir()
	if err := MkdirAll(filepath.Join(dir, "tree", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"file", filepath.Join("tree", "deep", "file"), "kept"} {
		if err := WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tree", "file", "never there"} {
		if err := RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	wantNames(t, dir, "kept")
}

func TestLockKeepsTheSecondOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); !errors.Is(err, ErrLocked) || err.Error() != path+": in use by another process" {
		t.Fatalf("second lock: %v, want ErrLocked", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// TestLockDiesWithItsProcess runs this test binary as the other process.
func TestLockDiesWithItsProcess(t *testing.T) {
	if path := os.Getenv("DURABLE_TEST_LOCK"); path != "" {
		if _, err := Lock(path); err != nil {
			os.Exit(3)
		}
		os.Stdout.WriteString("locked\n")
		select {} // until killed
	}
	path := filepath.Join(t.TempDir(), "lock")
	other := exec.Command(os.Args[0], "-test.run=^TestLockDiesWithItsProcess$")
	other.Env = append(os.Environ(), "DURABLE_TEST_LOCK="+path)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("lock held by another process: %v, want ErrLocked", err)
	}
	other.Process.Kill()
	other.Wait()
	unlock, err := Lock(path)
	if err != nil {
		t.Fatalf("after the other process was killed: %v", err)
	}
	unlock()
}
