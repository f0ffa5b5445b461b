//go:build !windows

package client

import (
	"errors"
	"syscall"
)

// diskFull tells whether a write failed because there is no room: on the disk, for this person, or for this process.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
