// Package web shows the messenger as a page in a browser on the person's own machine. The page is a caller of package rpc like any other; this
// package only carries its requests, and keeps everybody else out.
//
// # World
//
// The page listens on a loopback address, or on a unix socket. Loopback alone protects nothing: other users and programs of the machine reach
// it, and so does every web site the person visits, through the browser. So:
//
//   - the Host must be exactly the one that was opened: a name that was rebound to this address gets 421;
//   - requests of other origins are refused (http.CrossOriginProtection; the websocket checks its Origin itself), and no GET changes anything;
//   - a key of 256 bits, made for each opening, good once and for two minutes, travels in the fragment of the address, which no server and no
//     log sees. It buys a token that the page sends with each request. There is no cookie, so nothing that a browser sends by itself counts;
//   - the page is files compiled into this program, under a policy that runs no other script, frames nothing, sends nothing elsewhere, and
//     takes no text for HTML (Trusted Types). What strangers wrote arrives as JSON; their files arrive as attachments under a sandbox;
//   - who leaves the screen alone is asked for the passphrase again.
//
// # Requests
//
//	GET  /…         the page's files
//	POST /token     {"key"} → {"token"}; all others want Authorization: Bearer TOKEN
//	POST /rpc       a JSON-RPC request of package rpc, and the page's own: lock, unlock, lockAfter (see call)
//	GET  /events    a websocket; the first message to it is the token, then notifications arrive: "ready" {locked}, "locked", "unlocked", "opened" (the account is open
//	                now), and those of rpc.
//	                It closes with 4401 where the token is not good (any more)
//	POST /upload    a file's bytes, Content-Type its own, X-Name its name, percent-encoded → {"id"} for "uploads" of send
//	POST /file      {"id":"17/0"} → the bytes of a file that was sent
//	POST /backup    {} → a backup; its nine words are in X-Recovery-Words
//	POST /restore   a backup, X-Parameters {"recoveryWords","passphrase"} percent-encoded, where there is no account → {"number","messages"}
//	POST /history   a backup of the same account, X-Parameters {"recoveryWords"} → {"messages"}
//
// A locked page answers 403, and code -5 to what is no unlock. A tab that was open while the messenger was updated is locked; unlock answers {"token"}
// to it, with which it goes on and opens /events anew.
//
// The worst another user of the machine can do is to take the port while no messenger runs and show a page of his own there: it gets no key and
// no token, and what is typed into it is typed to him. The worst a program of the same user can do is what it can do anyway.
package web

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// Options are what a page stands on.
type Options struct {
	Files  fs.FS              // of package page
	Server func() *rpc.Server // the one that answers now
	// Locks tells whether the account is open, so that there is something to cover.
	Locks func() bool
	// Check tells whether a passphrase opens the account.
	Check func(ctx context.Context, passphrase []byte) error
	Log   *slog.Logger
	Now   func() time.Time
	Rand  io.Reader
}

// Page serves one account's page. Its methods may be called from several goroutines.
type Page struct {
	Options
	ctx  context.Context // of the page's whole life
	host string          // "127.0.0.1:4711"; empty: see New

	mu       sync.Mutex
	keys     []key               // mu; that were given out and not used
	sessions map[digest]*session // mu; by their tokens
	lock     lock                // mu
	checking sync.Mutex          // one passphrase at a time
}

// New makes a page for requests to exactly this host; "localhost" of any port where it is empty, for a unix socket, whose other end picks its own.
// It ends with ctx.
func New(ctx context.Context, o Options, host string) *Page {
	return &Page{Options: o, ctx: ctx, host: host, sessions: map[digest]*session{}, lock: lock{used: o.Now()}}
}

// Handler serves the page.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", p.static)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /events", p.events)
	mux.Handle("POST /rpc", p.inside(p.call))
	mux.Handle("POST /upload", p.inside(p.upload))
	mux.Handle("POST /file", p.inside(p.file))
	mux.Handle("POST /backup", p.inside(p.backup))
	mux.Handle("POST /restore", p.inside(p.restore))
	mux.Handle("POST /history", p.inside(p.history))
	return p.guard(http.NewCrossOriginProtection().Handler(mux))
}
