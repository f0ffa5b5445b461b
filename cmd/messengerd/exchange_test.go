//go:build linux

package main

import (
	"io"
	"net"
	"testing"
	"time"
)

// exchange writes bytes to a server and returns what it says until it ends the connection.
func exchange(t *testing.T, address, send string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, send) // a server that has seen enough answers before it has all, and leaves
	b := make([]byte, 1<<10)
	n, _ := io.ReadFull(c, b) // an end before the buffer is full is what we wait for
	return string(b[:n])
}
