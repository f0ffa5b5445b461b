//go:build unix

package hermetic

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a process into a group of its own, and kills the whole group when its context ends: the
// go command starts compilers, which would otherwise go on.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
