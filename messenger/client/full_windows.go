package client

import (
	"errors"
	"syscall"
)

// diskFull tells whether a write failed because there is no room: ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL.
func diskFull(err error) bool {
	return errors.Is(err, syscall.Errno(112)) || errors.Is(err, syscall.Errno(39))
}
