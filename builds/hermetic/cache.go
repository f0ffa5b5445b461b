package hermetic

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// cacheMark names the purpose of a cache directory. A directory without it was made by somebody else,
// and what the go command finds in a build cache it believes.
const (
	cacheMark = "countersign-build-cache"
	cacheText = "build cache of one auditor, for countersign build --cache\n" +
		"Its objects are believed as found: never share it, never copy one from anybody.\n"
)

// openCache prepares an auditor's private cache directory and returns the GOCACHE inside it. A new or
// empty directory is marked; any other must bear the mark, belong to this user, and be closed to others.
func openCache(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := private(dir); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	mark := filepath.Join(dir, cacheMark)
	if len(entries) == 0 {
		if err := os.WriteFile(mark, []byte(cacheText), 0o600); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(mark)
	if errors.Is(err, fs.ErrNotExist) || err == nil && string(text) != cacheText {
		return "", refusef("cache %s was not made by this builder: it lacks a good %q; give an empty directory", dir, cacheMark)
	}
	if err != nil {
		return "", err
	}
	inner := filepath.Join(dir, "go-build")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		return "", err
	}
	for _, p := range []string{mark, inner} {
		if err := private(p); err != nil {
			return "", err
		}
	}
	return inner, nil
}

// private refuses what another user could have written.
func private(p string) error {
	info, err := os.Lstat(p)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return refusef("cache %s is a symbolic link", p)
	}
	return owned(p, info)
}
