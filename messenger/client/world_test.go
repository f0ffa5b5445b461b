package client_test

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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/group"
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
)

// world is a real server on a loopback port, which a test can make hostile, and people with devices.
type world struct {
	testing.TB
	store  serverstore.Store
	web    *httptest.Server
	server *server.Server
	n      int
	// between sees every request before the server; true means that it has answered.
	between atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	skew    atomic.Int64 // of everybody's clock
	stopped atomic.Int64 // when the clock was stopped, in nanoseconds; 0: it goes
}

func newWorld(t testing.TB) *world { return newWorldWith(t, func(*server.Config) {}) }

func newWorldWith(t testing.TB, change func(*server.Config)) *world {
	t.Helper()
	w := &world{TB: t}
	dir := t.TempDir()
	var err error
	if w.store, err = engine.Open(t.Context(), filepath.Join(dir, "store.db"), engine.Options{}); err != nil {
		t.Fatal(err)
	}
	blobs, err := attach.NewDisk(filepath.Join(dir, "attachments"), 0)
	if err != nil {
		t.Fatal(err)
	}
	router, presence := route.NewLocal("test", 0), new(deliver.Alone)
	c := server.Config{
		Version: "1.4.0", Store: w.store, Router: router, Blobs: blobs, Verifier: verify.Developer{}, Metrics: metric.New("1.4.0"),
		Sender: &deliver.Sender{Queue: w.store, Presence: presence, Router: router, Now: w.now},
		Hub:    deliver.NewHub(w.store, presence, router, w.now, deliver.Options{Poll: -1}),
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)), Now: w.now, Rand: rand.Reader,
	}
	change(&c)
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.server = s
	w.web = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.between.Load(); f != nil && (*f)(rw, r) {
			return
		}
		s.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		w.between.Store(nil)
		_ = s.Drain(ctx)
		w.web.Close()
		c.Sender.Close()
		_ = c.Hub.Close(ctx)
		_ = w.store.Close()
	})
	return w
}

func (w *world) now() time.Time {
	at := time.Now()
	if stopped := w.stopped.Load(); stopped != 0 {
		at = time.Unix(0, stopped)
	}
	return at.Add(time.Duration(w.skew.Load()))
}

// stop has everybody's clock stand still but for what later adds: however long a busy machine takes, nothing is due before its time.
func (w *world) stop() { w.stopped.Store(time.Now().UnixNano()) }

// later lets time go by for everybody, and has some look at what is due.
func (w *world) later(d time.Duration, who ...*device) {
	w.skew.Add(int64(d))
	for _, one := range who {
		client.TendForTest(one.acc)
	}
}

// hostile puts a test between everybody and the server; nil makes it honest again.
func (w *world) hostile(f func(http.ResponseWriter, *http.Request) bool) {
	if f == nil {
		w.between.Store(nil)
		return
	}
	w.between.Store(&f)
}

// device is one device of somebody.
type device struct {
	*world
	name   string
	number string
	dir    string
	acc    *client.Account
	cancel context.CancelFunc
	done   chan error
	log    *logBook
}

type logBook struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

var light = store.Cost{Time: 1, Memory: 8, Threads: 1}

func (w *world) options(d *device) client.Options {
	return client.Options{Dir: d.dir, Server: remote.Options{URL: w.web.URL}, World: session.World{Now: w.now, Rand: rand.Reader},
		Log: slog.New(slog.NewTextHandler(d.log, nil)), Cost: light, Pause: 20 * time.Millisecond}
}

func (w *world) invite() string {
	w.Helper()
	w.n++
	text := fmt.Sprintf("invite number %d", w.n)
	now := w.now()
	if err := w.store.PutInvite(w.Context(), serverstore.Invite{Hash: server.HashInvite(text), Uses: 1, Created: now, Expires: now.Add(time.Hour)}); err != nil {
		w.Fatal(err)
	}
	return text
}

// person registers somebody, who is online from then on.
func (w *world) person(name string) *device {
	w.Helper()
	d := &device{world: w, name: name, dir: filepath.Join(w.TempDir(), name), log: new(logBook)}
	acc, err := client.Register(w.Context(), w.options(d), []byte("passphrase"), client.Registration{Invite: w.invite()})
	if err != nil {
		w.Fatal(err)
	}
	d.use(acc)
	d.online()
	return d
}

func (d *device) use(acc *client.Account) {
	d.Helper()
	own, err := acc.Own(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	d.acc, d.number = acc, own.Number
	d.Cleanup(func() {
		if d.acc != nil {
			d.close()
		}
		if d.Failed() {
			d.Logf("log of %s:\n%s", d.name, d.log.String())
		}
	})
}

func (d *device) online() {
	d.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.done = cancel, make(chan error, 1)
	ready := make(chan struct{})
	acc := d.acc
	go func(done chan error) {
		done <- acc.Run(ctx, func() { close(ready) })
		close(done) // whoever asks after the first is not kept waiting
	}(d.done)
	select {
	case <-ready:
	case err := <-d.done:
		d.Fatal(d.name, err)
	case <-time.After(patience):
		d.Fatal(d.name, "does not get online")
	}
}

func (d *device) offline() {
	d.Helper()
	if d.cancel == nil {
		return
	}
	d.cancel()
	<-d.done
	d.cancel = nil
}

func (d *device) close() {
	d.offline()
	if err := d.acc.Close(); err != nil {
		d.Error(err)
	}
	d.acc = nil
}

// reopen is a restart of the program.
func (d *device) reopen() {
	d.Helper()
	d.close()
	acc, err := client.Open(d.Context(), d.options(d), []byte("passphrase"))
	if err != nil {
		d.Fatal(err)
	}
	d.acc = acc
}

// patience only ends a test that would wait for ever.
const patience = 2 * time.Minute

// waitFor waits until something holds.
func (w *world) waitFor(what string, f func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited in vain: %s", what)
		}
	}
}

// says sends a text.
func (d *device) says(to, text string) *history.Message {
	d.Helper()
	m, err := d.acc.Send(d.Context(), client.Draft{To: to, Text: text})
	if err != nil {
		d.Fatal(d.name, err)
	}
	return m
}

// conversation is what is shown: "name: text" for each, notices in brackets.
func (d *device) conversation(id string) []string {
	d.Helper()
	list, err := d.acc.Messages(d.Context(), id, 0, 1000)
	if err != nil {
		d.Fatal(err)
	}
	var out []string
	for _, m := range list {
		if m.Kind == history.Notice {
			out = append(out, "["+m.Notice+"]")
			continue
		}
		out = append(out, m.Body)
	}
	return out
}

// sees waits until a conversation reads like that.
func (d *device) sees(id string, want ...string) {
	d.Helper()
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got = d.conversation(id); strings.Join(got, " | ") == strings.Join(want, " | ") {
			return
		}
	}
	d.Fatalf("%s sees %.200q, want %.200q", d.name, got, want)
}

// state waits until a message of this device has come that far with everybody, or, of one that is sent, further: whoever looks late misses a state.
func (d *device) state(m *history.Message, want history.State) history.Delivery {
	d.Helper()
	var got history.Delivery
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		now, err := d.acc.Message(d.Context(), m.Seq)
		if err != nil || now == nil {
			d.Fatal(now, err)
		}
		if got = now.State(); got.State == want || want.Reached(history.Sent) && got.State.Reached(want) {
			return got
		}
	}
	d.Fatalf("%.100q of %s is %+v, want %s", m.Body, d.name, got, want)
	return got
}

// notice returns the text of the newest notice of a kind.
func (d *device) notice(id, kind string) string {
	d.Helper()
	var text string
	d.waitFor("a notice "+kind+" at "+d.name, func() bool {
		list, err := d.acc.Messages(d.Context(), id, 0, 1000)
		if err != nil {
			d.Fatal(err)
		}
		for _, m := range list {
			if m.Notice == kind {
				text = m.Body
			}
		}
		return text != ""
	})
	return text
}

// knows makes two people accept each other, with a greeting each way. Nothing of that is on its way any more when it returns: a receipt that comes later would
// come between what the test does next.
func knows(a, b *device) {
	a.Helper()
	first := a.says(b.number, "hello")
	b.sees(a.number, "hello")
	second := b.says(a.number, "hello back")
	a.sees(b.number, "hello", "hello back")
	for _, d := range []*device{a, b} {
		if err := client.QueueReceiptsForTest(d.Context(), d.acc); err != nil {
			d.Fatal(err)
		}
	}
	a.state(first, history.Delivered)
	b.state(second, history.Delivered)
	a.idle()
	b.idle()
}

// idle waits until a device has sent everything.
func (d *device) idle() {
	d.Helper()
	d.waitFor("everything of "+d.name+"'s to be sent", func() bool {
		n, err := d.acc.Queued(d.Context())
		if err != nil {
			d.Fatal(err)
		}
		return n == 0
	})
}

// link adds a device to somebody's account.
func (d *device) link(name string, draft bool) *device {
	d.Helper()
	return d.linkBy(name, draft, d.acc.AddDevice)
}

// linkWithHistory adds a device that gets what this one has.
func (d *device) linkWithHistory(name string) *device {
	d.Helper()
	return d.linkBy(name, false, d.acc.AddDeviceWithHistory)
}

func (d *device) linkBy(name string, draft bool, add func(ctx context.Context, code string, confirm func(string) (bool, error)) (uint32, error)) *device {
	d.Helper()
	e := &device{world: d.world, name: name, dir: filepath.Join(d.TempDir(), name), log: new(logBook)}
	code, digits := make(chan string, 1), make(chan string, 2)
	type linked struct {
		acc *client.Account
		err error
	}
	done := make(chan linked, 1)
	go func() {
		acc, err := client.Link(d.Context(), d.options(e), []byte("passphrase"), client.Linking{Name: name, Draft: draft,
			Show:    func(c string) error { code <- c; return nil },
			Confirm: func(number, six string) (bool, error) { digits <- six; return number == d.number, nil }})
		done <- linked{acc, err}
	}()
	var shown string
	select {
	case shown = <-code:
	case l := <-done:
		d.Fatal(l.err)
	}
	if _, err := add(d.Context(), shown, func(six string) (bool, error) { digits <- six; return true, nil }); err != nil {
		d.Fatal(err)
	}
	l := <-done
	if l.err != nil {
		d.Fatal(l.err)
	}
	if a, b := <-digits, <-digits; a != b || len(a) != 6 {
		d.Errorf("the screens show %q and %q", a, b)
	}
	e.use(l.acc)
	e.online()
	return e
}

// founds makes a group and waits until its members know it.
func (d *device) founds(name string, members ...*device) string {
	d.Helper()
	var numbers []string
	for _, m := range members {
		numbers = append(numbers, m.number)
	}
	id, err := d.acc.CreateGroup(d.Context(), name, numbers)
	if err != nil {
		d.Fatal(err)
	}
	for _, m := range members {
		m.memberOf(id, len(members)+1)
	}
	d.idle()
	return id
}

// memberOf waits until a device sees a group with so many members.
func (d *device) memberOf(id string, n int) {
	d.Helper()
	d.waitFor(fmt.Sprintf("%s in a group of %d", d.name, n), func() bool {
		g, err := d.acc.Group(d.Context(), id)
		if err != nil {
			d.Fatal(err)
		}
		return g != nil && len(g.List()) == n
	})
}

func (d *device) changes(id string, f func(g *group.State, self string) error) {
	d.Helper()
	if err := d.acc.ChangeGroup(d.Context(), id, f); err != nil {
		d.Fatal(d.name, err)
	}
}

func draft(to, text string) client.Draft { return client.Draft{To: to, Text: text} }

// copyOf copies the files of a closed account.
func copyOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// restore puts copied files back and opens the account.
func (d *device) restore(files map[string][]byte) {
	d.Helper()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(d.dir, name), b, 0o600); err != nil {
			d.Fatal(err)
		}
	}
	acc, err := client.Open(d.Context(), d.options(d), []byte("passphrase"))
	if err != nil {
		d.Fatal(err)
	}
	d.acc = acc
}
