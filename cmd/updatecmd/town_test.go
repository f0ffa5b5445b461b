//go:build linux

package updatecmd_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestTown is somebody's messenger of version 1.0.0 that updates itself, for a test in another module that has a browser: messenger/web/interop runs it as
// a child, with COUNTERSIGN_TOWN=1. It prints "page", a space, and the address to open. A line "publish" on its standard input has version 1.1.0 published;
// the end of that ends everything.
func TestTown(t *testing.T) {
	if os.Getenv("COUNTERSIGN_TOWN") != "1" {
		t.Skip("messenger/web/interop runs it")
	}
	m := newMachine(t)
	base := m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, base)
	log := filepath.Join(m.dir, "page.log")
	m.start(log, base, "open", "--print", "--check-every", "1s")
	fmt.Printf("page %s\n", m.found(log, `(http://127\.0\.0\.1:\d+/#\S+)`))
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		if orders.Text() == "publish" {
			m.publish("1.1.0", nil, m.build("messenger", "1.1.0"))
		}
	}
}
