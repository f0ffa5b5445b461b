package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/web"
	"github.com/countersign-project/countersign/messenger/web/page"
	"github.com/countersign-project/countersign/release/anchor"
)

// desk is what a running messenger puts up for an account: the socket for programs, and the page.
type desk struct {
	p      *place
	ctx    context.Context
	log    *slog.Logger
	dir    string
	server atomic.Pointer[rpc.Server]
	served sync.WaitGroup
	// passphrase tells whether the open account has one; without, the page has nothing to lock itself with.
	passphrase atomic.Bool

	mu     sync.Mutex
	tcp    *web.Page                  // mu; nil: nobody has asked for it yet
	at     net.Addr                   // mu; of tcp
	socket *web.Page                  // mu
	opened map[string]<-chan struct{} // mu; closed when a browser has come
}

// pageSocket is the page's socket in an account's directory.
const pageSocket = "page.sock"

func (p *place) newDesk(ctx context.Context, log *slog.Logger, dir string) *desk {
	return &desk{p: p, ctx: ctx, log: log, dir: dir, opened: map[string]<-chan struct{}{}}
}

// use serves an account from now on, or with nil the door before it.
func (d *desk) use(a *client.Account) *rpc.Server {
	locks, err := a.Locks(d.ctx)
	d.passphrase.Store(err != nil || locks.Passphrase) // it stays so while the account is open here
	d.p.opened.Store(a)
	s := &rpc.Server{Account: a, Version: anchor.Version(), Log: d.log, More: d.methods(a), Bell: d.p.bell}
	d.server.Store(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range []*web.Page{d.tcp, d.socket} {
		if p != nil {
			p.Opened()
		}
	}
	return s
}

// locked tells whether the person has yet to open the account, on the page.
func (d *desk) locked() bool {
	s := d.server.Load()
	return s != nil && s.Account == nil
}

// asks tells whether there is a passphrase to ask for.
func (d *desk) asks() bool {
	if s := d.server.Load(); s != nil && s.Account != nil {
		return d.passphrase.Load()
	}
	locks, err := store.ReadLocks(d.ctx, d.dir)
	return err == nil && locks.Passphrase
}

// methods are what may be asked of this program beside the account.
func (p *place) methods(a *client.Account) map[string]rpc.Method {
	out := map[string]rpc.Method{"qrCode": drawCode}
	service := p.service
	if service == nil { // of a short command
		service = &updatecmd.Service{Way: p.commonWay}
		if a != nil {
			service.Way = func(context.Context) (*url.URL, error) { return a.Route() }
		}
	}
	for name, m := range p.host.Methods(service) {
		out[name] = m
	}
	if a != nil {
		out["serverAbout"] = p.serverAbout(a, service)
	}
	return out
}

// methods has the page's besides.
func (d *desk) methods(a *client.Account) map[string]rpc.Method {
	out := d.p.methods(a)
	out["openPage"], out["awaitPage"] = d.openPage, d.awaitPage
	return out
}

// opening is the answer to openPage: an address that works once, or a socket and what belongs behind the address of whatever is forwarded to it.
type opening struct {
	ID     string `json:"id"`
	URL    string `json:"url,omitempty"`
	Socket string `json:"socket,omitempty"`
	Key    string `json:"key,omitempty"`
}

// openPage makes the page ready for one more browser. Params: {"socket": true} for the mode without a port.
func (d *desk) openPage(_ context.Context, params json.RawMessage) (any, error) {
	var in struct {
		Socket bool `json:"socket"`
	}
	if len(params) > 0 {
		if err := json.Unmarshal(params, &in); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	start := d.overTCP
	if in.Socket {
		start = d.overSocket
	}
	p, err := start()
	if err != nil {
		return nil, err
	}
	key, used, err := p.Key()
	if err != nil {
		return nil, err
	}
	out := opening{ID: hex.EncodeToString(b[:])}
	d.opened[out.ID] = used
	if in.Socket {
		out.Socket, out.Key = filepath.Join(d.dir, pageSocket), key
	} else {
		out.URL = fmt.Sprintf("http://%s/#%s", d.at, key)
	}
	return out, nil
}

// awaitPage answers when a browser has used that opening.
func (d *desk) awaitPage(ctx context.Context, params json.RawMessage) (any, error) {
	var in struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(params, &in); err != nil {
		return nil, err
	}
	d.mu.Lock()
	used, ok := d.opened[in.ID]
	d.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no opening %.20q", in.ID)
	}
	select {
	case <-used:
		d.mu.Lock()
		delete(d.opened, in.ID)
		d.mu.Unlock()
		return map[string]bool{"open": true}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *desk) newPage(host string) *web.Page {
	return web.New(d.ctx, web.Options{Files: page.Files(), Server: d.server.Load, Locks: func() bool { return !d.locked() && d.asks() }, Check: d.check, Log: d.log, Now: d.p.app.Now, Rand: rand.Reader}, host)
}

func (d *desk) check(ctx context.Context, passphrase []byte) error {
	a := d.server.Load().Account
	if a == nil {
		return errors.New("there is no account to unlock")
	}
	return a.CheckPassphrase(ctx, passphrase)
}

// stateFile is beside the account's directory, which may not exist yet.
func (d *desk) stateFile() string { return d.dir + ".page" }

// before is what the process before has left. What does not read, because a disk was full, say, is as if there were nothing: run 'messenger open' again.
func (d *desk) before() web.State {
	s, err := web.ReadState(d.stateFile())
	if err != nil {
		d.log.Warn("the page's last state does not read", "file", d.stateFile(), "error", err)
		return web.State{}
	}
	return s
}

// overTCP begins to serve on a loopback port, unless that has begun. The caller holds mu.
func (d *desk) overTCP() (*web.Page, error) {
	if d.tcp != nil {
		return d.tcp, nil
	}
	before := d.before()
	l, err := web.Listen(before.Address)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	d.tcp, d.at = d.newPage(l.Addr().String()), l.Addr()
	if d.asks() { // otherwise there is no passphrase to give
		d.tcp.Restore(before)
	}
	d.serve(d.tcp, l)
	return d.tcp, nil
}

// overSocket begins to serve on a unix socket. The caller holds mu.
func (d *desk) overSocket() (*web.Page, error) {
	if d.socket != nil {
		return d.socket, nil
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	l, err := rpc.ListenAt(d.dir, pageSocket)
	if err != nil {
		return nil, err
	}
	d.socket = d.newPage("")
	d.serve(d.socket, rpc.Own{Listener: l, Log: d.log})
	return d.socket, nil
}

func (d *desk) serve(p *web.Page, l net.Listener) {
	d.log.Info("the page is served", "address", l.Addr())
	d.served.Go(func() {
		if err := p.Serve(l); err != nil {
			d.log.Error("page", "error", err)
		}
	})
}

// goOn serves the page again at once, where a browser showed it when the process before ended. It tells whether that was for another version below the same
// parent, so that the person has the page before him still.
func (d *desk) goOn() (bool, error) {
	before := d.before()
	if len(before.Sessions) == 0 {
		return false, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.overTCP()
	return err == nil && p.Tabs() > 0 && before.Parent == os.Getppid(), err
}

// call is a call of this process's own, as over the socket.
func (d *desk) call(ctx context.Context, method string, params, out any) error {
	b, err := json.Marshal(params)
	if err != nil {
		return err
	}
	result, err := d.methods(nil)[method](ctx, b)
	if err != nil || out == nil {
		return err
	}
	if b, err = json.Marshal(result); err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// end waits for what was served, once ctx has ended, and leaves the page's state for the next process.
func (d *desk) end() error {
	d.served.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tcp == nil {
		return nil
	}
	return d.tcp.Save(d.stateFile(), d.at, os.Getppid())
}
