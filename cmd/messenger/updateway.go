package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/store"
)

// Updates go the way the account goes: who reaches his server only through Tor is not to be seen fetching a program beside it. An authority of the
// account's own is not asked: it is for the server, mirrors are others, and what they give is judged by its signatures.

// updateWay is how a long-running mode fetches: as the account that is open does, else as its note says while it is sealed, and as long as there is none as
// those beside it.
func (p *place) updateWay(ctx context.Context) (*url.URL, error) {
	if a := p.opened.Load(); a != nil {
		return a.Route()
	}
	dir, err := p.dir()
	if err != nil {
		return nil, err
	}
	if store.Exists(dir) {
		proxy, err := client.Route(dir)
		return proxy, wayHint(dir, err)
	}
	return p.commonWay(ctx)
}

// commonWay is how a command fetches that is about no account: through the first proxy that one of those on this computer has. If none has one, and
// one does not say, nothing is fetched.
func (p *place) commonWay(context.Context) (*url.URL, error) {
	data, err := p.host.Data()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(data, "accounts"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var unknown error
	for _, e := range entries {
		dir := filepath.Join(data, "accounts", e.Name())
		if !store.Exists(dir) {
			continue
		}
		proxy, wrong := client.Route(dir)
		switch {
		case wrong != nil && unknown == nil:
			unknown = wayHint(dir, wrong)
		case wrong == nil && proxy != nil:
			return proxy, nil
		}
	}
	return nil, errors.Join(err, unknown)
}

// wayHint says what to do about an account whose way is not known.
func wayHint(dir string, err error) error {
	if err == nil {
		return nil
	}
	name := filepath.Base(dir)
	err = fmt.Errorf("updates go the way the account %q goes: %w", name, err)
	give := "'messenger update --proxy URL' gives one for this time; --proxy none goes without"
	switch {
	case errors.Is(err, client.ErrRouteSealed):
		return cli.Hint(err, "a daemon that has the account open updates by itself", give)
	case errors.Is(err, store.ErrNoRoute):
		return cli.Hint(err, fmt.Sprintf("'messenger status --account %s' opens it", name), give)
	}
	return err
}
