// Package engine opens the store that a URL names.
package engine

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/cache"
	"github.com/countersign-project/countersign/messenger/server/store/postgres"
	"github.com/countersign-project/countersign/messenger/server/store/sqlite"
)

// Options of opening.
type Options struct {
	// Beside opens a store that a running server holds, for a short command, which must not change accounts: the server keeps them in memory.
	Beside bool
}

// Open opens
//
//	sqlite:/var/lib/messengerd/store.db    (or a bare path)  a file of this server alone
//	postgres://user@host/database?...      a PostgreSQL database, for one or several servers
//
// and brings its schema up to date. The caller closes it.
func Open(ctx context.Context, where string, o Options) (store.Store, error) {
	if path, ok := SQLitePath(where); ok {
		s, err := sqlite.Open(ctx, path, sqlite.Options{Beside: o.Beside})
		if err != nil || o.Beside {
			return s, err
		}
		return cache.Of(s), nil // the file is ours alone, and commands beside us do not touch accounts
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, fmt.Errorf("database URL: %v", withoutSecret(err))
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		return postgres.Open(ctx, where)
	}
	return nil, fmt.Errorf("database URL has scheme %q, wanted sqlite:, a path, or postgres", u.Scheme)
}

// SQLitePath returns the file that where names if it names an SQLite store.
func SQLitePath(where string) (path string, ok bool) {
	if path, ok = strings.CutPrefix(where, "sqlite:"); ok {
		if rest, found := strings.CutPrefix(path, "//"); found {
			path = rest
		}
		return path, path != ""
	}
	return where, where != "" && !strings.Contains(where, "://") && !strings.HasPrefix(where, "postgres")
}

// withoutSecret drops the URL from a parse error: it may hold a password.
func withoutSecret(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}
