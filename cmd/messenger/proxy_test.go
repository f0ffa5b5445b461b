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
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client/remote/sockstest"
)

// unknown is a name that nobody can resolve (RFC 6761, 6.4): whatever reaches it went through the proxy as a name.
const unknown = "chat.invalid"

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
	cmd := w.program("messenger", who, args...)
	out, connects, err := sockstest.Watch(w, cmd)
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		w.Fatalf("%s: messenger %s: %v, want exit code %d\n%s", who, strings.Join(args, " "), err, code, out)
	}
	return out, connects
}

// A server with an authority of its own, behind a proxy that alone knows the way: one registers, sends and receives through it, with files, and after a
// restart of everything. Nothing goes beside the proxy, neither a question for the name nor a connection, also not when the proxy is gone.
func TestAllGoesThroughTheProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	sockstest.Strace(t)
	ca, certificate, key := ownAuthority(t, unknown)
	w := newTown(t, "--tls-certificate", certificate, "--tls-key", key)
	_, address, _ := strings.Cut(w.url, "//")
	proxy := sockstest.New(t, address)
	through := []string{proxy.Port()}
	url := fmt.Sprintf("https://%s:%s", unknown, address[strings.LastIndex(address, ":")+1:])
	register := func(who string, code int, more ...string) string {
		t.Helper()
		invite, _ := w.run("server", 0, "invite")
		out, connects := w.watched(who, code, append([]string{"register", "--server", url, "--proxy", proxy.URL(), "--invite", strings.TrimSpace(invite)}, more...)...)
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
	if got, want := proxy.Ways(), []string{strings.TrimPrefix(url, "https://")}; !slices.Equal(got, want) {
		t.Errorf("the proxy was asked for %v, want %v", got, want)
	}
	// The proxy goes. Nothing looks for another way.
	proxy.Shut()
	out, connects := w.watched("alice", 3, "device", "list")
	if !slices.Equal(connects, through) {
		t.Errorf("without the proxy it connects to %v\n%s", connects, out)
	}
}
