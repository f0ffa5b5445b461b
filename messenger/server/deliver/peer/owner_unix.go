//go:build unix

package peer

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// owner is the account a peer runs under: PostgreSQL refuses to run as root.
type owner struct {
	other    bool
	uid, gid int
	name     string
}

// unprivileged is the account postgres if we are root, else ourselves.
func unprivileged() (owner, error) {
	if os.Getuid() != 0 {
		me, err := user.Current()
		if err != nil {
			return owner{}, err
		}
		return owner{name: me.Username}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return owner{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return owner{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return owner{true, uid, gid, "postgres"}, err
}

func (o owner) give(path string) error {
	if !o.other {
		return nil
	}
	return os.Chown(path, o.uid, o.gid)
}

func (o owner) run(cmd *exec.Cmd) {
	if o.other {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}}
	}
}

// Freeze stops the child where it stands, as a machine without power to spare does; Thaw lets it go on.
func (p *Process) Freeze() { p.Signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (p *Process) Thaw() { p.Signal(syscall.SIGCONT) }
