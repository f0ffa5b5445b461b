package sockstest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestProxy is a proxy for a test in another module, which runs it as a child: COUNTERSIGN_SOCKS says where its ways lead. It prints "proxy", a space, and its
// URL. To a line on its standard input it answers with "asked" and the ways that it was asked for; the end of that ends it.
func TestProxy(t *testing.T) {
	to := os.Getenv("COUNTERSIGN_SOCKS")
	if to == "" {
		t.Skip("messenger/web/interop runs it")
	}
	p := New(t, to)
	fmt.Printf("proxy %s\n", p.URL())
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		fmt.Printf("asked %s\n", strings.Join(p.Ways(), " "))
	}
}
