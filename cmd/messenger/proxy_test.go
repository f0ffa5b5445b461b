//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// unknown is a name that nobody can resolve (RFC 6761, 6.4): whatever reaches it went through the proxy as a name.
const unknown = "chat.invalid"

// socks is a SOCKS5 proxy (RFC 1928) that leads every way to one place and keeps what it was asked for.
type socks struct {
	net.Listener
	to    string
	mu    sync.Mutex
	asked []string // mu
}

func newSocks(t *testing.T, to string) *socks {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &socks{Listener: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *socks) port() int { return p.Addr().(*net.TCPAddr).Port }

func (p *socks) serve(c net.Conn) {
	defer c.Close()
	var head [5]byte
	if _, err := io.ReadFull(c, head[:2]); err != nil || head[0] != 5 {
		return
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil {
		return
	}
	_, _ = c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, head[:5]); err != nil {
		return
	}
	asked := "an address instead of a name"
	if head[3] == 3 {
		rest := make([]byte, int(head[4])+2)
		if _, err := io.ReadFull(c, rest); err != nil {
			return
		}
		asked = fmt.Sprintf("%s:%d", rest[:head[4]], binary.BigEndian.Uint16(rest[head[4]:]))
	}
	p.mu.Lock()
	p.asked = append(p.asked, asked)
	p.mu.Unlock()
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer far.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
	_, _ = io.Copy(c, far)
}

// ways are the places that were asked for, each once.
func (p *socks) ways() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(p.asked)))
}

// ownAuthority writes an authority's certificate, and a certificate of its for a name with its key.
func ownAuthority(t *testing.T, name string) (ca, certificate, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "our own"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotAfter: root.NotAfter}
	dir := t.TempDir()
	write := func(file, kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, secret.Public(), secret)
	ca = write("ca.pem", "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, leaf, root, secret.Public(), secret)
	certificate = write("certificate.pem", "CERTIFICATE", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(secret)
	return ca, certificate, write("key.pem", "PRIVATE KEY", der, err)
}

// watched is a command of which strace writes down where it connects to.
func (w *town) watched(who string, code int, args ...string) (out string, connects []string) {
	w.Helper()
	trace := filepath.Join(w.dir, "trace")
	cmd := w.program("", who)
	path, err := exec.LookPath("strace")
	if err != nil {
		w.Fatal(err)
	}
	cmd.Path = path
	cmd.Args = append([]string{"strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", trace, filepath.Join(w.dir, "messenger")}, args...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		w.Fatalf("%s: messenger %s: %v, want exit code %d\n%s", who, strings.Join(args, " "), err, code, b)
	}
	calls, err := os.ReadFile(trace)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`sa_family=AF_INET6?, sin6?_port=htons\((\d+)\)`).FindAllStringSubmatch(string(calls), -1) {
		connects = append(connects, m[1])
	}
	slices.Sort(connects)
	return string(b), slices.Compact(connects)
}

// A server with an authority of its own, behind a proxy that alone knows the way: one registers, sends and receives through it, with files, and after a
// restart of everything. Nothing goes beside the proxy, neither a question for the name nor a connection, also not when the proxy is gone.
func TestAllGoesThroughTheProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("strace is not installed: nobody has seen where the program connects to (apt-get install strace)")
	}
	ca, certificate, key := ownAuthority(t, unknown)
	w := newTown(t, "--tls-certificate", certificate, "--tls-key", key)
	_, address, _ := strings.Cut(w.url, "//")
	proxy := newSocks(t, address)
	through := []string{fmt.Sprint(proxy.port())}
	url := fmt.Sprintf("https://%s:%s", unknown, address[strings.LastIndex(address, ":")+1:])
	register := func(who string, code int, more ...string) string {
		t.Helper()
		invite, _ := w.run("server", 0, "invite")
		out, connects := w.watched(who, code, append([]string{"register", "--server", url, "--proxy", "socks5://" + proxy.Addr().String(), "--invite", strings.TrimSpace(invite)}, more...)...)
		if !slices.Equal(connects, through) {
			t.Errorf("%s registers and connects to the ports %v, want %v", who, connects, through)
		}
		return out
	}
	// Without the authority nothing is trusted, and the person is told what is missing.
	if out := register("alice", 3); !strings.Contains(out, "give it with --ca FILE") {
		t.Error(out)
	}
	number := regexp.MustCompile(`You are (\+\d+)\.`)
	numbers := map[string]string{}
	for _, who := range []string{"alice", "bob"} {
		m := number.FindStringSubmatch(register(who, 0, "--ca", ca))
		if m == nil {
			t.Fatal(who, "has no number")
		}
		numbers[who] = m[1]
	}
	if err := os.Remove(ca); err != nil { // it is kept with the account
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "picture.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("a large file\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	does := func(who, want string, args ...string) {
		t.Helper()
		out, connects := w.watched(who, 0, args...)
		if !strings.Contains(out, want) || !slices.Equal(connects, through) {
			t.Errorf("%s: messenger %s connects to %v, want %v, and says\n%swant %s", who, strings.Join(args, " "), connects, through, out, want)
		}
	}
	does("alice", "sent to "+numbers["bob"], "send", numbers["bob"], "through", "the", "dark", "--file", file)
	does("bob", numbers["alice"]+": through the dark", "receive")
	does("bob", "picture.txt", "save", w.newestFile("bob", numbers["alice"]), "--dir", t.TempDir())
	does("bob", "sent to "+numbers["alice"], "send", numbers["alice"], "I can see you")
	does("alice", "I can see you", "receive")
	if got, want := proxy.ways(), []string{strings.TrimPrefix(url, "https://")}; !slices.Equal(got, want) {
		t.Errorf("the proxy was asked for %v, want %v", got, want)
	}
	// The proxy goes. Nothing looks for another way.
	_ = proxy.Close()
	out, connects := w.watched("alice", 3, "device", "list")
	if !slices.Equal(connects, through) {
		t.Errorf("without the proxy it connects to %v\n%s", connects, out)
	}
}
