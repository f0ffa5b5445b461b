package client

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/store"
)

// The program is updated while the account is still sealed, and must not then go to the network otherwise than the account does. So beside the
// store stands, for everybody who can read the directory, the proxy's address, or that there is none. A proxy's name and password stay sealed: then
// it only says so.
//
// The order of writing keeps the note on the safe side of the account: a proxy is noted before the account has it, and struck out after the account has
// it no more.

const (
	routeDirect = "direct"
	routeSealed = "sealed"
)

// ErrRouteSealed says that the proxy of an account wants a name and password, which are known only when it is open.
var ErrRouteSealed = errors.New("the account's proxy wants a password, which is sealed with the account")

// Route tells through which proxy the account in a directory goes to its server, without opening it; nil: directly. ErrRouteSealed, store.ErrNoRoute.
func Route(dir string) (proxy *url.URL, err error) {
	text, err := store.ReadRoute(dir)
	switch {
	case err != nil:
		return nil, err
	case text == routeDirect:
		return nil, nil
	case text == routeSealed:
		return nil, ErrRouteSealed
	case text == "":
		return nil, fmt.Errorf("%s: its route is empty: %w", dir, store.ErrNoRoute)
	}
	return remote.ParseProxy(text)
}

// Route tells through which proxy the open account goes to its server; nil: directly.
func (a *Account) Route() (proxy *url.URL, err error) {
	return remote.ParseProxy(a.server.Options().Proxy)
}

// routeOf is the note of a way.
func routeOf(o remote.Options) string {
	proxy, err := remote.ParseProxy(o.Proxy)
	switch {
	case err != nil, proxy != nil && proxy.User != nil: // the former cannot be: an account has options that were checked
		return routeSealed
	case proxy == nil:
		return routeDirect
	}
	return "socks5://" + proxy.Host
}

// noteRoute writes the note, unless it says so already.
func (a *Account) noteRoute(o remote.Options) error {
	want := routeOf(o)
	if have, err := store.ReadRoute(a.Dir); err == nil && have == want {
		return nil
	}
	return a.store.WriteRoute(a.Dir, want)
}
