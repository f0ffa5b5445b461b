package durable

import (
	"errors"
	"fmt"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process, or another part of this one, holds the lock.
var ErrLocked = errors.New("in use by another process")

// Lock takes the advisory lock of the file path, which is created when missing and never removed
// (removing it would let two processes lock two different files of one name). It does not wait: when the
// lock is held elsewhere the error is ErrLocked. The kernel drops the lock when the process dies,
// however it dies, so a crash never leaves it locked. It does not work between machines on every
// network file system.
func Lock(path string) (unlock func() error, err error) {
	l := flock.New(path)
	ok, err := l.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return l.Unlock, nil
}
