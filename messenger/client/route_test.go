package client

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/store"
)

// Of a proxy its address is noted, and of one with a name or password only that there is one.
func TestTheNoteHoldsNoPassword(t *testing.T) {
	for proxy, want := range map[string]string{
		"":                                  "direct",
		"socks5://127.0.0.1:9050":           "socks5://127.0.0.1:9050",
		"socks5h://[::1]:9050":              "socks5://[::1]:9050",
		"socks5://alice:secret@tor.lan:1":   "sealed",
		"socks5://alice@tor.lan:1":          "sealed",
		"socks5://127.0.0.1:9050/secret?a":  "socks5://127.0.0.1:9050",
		"what no account can have: a space": "sealed",
	} {
		if got := routeOf(remote.Options{URL: "https://chat.example.org", Proxy: proxy}); got != want {
			t.Errorf("proxy %q is noted as %q, want %q", proxy, got, want)
		}
	}
}

// Without a note nobody says that the way is a direct one.
func TestNoNoteIsNoWay(t *testing.T) {
	if proxy, err := Route(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, store.ErrNoRoute) {
		t.Errorf("got %v, %v", proxy, err)
	}
}
