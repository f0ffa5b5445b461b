package store

import (
	"errors"
	"os"
	"path/filepath"
)

// Remove deletes the closed store in dir, and dir itself if nothing else is in it.
func Remove(dir string) error {
	var errs []error
	for _, end := range []string{"", "-wal", "-shm", ".new", ".new-wal", ".new-shm", ".lock"} {
		if err := os.Remove(filepath.Join(dir, fileName+end)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	_ = os.Remove(dir) // others may keep things there
	return errors.Join(errs...)
}
