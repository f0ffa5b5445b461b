//go:build linux

package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// acmeAuthority is pebble, as messenger/interop/acme runs it.
type acmeAuthority struct {
	*testing.T
	cmd       *exec.Cmd
	directory string // URL
	dir       string // root.pem signs what is issued, server.pem the directory itself
	server    atomic.Pointer[string]
	challenge atomic.Int64 // connections from the authority to the server
}

// findACME finds the pinned program, built by messenger/interop/acme/build.sh into the user's cache.
func findACME(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("../../messenger/interop/acme/go.mod")
	must(t, err)
	source, err := os.ReadFile("../../messenger/interop/acme/main.go")
	must(t, err)
	pin := regexp.MustCompile(`github\.com/letsencrypt/pebble/v2 (v\S+)`).FindSubmatch(mod)
	if pin == nil {
		t.Fatal("messenger/interop/acme/go.mod pins no pebble")
	}
	sum := sha256.Sum256(source)
	cache, err := os.UserCacheDir()
	if err == nil {
		path := filepath.Join(cache, "countersign-interop", "pebble-"+string(pin[1])+"-"+hex.EncodeToString(sum[:4]))
		if _, err = os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI must get certificates from an ACME authority: run messenger/interop/acme/build.sh (%v)", err)
	}
	t.Skip("skipped: no ACME authority: messenger/interop/acme/build.sh builds one in half a minute")
	return ""
}

// newACME starts an authority. It looks at challenges at a port of ours, behind which the server is, wherever that listens.
func newACME(t *testing.T) *acmeAuthority {
	t.Helper()
	a := &acmeAuthority{T: t, dir: t.TempDir()}
	program := findACME(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go a.forward(l)
	a.cmd = exec.Command(program, "-dir", a.dir, "-tls-port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	a.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	out, err := a.cmd.StdoutPipe()
	must(t, err)
	must(t, a.cmd.Start())
	t.Cleanup(a.stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if u, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			a.directory = u
			return a
		}
	}
	t.Fatal("the authority does not listen")
	return nil
}

func (a *acmeAuthority) stop() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

func (a *acmeAuthority) forward(l net.Listener) {
	for {
		from, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		a.challenge.Add(1)
		for a.server.Load() == nil && a.Context().Err() == nil {
			time.Sleep(time.Millisecond) // the server asks as soon as it listens, maybe before the test has read where
		}
		if a.Context().Err() != nil {
			return
		}
		to, err := net.Dial("tcp", *a.server.Load())
		if err != nil {
			from.Close()
			continue
		}
		for _, pair := range [2][2]net.Conn{{to, from}, {from, to}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				pair[0].Close()
				pair[1].Close()
			}()
		}
	}
}

// handshake connects to a server as a client that trusts the authority, and returns its certificate.
func (a *acmeAuthority) handshake(address, name string) (*x509.Certificate, error) {
	a.Helper()
	pem, err := os.ReadFile(filepath.Join(a.dir, "root.pem"))
	must(a.T, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		a.Fatal("no root")
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: &tls.Config{RootCAs: roots, ServerName: name}}
	conn, err := d.DialContext(a.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := conn.(*tls.Conn)
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n"); err != nil {
		return nil, err
	}
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") {
		a.Errorf("%v: %s", err, b)
	}
	return c.ConnectionState().PeerCertificates[0], nil
}

// awaitLog waits until the server says something.
func (r *running) awaitLog(what string) string {
	r.o.Helper()
	pattern := regexp.MustCompile(`(?m)^.*` + what + `.*$`)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if line := pattern.FindString(r.read()); line != "" {
			return line
		}
		if time.Now().After(end) {
			r.o.Fatalf("no %s in\n%s", what, r.read())
		}
	}
}

// The server gets its certificate from a real authority before a client comes, by the challenge in TLS; for no other name; keeps it over a
// restart; and starts, serves what it has, and says what is wrong, while the authority is away.
func TestACME(t *testing.T) {
	a := newACME(t)
	o := newOperator(t)
	args := []string{"--acme-domain", "Chat.example.org", "--acme-email", "operator@example.org", "--acme-directory", a.directory, "--acme-root", filepath.Join(a.dir, "server.pem")}
	if out, _ := o.run(0, append([]string{"doctor", "--listen", "127.0.0.1:1"}, args...)...); !strings.Contains(out, "warning  certificate of chat.example.org: there is none yet") || !strings.Contains(out, "ok       authority: "+a.directory) {
		t.Error(out)
	}
	r := o.serve(args...)
	a.server.Store(&r.address)
	r.awaitLog("msg=certificate name=chat.example.org until=")
	first, err := a.handshake(r.address, "chat.example.org")
	if err != nil {
		t.Fatalf("%v\n%s", err, r.read())
	}
	if first.VerifyHostname("chat.example.org") != nil || a.challenge.Load() == 0 {
		t.Errorf("a certificate for %v, after %d looks at the challenge", first.DNSNames, a.challenge.Load())
	}
	again, err := a.handshake(r.address, "CHAT.example.org")
	if err != nil || again.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("the second client: %v", err)
	}
	asked := a.challenge.Load()
	for _, other := range []string{"other.example.org", "chat.example.org.example.com", "127.0.0.1"} {
		if _, err := a.handshake(r.address, other); err == nil {
			t.Errorf("a certificate for %s", other)
		}
	}
	if a.challenge.Load() != asked {
		t.Error("the authority was asked for other names")
	}
	if out, _ := o.run(0, append([]string{"doctor", "--listen", r.address}, args...)...); !strings.Contains(out, "ok       certificate of chat.example.org: until 20") || !strings.Contains(out, "ok       server: answers at "+r.address+" as Chat.example.org") {
		t.Error(out)
	}
	r.stop()
	kept, err := filepath.Glob(filepath.Join(o.home, "messengerd", "data", "certificates", "*"))
	if err != nil || len(kept) < 2 { // the certificate with its key, and the account's key
		t.Errorf("kept: %v, %v", kept, err)
	}
	for _, file := range kept {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	a.stop()
	r = o.serve(args...)
	if after, err := a.handshake(r.address, "chat.example.org"); err != nil || after.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("the authority is away: %v", err)
	}
	if out, _ := o.run(1, append([]string{"doctor", "--listen", r.address}, args...)...); !strings.Contains(out, "wrong    authority: ") || !strings.Contains(out, "connection refused") || !strings.Contains(out, "certificates in hand are served until they expire") {
		t.Error(out)
	}
	r.stop()
	args = append(args, "--data", filepath.Join(o.dir, "new")) // has no certificate, and cannot get one
	r = o.serve(args...)
	if line := r.awaitLog(`msg="no certificate: clients cannot connect"`); !strings.Contains(line, "name=chat.example.org") || !strings.Contains(line, a.directory) || !strings.Contains(line, "connection refused") {
		t.Error(line)
	}
	if _, err := a.handshake(r.address, "chat.example.org"); err == nil {
		t.Error("a certificate from nowhere")
	}
	if out, _ := o.run(1, append([]string{"doctor", "--listen", r.address}, args...)...); !strings.Contains(out, "wrong    server: it answers at "+r.address+", but not as Chat.example.org") {
		t.Error(out)
	}
	r.stop()
	if log := r.read(); strings.Contains(log, "version held") || strings.Contains(log, "panic") {
		t.Error(log)
	}
}

// What an operator can have wrong: the name leads elsewhere; the authority's root is not trusted; the URL is no directory.
func TestACMERefusals(t *testing.T) {
	a := newACME(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	elsewhere := nobody.Addr().String()
	must(t, nobody.Close())
	a.server.Store(&elsewhere) // port 443 of the name is not ours
	o := newOperator(t)
	args := []string{"--acme-domain", "chat.example.org", "--acme-directory", a.directory, "--acme-root", filepath.Join(a.dir, "server.pem")}
	r := o.serve(args...)
	if line := r.awaitLog(`msg="no certificate: clients cannot connect"`); !strings.Contains(line, "the authority says: ") || !strings.Contains(line, "again-in=2m0s") {
		t.Error(line)
	}
	if _, err := a.handshake(r.address, "chat.example.org"); err == nil {
		t.Error("a certificate from nowhere")
	}
	r.stop()
	for _, c := range []struct{ want, directory, root string }{
		{"give its root as --acme-root", a.directory, ""},
		{"no certificate in it, want PEM", a.directory, o.program},
		{"404", strings.TrimSuffix(a.directory, "/dir") + "/nothing", filepath.Join(a.dir, "server.pem")},
	} {
		out, _ := o.run(1, "doctor", "--listen", "127.0.0.1:1", "--acme-domain", "chat.example.org", "--acme-directory", c.directory, "--acme-root", c.root)
		if !strings.Contains(out, "wrong    authority: ") || !strings.Contains(out, c.want) {
			t.Errorf("no %q in\n%s", c.want, out)
		}
	}
}
