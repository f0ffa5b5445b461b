package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newTestIssued looks after one name by the clock of the test's bubble; obtain decides what the authority does.
func newTestIssued(log io.Writer, obtain func() (*tls.Certificate, error)) *issued {
	return &issued{names: []string{"chat.example.org"}, directory: "https://authority.example/dir", reason: func(string) string { return "" },
		obtain: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return obtain() }, log: slog.New(slog.NewTextHandler(log, nil)),
		now: time.Now, trouble: map[string]error{"chat.example.org": errNotYet}}
}

// An authority that refuses is asked with growing pauses, five times in the first hour at most, however many clients come.
func TestAuthorityIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times atomic.Int32
		var works atomic.Bool
		asked := func() int { return int(times.Load()) }
		good := &tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Now(), NotAfter: time.Now().Add(90 * 24 * time.Hour)}}
		c := newTestIssued(io.Discard, func() (*tls.Certificate, error) {
			if times.Add(1); !works.Load() {
				return nil, errors.New("refused")
			}
			return good, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		for range 59 {
			synctest.Wait()
			before := asked()
			for _, name := range []string{"chat.example.org", "CHAT.example.org", "ｃhat.example.org", "other.example.org", ""} {
				_, err := c.get(&tls.ClientHelloInfo{ServerName: name})
				if ours := strings.EqualFold(name, "chat.example.org"); err == nil || errors.Is(err, errNotYet) != ours || asked() != before {
					t.Fatalf("%q: %v; asked %d times", name, err, asked()-before)
				}
			}
			time.Sleep(time.Minute)
		}
		if asked() != 5 { // at 0, 2, 6, 14 and 30 minutes
			t.Errorf("asked %d times in an hour", asked())
		}
		time.Sleep(24 * time.Hour)
		if n := asked() - 5; n < 23 || n > 25 {
			t.Errorf("asked %d times in the day after", n)
		}
		works.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, err := c.get(&tls.ClientHelloInfo{ServerName: "CHAT.example.org"}); err != nil || got != good {
			t.Errorf("it works again: %v", err)
		}
		cancel()
	})
}

// A certificate that is not renewed is in the log before it expires, and one that is all right only once.
func TestCertificateIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		start := time.Now()
		c := newTestIssued(&log, func() (*tls.Certificate, error) {
			return &tls.Certificate{Leaf: &x509.Certificate{NotBefore: start, NotAfter: start.Add(90 * 24 * time.Hour)}}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		time.Sleep(71 * 24 * time.Hour)
		synctest.Wait()
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=INFO msg=certificate name=chat.example.org") {
			t.Error(got)
		}
		time.Sleep(3 * 24 * time.Hour)
		synctest.Wait()
		if !strings.Contains(log.String(), `level=WARN msg="certificate was not renewed`) {
			t.Error(log.String())
		}
		cancel()
	})
}

// lines is a log that one goroutine writes and another reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type answer string

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// What the authority says of our names is kept, and what passes is not changed, whatever it is.
func TestReasons(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"identifier":{"type":"dns","value":"chat.example.org"},"status":"invalid","challenges":[{"type":"tls-alpn-01","error":{"type":"urn:ietf:params:acme:error:connection","detail":"Connection refused"}}]}`, "Connection refused"},
		{`{"identifier":{"type":"dns","value":"chat.example.org"},"status":"pending","challenges":[{"type":"tls-alpn-01"}]}`, ""},
		{`{"identifier":{"type":"dns","value":"other.example.org"},"challenges":[{"error":{"detail":"Connection refused"}}]}`, ""},
		{`{"challenges":[{"error":7}]}`, ""},
		{"-----BEGIN CERTIFICATE-----\n", ""},
		{"", ""},
		{`{"identifier":{"value":"chat.example.org"},"challenges":[{"error":{"detail":"` + strings.Repeat("x", maxAuthorization) + `"}}]}`, ""},
	} {
		r := &reasons{RoundTripper: answer(c.body), last: map[string]string{"chat.example.org": ""}}
		resp, err := r.RoundTrip(nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != c.body {
			t.Errorf("%.80q came out as %.80q: %v", c.body, b, err)
		}
		if got := r.take("chat.example.org"); got != c.want || len(r.last) != 1 {
			t.Errorf("%.80q: %q, want %q", c.body, got, c.want)
		}
		if again := r.take("chat.example.org"); again != "" {
			t.Errorf("given twice: %q", again)
		}
	}
}

// Servers of a cluster that have the same name may be asked for each other's proof.
func TestSameNameInTheCluster(t *testing.T) {
	for bus, want := range map[string]int{"": 0, "nats://127.0.0.1:4222": 1} {
		o := &serveOptions{place: place{data: t.TempDir()}, domains: []string{"chat.example.org"}, acmeDirectory: "https://127.0.0.1:1/dir"}
		o.cluster.bus = bus
		warned := 0
		for _, f := range o.examineAuthority(t.Context(), time.Now()) {
			if f.State == "warning" && strings.Contains(f.Detail, "another server of the cluster") {
				warned++
			}
		}
		if warned != want {
			t.Errorf("with the bus %q %d warnings, want %d", bus, warned, want)
		}
	}
}
