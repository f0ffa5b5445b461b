//go:build unix

package rebuild

import (
	"syscall"
	"testing"
)

const modesMatter = true

// umask gives the rest of the test a mask that hides everything from others.
func umask(t *testing.T, _ *Options) {
	old := syscall.Umask(0o077)
	t.Cleanup(func() { syscall.Umask(old) })
}
