//go:build !linux && !darwin

package rpc

import "net"

// sameUser has nobody to ask here: the directory's permissions must do.
func sameUser(net.Conn) error { return nil }
