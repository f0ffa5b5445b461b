package tui_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/metric"
	"github.com/countersign-project/countersign/messenger/server/route"
	serverstore "github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
	"github.com/countersign-project/countersign/messenger/server/verify"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/tui"
)

// world is a real server on a loopback port.
type world struct {
	*testing.T
	url    string
	store  serverstore.Store
	honest http.Handler
	n      int
	// between sees every request before the server; true means that it has answered.
	between atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	s, err := engine.Open(t.Context(), filepath.Join(dir, "store.db"), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := attach.NewDisk(filepath.Join(dir, "attachments"), 0)
	if err != nil {
		t.Fatal(err)
	}
	router, presence := route.NewLocal("test", 0), new(deliver.Alone)
	c := server.Config{Version: "1.4.0", Store: s, Router: router, Blobs: blobs, Verifier: verify.None{}, Metrics: metric.New("1.4.0"),
		Sender: &deliver.Sender{Queue: s, Presence: presence, Router: router, Now: time.Now},
		Hub:    deliver.NewHub(s, presence, router, time.Now, deliver.Options{Poll: -1}), Log: silent(), Now: time.Now, Rand: rand.Reader}
	srv, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, store: s, honest: srv}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.between.Load(); f == nil || !(*f)(rw, r) {
			srv.ServeHTTP(rw, r)
		}
	}))
	w.url = web.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = srv.Drain(ctx)
		web.Close()
		c.Sender.Close()
		_ = c.Hub.Close(ctx)
		_ = s.Close()
	})
	return w
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func (w *world) invite() string {
	w.Helper()
	w.n++
	text := fmt.Sprint("invite number ", w.n)
	if err := w.store.PutInvite(w.Context(), serverstore.Invite{Hash: server.HashInvite(text), Uses: 1, Created: time.Now(), Expires: time.Now().Add(time.Hour)}); err != nil {
		w.Fatal(err)
	}
	return text
}

// person is somebody with a daemon.
type person struct {
	*world
	dir, number string
	stop        func()
}

func (w *world) options(dir string) client.Options {
	return client.Options{Dir: dir, Server: remote.Options{URL: w.url}, World: session.World{Now: time.Now, Rand: rand.Reader}, Log: silent(),
		Cost: store.Cost{Time: 1, Memory: 8, Threads: 1}, Pause: 20 * time.Millisecond}
}

// person registers somebody, whose daemon runs from then on.
func (w *world) person(name string) *person {
	w.Helper()
	dir, err := os.MkdirTemp("", "tui") // a socket's path must be short
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = os.RemoveAll(dir) })
	a, err := client.Register(w.Context(), w.options(dir), []byte("x"), client.Registration{Invite: w.invite()})
	if err != nil {
		w.Fatal(err)
	}
	if err := a.SetProfileName(w.Context(), name); err != nil {
		w.Fatal(err)
	}
	own, err := a.Own(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	p := &person{world: w, dir: dir, number: own.Number}
	p.serve(a, "1.4.0")
	w.Cleanup(func() { p.stop() })
	return p
}

// serve is the daemon, of some version.
func (p *person) serve(a *client.Account, version string) {
	p.Helper()
	l, err := rpc.Listen(p.dir)
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	ready := make(chan struct{})
	go func() { done <- (&rpc.Server{Account: a, Version: version, Log: silent()}).ServeSocket(ctx, l) }()
	go func() { done <- a.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case <-time.After(patience):
		p.Fatal("no connection to the server")
	}
	p.stop = func() {
		p.stop = func() {}
		cancel()
		<-done
		<-done
		_ = a.Close()
	}
}

// again starts the daemon after it was stopped, as another version.
func (p *person) again(version string) {
	p.Helper()
	a, err := client.Open(p.Context(), p.options(p.dir), []byte("x"))
	if err != nil {
		p.Fatal(err)
	}
	p.serve(a, version)
}

func (p *person) dial() *rpc.Client {
	p.Helper()
	c, err := rpc.Dial(p.Context(), p.dir)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { c.Close() })
	return c
}

// does calls a method as a program of this person would.
func (p *person) does(method string, params map[string]any, out any) {
	p.Helper()
	c, err := rpc.Dial(p.Context(), p.dir)
	if err != nil {
		p.Fatal(err)
	}
	defer c.Close()
	if err := c.Call(p.Context(), method, params, out); err != nil {
		p.Fatalf("%s %v: %v", method, params, err)
	}
}

// screen is the messenger of this person, which finds the daemon again.
func (p *person) screen(with string, width, height int) *screen {
	p.Helper()
	o := options(p.dial())
	o.With = with
	o.Again = func(ctx context.Context) (tui.Conn, error) {
		for {
			c, err := rpc.Dial(ctx, p.dir)
			if err == nil {
				return c, nil
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return newScreen(p.T, o, width, height)
}
