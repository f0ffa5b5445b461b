// Package durable changes files so that a crash or a power cut leaves either the old state or the new
// one, complete: never a half-written file under its final name, and never a state that was reported as
// saved and is gone after the lights come back.
//
// Its world: one program (or several, kept apart by Lock) and a local file system that may stop at any
// instruction. The order is always the same, and each step is there because of a crash before the next:
//
//  1. write the bytes under a temporary name in the same directory. Crash: the old file is untouched;
//     a temporary file is left, which Sweep removes. The same directory, because a rename is atomic
//     only within one file system.
//  2. fsync the file. Crash before it, had we renamed already: many file systems make the name durable
//     before the bytes, and the file would come back empty.
//  3. rename over the final name. Crash: old or new, as POSIX promises; nobody ever sees a mixture.
//  4. fsync the directory. Crash before it: the rename may be undone by the power cut, so only after
//     this step may a caller tell anybody that the new state holds.
//
// An error after step 3 means "perhaps saved": the new bytes may or may not be there after a restart.
// Callers must then read again, not assume. A failed fsync is never tried again on the same file: the
// kernel may have dropped the dirty pages and would report success the second time.
//
// Known gaps. A disk that answers a flush without doing it can not be helped. Some file systems (network
// and FUSE ones) refuse to sync a directory; that refusal is ignored, as there is nothing better to do.
// Windows has no directory sync; there the rename itself asks to be written through. Extended attributes
// and ownership of a replaced file are not kept.
//
// Who may change what: whoever may write to the directory can do everything; this package defends
// against accidents, not against a local attacker.
package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempPrefix begins the name of every temporary file and directory made here.
const tempPrefix = ".durable-"

// maxTemps bounds the search for a free temporary name: only crashes of processes with this same
// process id leave some behind.
const maxTemps = 10000

// WriteFile makes path hold exactly data, as os.WriteFile does (perm is subject to the umask), by the
// four steps of the package comment. It replaces a file or a symbolic link, never follows the link.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := createTemp(filepath.Dir(path), perm)
	if err != nil {
		return err
	}
	if err := fill(f, data); err != nil {
		os.Remove(f.Name()) // a left-over would be harmless, see Sweep
		return err
	}
	if err := rename(f.Name(), path); err != nil {
		os.Remove(f.Name())
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// fill writes data to f, syncs and closes it.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr // delayed allocation: a full disk may show only here
	}
	return err
}

// Rename moves old to new and makes both directories durable. It replaces a file at new. The bytes of
// old must have been synced by whoever wrote them.
func Rename(old, new string) error {
	if err := rename(old, new); err != nil {
		return err
	}
	// The new place first: a crash between the two may show the file under both names, never under none.
	if err := SyncDir(filepath.Dir(new)); err != nil {
		return err
	}
	if filepath.Dir(old) == filepath.Dir(new) {
		return nil
	}
	return SyncDir(filepath.Dir(old))
}

// MkdirAll creates the directory path and its missing parents, and makes each new name durable. A file
// written durably into a directory whose own name is not durable would be lost with it.
func MkdirAll(path string, perm fs.FileMode) error {
	path = filepath.Clean(path)
	parent := filepath.Dir(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: path, Err: fmt.Errorf("is not a directory")}
	case err == nil:
		// Perhaps made by a process that was killed before it could sync. Best effort: the parent
		// may well be a directory we are not allowed to read.
		_ = SyncDir(parent)
		return nil
	case parent == path:
		return err
	}
	if err := MkdirAll(parent, perm); err != nil {
		return err
	}
	if err := os.Mkdir(path, perm); err != nil && !os.IsExist(err) {
		return err // IsExist: another process was quicker, which is as good
	}
	return SyncDir(parent)
}

// RemoveAll takes path away at once and durably, then deletes what was in it; path may be missing. The
// tree first gets a temporary name, so that a crash leaves it whole or gone, never half deleted under a
// name that somebody trusts. Where a tree can not be renamed (Windows, while a program in it runs), it
// is deleted in place.
func RemoveAll(path string) error {
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return nil
	}
	dir := filepath.Dir(path)
	gone, err := freeName(dir, func(name string) error { return os.Mkdir(name, 0o700) })
	if err != nil {
		return err
	}
	defer os.RemoveAll(gone)
	// Into a fresh directory, since a rename can not replace a directory everywhere.
	if err := rename(path, filepath.Join(gone, "x")); err != nil {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return SyncDir(dir)
	}
	if err := SyncDir(dir); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// Sweep removes what interrupted calls left in dir, not below it. Call it only under a Lock that keeps
// every other writer of dir away: a live temporary file looks the same.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !IsTemp(e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// IsTemp reports whether a file name (without directory) is one of this package's temporary names.
func IsTemp(name string) bool { return strings.HasPrefix(name, tempPrefix) }

// createTemp opens a new file in dir for writing. Not os.CreateTemp, which forces the mode 0600 and
// thereby loses the umask.
func createTemp(dir string, perm fs.FileMode) (f *os.File, err error) {
	_, err = freeName(dir, func(name string) error {
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	return f, err
}

// freeName calls create with temporary names in dir until one is not taken.
func freeName(dir string, create func(name string) error) (string, error) {
	for i := range maxTemps {
		name := filepath.Join(dir, fmt.Sprintf("%s%d-%d", tempPrefix, os.Getpid(), i))
		err := create(name)
		if err == nil {
			return name, nil
		}
		if !os.IsExist(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: %d temporary files of earlier crashes; remove %s*", dir, maxTemps, tempPrefix)
}
