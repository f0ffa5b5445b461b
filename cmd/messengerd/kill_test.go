//go:build linux

package main

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
	"golang.org/x/sys/unix"
)

// The server is killed again and again under load, with SQLite. A third of the clients go away now and then, so that their messages wait in the queue.
//
// MESSENGERD_DRILL_KILLS and MESSENGERD_DRILL_MESSAGES make it bigger.
func TestKillUnderLoad(t *testing.T) {
	long(t)
	kills, messages := size(t, "MESSENGERD_DRILL_KILLS", 6), size(t, "MESSENGERD_DRILL_MESSAGES", 6000)
	o := newOperator(t)
	serve := func() *running { return o.serve("--development", "--limit-factor", "0") }
	r := serve()
	var address atomicText
	address.set(r.address)
	l := newLedger()
	phones := r.phones(12, l, func(*phone, int) string { return address.get() })
	for i, p := range phones {
		p.coy = i%3 == 0
	}
	start(t, phones)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	began := time.Now()
	for n := range kills {
		each := messages / kills
		l.promised(t, n*each+each/2+random.IntN(each/2+1))
		r.kill()
		r = serve()
		address.set(r.address)
	}
	l.promised(t, messages)
	hush(phones)
	l.settle(t)
	t.Logf("%d kills in %v", kills, time.Since(began).Round(time.Second))
	r.stop()
}

// ready asks whether the server can work.
func (r *running) ready() (int, string) {
	r.o.Helper()
	return r.request("http", "", "GET", "/ready", "")
}

// PostgreSQL crashes under load, stays away for a while, and comes back: senders are told, /ready says no, nothing that was answered for is lost, and the
// server goes on by itself.
func TestDatabaseDownAndBack(t *testing.T) {
	long(t)
	pg := peer.StartPostgres(t)
	o := newOperator(t)
	r := o.serve("--development", "--limit-factor", "0", "--database", pg.Database())
	l := newLedger()
	phones := r.phones(6, l, func(*phone, int) string { return r.address })
	for i, p := range phones {
		p.coy = i%3 == 0
	}
	start(t, phones)
	for range 2 {
		l.each(t, "all is well", phones, 100, 100)
		l.forget()               // what was said while it came back
		pg.Stop(syscall.SIGQUIT) // no checkpoint: a crash
		l.await(t, "senders are told", patience, func() bool {
			return l.toldOf("503") > 0
		})
		if code, body := r.ready(); code != 503 {
			t.Errorf("/ready without a database: %d %s", code, body)
		}
		if code, body := r.request("http", "", "GET", "/health", ""); code != 200 { // nothing that a new version or a restart would mend
			t.Errorf("/health without a database: %d %s", code, body)
		}
		pg.Start()
		l.each(t, "the database is back", phones, 100, 100)
	}
	hush(phones)
	l.settle(t)
	if code, body := r.ready(); code != 200 {
		t.Errorf("/ready: %d %s", code, body)
	}
	r.stop()
}

// The disk of the data directory fills up: what would need it is refused, what is there stays there, also when the server is killed then; connected devices
// still get messages; with room again all goes on without a restart.
func TestDiskFull(t *testing.T) {
	o := newOperator(t)
	data := filepath.Join(o.dir, "small")
	must(t, unix.Mkdir(data, 0o700))
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("skipped: a file system of its own cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(data, unix.MNT_DETACH) })
	serve := func() *running { return o.serve("--development", "--limit-factor", "0", "--data", data) }
	r := serve()
	var address atomicText
	address.set(r.address)
	l := newLedger()
	phones := r.phones(4, l, func(*phone, int) string { return address.get() })
	away := "+14155559999"
	r.register(away)
	start(t, phones)
	fill := func() (sent int) {
		for refused := 0; refused < 10; {
			k := key{phones[0].number, l.timestamp()}
			switch code, body := r.post(k.source, away, k.timestamp); code {
			case 200:
				l.promise(k, away)
				sent++
			case 503:
				refused++
			default:
				t.Fatalf("after %d messages: %d %s", sent, code, body)
			}
		}
		return sent
	}
	sent := fill()
	if sent < 100 {
		t.Errorf("only %d messages fitted", sent)
	}
	l.each(t, "the disk is full", phones, 50, 50) // from device to device, without the disk
	r.kill()
	must(t, unix.Mount("tmpfs", data, "tmpfs", unix.MS_REMOUNT, "size=64m"))
	r = serve()
	address.set(r.address)
	l.each(t, "there is room", phones, 50, 50)
	must(t, unix.Mount("tmpfs", data, "tmpfs", unix.MS_REMOUNT, "size=8m"))
	more := 0
	if sent < 900 { // else the queue of a device is full before the disk is
		more = fill()
	}
	must(t, unix.Mount("tmpfs", data, "tmpfs", unix.MS_REMOUNT, "size=64m"))
	k := key{phones[0].number, l.timestamp()}
	if code, body := r.post(k.source, away, k.timestamp); code != 200 {
		t.Errorf("with room again: %d %s", code, body)
	}
	l.promise(k, away)
	back := &phone{number: away, ledger: l, giveUp: patience, where: func(int) string { return address.get() }}
	back.quiet.Store(true)
	start(t, []*phone{back})
	hush(phones)
	l.settle(t)
	t.Logf("%d messages filled the disk, %d once more", sent, more)
	if log := r.read(); strings.Contains(log, "panic") {
		t.Error(log)
	}
	r.stop()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
