package updatecmd

import (
	"context"
	"net/url"

	"github.com/countersign-project/countersign/cmd/cli"
)

// Way tells through which proxy updates are fetched, as fetch.Client has it. An error means that they must not be fetched now.
type Way func(context.Context) (proxy *url.URL, err error)

// noProxy is what a person says who wants no account's proxy.
const noProxy = "none"

// way is the command update's, which may have been told one.
func (h *Host) way(proxy string) (Way, error) {
	switch proxy {
	case "":
		return h.Way, nil
	case noProxy:
		return nil, nil
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Scheme != "socks5" || u.Port() == "" {
		return nil, cli.Usagef("--proxy: want socks5://host:port, or %q", noProxy)
	}
	return func(context.Context) (*url.URL, error) { return u, nil }, nil
}

// proxyHelp is for programs with accounts.
func proxyHelp(h *Host) string {
	if h.Way == nil {
		return ""
	}
	return `It fetches the way the accounts on this computer go: if one has a proxy, through that and never beside
it, also with --repository. If none has one, as HTTPS_PROXY says. --proxy says otherwise for this time.

`
}
