package hermetic

import (
	"os"
	"os/exec"
	"syscall"
)

const canIsolate = true

// isolate gives a process a network namespace that has no interface but an idle loopback. Root may do
// so at once; other users need a user namespace around it, in which they stay who they are.
func isolate(cmd *exec.Cmd, degree Isolation) {
	if degree != OwnNetwork {
		return
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
}
