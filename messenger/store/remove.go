package store

import (
	"errors"
	"os"
	"path/filepath"
)

// Remove deletes the closed store in dir, and dir itself if nothing else is in it. ErrInUse.
func Remove(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	s, err := take(dir)
	if err != nil {
		return err
	}
	var errs []error
	remove := func(end string) {
		if err := os.Remove(filepath.Join(dir, fileName+end)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, end := range []string{"", "-wal", "-shm", ".new", ".new-wal", ".new-shm", routeEnd, routeEnd + ".new"} {
		remove(end)
	}
	errs = append(errs, s.Close())
	remove(".lock")
	_ = os.Remove(dir) // others may keep things there
	return errors.Join(errs...)
}
