//go:build !windows

package durable

import (
	"errors"
	"os"
	"syscall"
)

// rename is rename(2): atomic within one file system.
func rename(old, new string) error { return os.Rename(old, new) }

// SyncDir makes the names in dir durable. On darwin, Go's Sync asks for F_FULLFSYNC, which is what
// flushes the drive's own cache there; fsync alone does not.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // this file system has no such thing; see "known gaps"
	}
	return err
}
