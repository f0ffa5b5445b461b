//go:build unix

package hermetic

import (
	"io/fs"
	"os"
	"syscall"
)

// owned refuses a file of another user, or one that group or others can write to.
func owned(p string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return refusef("cache %s belongs to user %d, want %d: a build cache is never shared", p, st.Uid, os.Geteuid())
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return refusef("cache %s has mode %04o, others can write to it: a build cache is never shared", p, perm)
	}
	return nil
}
