//go:build linux || darwin

package rpc

import (
	"fmt"
	"net"
	"os"
)

// sameUser asks the kernel who is at the other end.
func sameUser(c net.Conn) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("a connection of kind %T", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var uid uint32
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerUser(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if int(uid) != os.Getuid() {
		return fmt.Errorf("user %d connects, want %d", uid, os.Getuid())
	}
	return nil
}
