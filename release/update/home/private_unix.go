//go:build unix

package home

import (
	"fmt"
	"os"
	"syscall"
)

// Private refuses a home that belongs to somebody else or that others can write to: they could plant a
// program there that this user would start.
func (h Home) Private() error {
	info, err := os.Stat(h.Dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written to by others (mode %04o): programs in it are not started; run 'chmod go-w' on it", h.Dir, info.Mode().Perm())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d, not to user %d: programs in it are not started", h.Dir, st.Uid, os.Geteuid())
	}
	return nil
}
