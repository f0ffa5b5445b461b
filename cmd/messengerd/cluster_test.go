//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
)

// authority signs the certificates of the bus and of the servers on it.
type authority struct {
	*testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{T: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("authority", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes name.pem and name.key.
func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.Fatal(err)
	}
	c.SerialNumber, c.Subject, c.NotBefore, c.NotAfter = serial, pkix.Name{CommonName: name}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(b), 0o600); err != nil {
			a.Fatal(err)
		}
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return issued, key
}

// bus starts a nats-server that talks to nobody without a certificate of the authority.
func (a *authority) bus() *peer.NATS {
	a.issue("bus", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	// As Debian configures it, it finds out about frozen clients after minutes.
	return peer.StartNATS(a, fmt.Sprintf("ping_interval: \"2m\"\nwrite_deadline: \"10s\"\ntls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", a.file("bus.pem"), a.file("bus.key"), a.file("authority.pem")))
}

// node starts messengerd as one of a cluster.
func (a *authority) node(o *operator, name, database, bus string) *running {
	if _, err := os.Stat(a.file(name + ".pem")); err != nil {
		a.issue(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	home := filepath.Join(o.dir, name)
	return (&operator{T: o.T, program: o.program, dir: o.dir, home: home}).serve("--development", "--limit-factor", "0", "--database", database, "--cluster", bus, "--node", name,
		"--cluster-certificate", a.file(name+".pem"), "--cluster-key", a.file(name+".key"), "--cluster-authority", a.file("authority.pem"))
}

func (r *running) signal(s syscall.Signal) {
	r.o.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, s); err != nil { // parent and child
		r.o.Fatal(err)
	}
}

// long skips what takes minutes where only races between goroutines of this process are looked for.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short")
	}
}

// size is a number from the environment: CI runs the small drill.
func size(t testing.TB, name string, small int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return small
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Two servers over one PostgreSQL and one NATS with certificates on both sides, and clients that write round a ring, so that messages go within each server
// and between both. Then one server is killed, one is frozen, and the bus goes away. Nothing that was answered for is lost or left lying, nothing
// comes twice under another name, clients find the other server, and a frozen server slows nobody for longer than it takes to notice.
//
// MESSENGERD_DRILL_ROUNDS repeats all that so many times, MESSENGERD_DRILL_PHONES sets how many clients there are.
func TestCluster(t *testing.T) {
	long(t)
	ca := newAuthority(t)
	bus := ca.bus()
	database := peer.StartPostgres(t).Database()
	o := newOperator(t)
	nodes := [2]*running{ca.node(o, "a", database, bus.URL), ca.node(o, "b", database, bus.URL)}
	var address [2]atomicText
	for i, n := range nodes {
		address[i].set(n.address)
	}
	l := newLedger()
	phones := nodes[0].phones(size(t, "MESSENGERD_DRILL_PHONES", 12), l, func(p *phone, try int) string {
		return address[(int(p.home.Load())+try)%2].get()
	})
	for _, p := range phones {
		p.giveUp = 5 * time.Second // one of the servers will be frozen
	}
	sleepers := phones[len(phones)-2:] // one at each server; everybody else writes to them as well
	phones = phones[:len(phones)-2]
	for i, p := range sleepers {
		p.asleep = true
		p.home.Store(int32(i))
	}
	for _, p := range phones {
		p.to = append(p.to, sleepers[0].number, sleepers[1].number)
	}
	phones[len(phones)-1].to[0] = phones[0].number
	settleDown := func() { // half of them to each server
		for i, p := range phones {
			p.home.Store(int32(i / 2 % 2))
			p.hangUp()
		}
		for _, p := range sleepers {
			p.hangUp()
		}
	}
	settleDown()
	start(t, append(sleepers, phones...))
	began := time.Now()
	wait := func(what string, sent, had int) {
		t.Helper()
		l.each(t, what, phones, sent, had)
		t.Logf("%5.1fs  %s", time.Since(began).Seconds(), what)
	}
	more := size(t, "MESSENGERD_DRILL_EACH", 50)
	for round := range size(t, "MESSENGERD_DRILL_ROUNDS", 1) {
		wait("all is well", more, more)

		victim := round % 2
		nodes[victim].kill()
		wait("one server was killed", more, more)
		nodes[victim] = ca.node(o, string(rune('a'+victim)), database, bus.URL)
		address[victim].set(nodes[victim].address)
		settleDown()
		before := slowness(phones)
		wait("it is back", more, more)
		usual := int64(0) // a busy machine has slow sends without any fault
		for _, p := range phones {
			usual = max(usual, p.slow.Load()-before[p])
		}

		frozen := nodes[1-victim]
		before = slowness(phones)
		frozen.signal(syscall.SIGSTOP)
		wait("one server is frozen", more, more)
		worst := int64(0)
		for _, p := range phones {
			// Without the breaker each of these waits for the frozen server: one when it froze, one or two until that was noticed, and the same for a
			// device that had just come from there.
			slow := p.slow.Load() - before[p]
			if slow > 5+usual {
				t.Errorf("%d of at least %d sends of one client waited for the frozen server; before it was frozen %d were as slow", slow, more, usual)
			}
			worst = max(worst, slow)
		}
		t.Logf("        at most %d sends of a client waited for the frozen server", worst)
		frozen.signal(syscall.SIGCONT)
		settleDown()
		wait("it goes on", more, more)

		bus.Stop(syscall.SIGKILL)
		wait("the bus is away", more, 0)
		bus.Start()
		wait("the bus is back", more, more)
	}
	hush(phones)
	l.settle(t)
	t.Logf("%5.1fs  all has come", time.Since(began).Seconds())
	moves := int64(0)
	for _, p := range phones {
		moves += p.moves.Load()
	}
	t.Logf("%d clients, %d connections", len(phones), moves)
	for _, n := range nodes {
		n.stop()
	}
}

func slowness(phones []*phone) map[*phone]int64 {
	m := map[*phone]int64{}
	for _, p := range phones {
		m[p] = p.slow.Load()
	}
	return m
}
