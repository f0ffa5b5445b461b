package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

var (
	ones     = strings.Repeat("11", 32)
	peerLine = "b.example https://b.example:8443 sha256:" + ones
)

// What contradicts itself, or would send passwords and codes where they do not belong, is refused by name.
func TestServeRefusals(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"--listen", "[::1]:8080"}, ""},
		{[]string{"--listen", "8080"}, `--listen "8080": want host:port`},
		{[]string{"--listen", "0.0.0.0:80"}, "--listen 0.0.0.0:80: passwords would cross the network in the clear"},
		{[]string{"--listen", "0.0.0.0:80", "--proxy", "10.0.0.0/8"}, ""},
		{[]string{"--listen", ":443", "--acme-domain", "chat.example.org"}, ""},
		{[]string{"--acme-directory", "https://ca.example/dir"}, "--acme-directory, --acme-root and --acme-email: not without --acme-domain"},
		{[]string{"--acme-domain", "chat.example.org", "--acme-root", "x"}, "--acme-root: not without --acme-directory; the default authority has a root that computers trust"},
		{[]string{"--acme-domain", "chat.example.org", "--acme-directory", "http://ca.example/dir"}, `--acme-directory "http://ca.example/dir": want https://…`},
		{[]string{"--acme-domain", "chat.example.org,Xn--bcher-kva.example", "--acme-directory", "https://ca.example/dir", "--acme-root", "x"}, ""},
		{[]string{"--acme-domain", "localhost"}, `--acme-domain "localhost": want a name as it is in DNS, such as chat.example.org or xn--bcher-kva.example`},
		{[]string{"--acme-domain", "10.0.0.1"}, `--acme-domain "10.0.0.1": want a name as it is in DNS, such as chat.example.org or xn--bcher-kva.example`},
		{[]string{"--acme-domain", "bücher.example"}, `--acme-domain "bücher.example": want a name as it is in DNS, such as chat.example.org or xn--bcher-kva.example`},
		{[]string{"--acme-domain", "*.example.org"}, `--acme-domain "*.example.org": want a name as it is in DNS, such as chat.example.org or xn--bcher-kva.example`},
		{[]string{"--acme-domain", "../x.example"}, `--acme-domain "../x.example": want a name as it is in DNS, such as chat.example.org or xn--bcher-kva.example`},
		{[]string{"--proxy", "x"}, `--proxy "x": want a network such as 10.0.0.0/8, or an address`},
		{[]string{"--development"}, ""},
		{[]string{"--development", "--listen", ":443", "--acme-domain", "a.example"}, "--development with --listen :443: codes would be shown to everybody; want a loopback address such as 127.0.0.1"},
		{[]string{"--development", "--proxy", "127.0.0.1"}, "--development: not together with --sms-webhook or --proxy"},
		{[]string{"--tls-certificate", "x"}, "--tls-certificate and --tls-key: give both or none"},
		{[]string{"--sms-webhook", "https://x.example"}, "--sms-webhook and --sms-webhook-secret: give both or none"},
		{[]string{"--limit-factor", "-1"}, "--limit-factor -1: want 0 or more"},
		{[]string{"--drain", "1m"}, "--drain 1m0s: want 0s to 15s"},
		{[]string{"--public-url", "https://x.example/"}, `--public-url "https://x.example/": want https://name, without slash at the end`},
		{[]string{"--cluster", "nats://127.0.0.1:4222"}, "--cluster: the servers must share a database; give --database postgres://…"},
		{[]string{"--cluster", "nats://127.0.0.1:4222", "--database", "postgres://x"}, ""},
		{[]string{"--cluster", "nats://bus.example:4222", "--database", "postgres://x"}, "--cluster nats://bus.example:4222: the bus carries who writes to whom, and whoever is on it can swallow messages"},
		{[]string{"--attachments", "https://s3.example/chat"}, "--attachments and --attachments-credentials: give both or none"},
		{[]string{"--attachments-region", "x"}, "--attachments-region: only with --attachments"},
		{[]string{"--attachments", "http://s3.example/chat", "--attachments-credentials", "x"}, `--attachments: "http://s3.example/chat": who fetches what would cross the network in the clear; want https`},
		{[]string{"--attachments", "https://s3.example/chat", "--attachments-credentials", "x"}, ""},
		{[]string{"--max-attachments", "0"}, "--max-attachments: want more than nothing"},
		{[]string{"--node", "a"}, "--node and --cluster-…: only with --cluster"},
		{[]string{"--federation-name", "a.example"}, "--federation-…: only with --federation-peer"},
		{[]string{"--federation-peer", peerLine}, "--federation-name: peers need a name for this server"},
		{[]string{"--federation-peer", peerLine, "--federation-name", "A"}, `--federation-name: "A" is no name of a server: want 1 to 63 of a to z, 0 to 9, dots and dashes`},
		{[]string{"--federation-peer", peerLine, "--federation-name", "a.example", "--federation-listen", "8443"}, `--federation-listen "8443": want host:port`},
		{[]string{"--federation-peer", peerLine, "--federation-name", "b.example"}, "--federation-peer: b.example: this server or another peer has that name"},
		{[]string{"--federation-peer", peerLine, "--federation-peer", "c.example https://c.example sha256:" + ones, "--federation-name", "a.example"}, "--federation-peer: c.example: its pin is b.example's, too; the key is how servers are told apart"},
		{[]string{"--federation-peer", "b.example http://b.example sha256:" + ones, "--federation-name", "a.example"}, `--federation-peer: peer "b.example": "http://b.example": want https://host:port`},
		{[]string{"--federation-peer", peerLine, "--federation-name", "a.example", "--federation-listen", ":8443"}, ""},
	} {
		o, cmd := new(serveOptions), new(cobra.Command)
		o.flags(cmd)
		if err := cmd.ParseFlags(c.args); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := o.check(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: got %q, want %q", c.args, got, c.want)
		}
	}
}

// A renewed certificate is taken up without a restart; a broken one leaves the old in use.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c := &certificate{file: filepath.Join(dir, "c"), key: filepath.Join(dir, "k"), now: func() time.Time { return now }}
	if _, err := c.get(nil); err == nil {
		t.Fatal("no file is no error")
	}
	first := writeCertificate(t, c.file, c.key, now)
	serial := func() string {
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	if got := serial(); got != first {
		t.Fatalf("serial %s, want %s", got, first)
	}
	second := writeCertificate(t, c.file, c.key, now)
	touch(t, c.file, now.Add(time.Hour))
	if got := serial(); got != first {
		t.Errorf("looked at the file within a minute: %s", got)
	}
	now = now.Add(2 * time.Minute)
	if got := serial(); got != second {
		t.Errorf("serial %s, want the renewed %s", got, second)
	}
	if err := os.WriteFile(c.file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(t, c.file, now.Add(2*time.Hour))
	now = now.Add(2 * time.Minute)
	if got := serial(); got != second {
		t.Errorf("serial %s after a broken file", got)
	}
}

func touch(t *testing.T, file string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}
