package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	// authorityPatience bounds one request to the authority.
	authorityPatience = 30 * time.Second
	// Between tries for a first certificate. Let's Encrypt allows five failures in an hour, so the fifth is at 30 minutes; and autocert
	// remembers a failure for a minute, in which it says only that a certificate is missing.
	firstRetry, lastRetry = 2 * time.Minute, time.Hour
	// certificateLook is how often the log is told of a certificate that was not renewed.
	certificateLook = 12 * time.Hour
)

// issued gets certificates from an ACME authority (RFC 8555, by the challenge of RFC 8737 on our own port) and keeps them in a directory.
// It asks by itself, before clients come, with growing pauses; a client never makes it ask for a first certificate. So strangers cannot use
// up what the authority allows, and clients do not wait for an authority that is away.
type issued struct {
	names     []string                                             // in lower case
	directory string                                               // URL
	reason    func(name string) string                             // what the authority said of the last try, if it looked at the name
	obtain    func(*tls.ClientHelloInfo) (*tls.Certificate, error) // blocks while the authority works; minutes at most
	log       *slog.Logger
	now       func() time.Time

	mu      sync.Mutex
	trouble map[string]error // mu; for each name, why there is no certificate yet, or nil
}

var errNotYet = errors.New("no certificate yet")

// directoryURL is where the authority says what it can do.
func (o *serveOptions) directoryURL() string {
	if o.acmeDirectory == "" {
		return acme.LetsEncryptURL
	}
	return o.acmeDirectory
}

// certificateCache keeps certificates, their keys and the account's key, for their owner only.
func certificateCache(data string) autocert.DirCache {
	return autocert.DirCache(filepath.Join(data, "certificates"))
}

// acmeClient talks to the authority, whose own certificate comes from --acme-root if that is given.
func (o *serveOptions) acmeClient() (*acme.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if o.acmeRoot != "" {
		pem, err := os.ReadFile(o.acmeRoot)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in it, want PEM", o.acmeRoot)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &acme.Client{DirectoryURL: o.directoryURL(), UserAgent: "messengerd", HTTPClient: &http.Client{Transport: t, Timeout: authorityPatience}}, nil
}

// newIssued asks nobody yet. Data is the directory of the server's data.
func (o *serveOptions) newIssued(data string, log *slog.Logger, now func() time.Time) (*issued, error) {
	client, err := o.acmeClient()
	if err != nil {
		return nil, err
	}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Email: o.acmeEmail, Client: client, Cache: certificateCache(data)}
	r := &reasons{RoundTripper: client.HTTPClient.Transport, last: map[string]string{}}
	client.HTTPClient.Transport = r
	c := &issued{directory: client.DirectoryURL, obtain: m.GetCertificate, reason: r.take, log: log, now: now, trouble: map[string]error{}}
	for _, name := range o.domains {
		name = strings.ToLower(name)
		c.names, r.last[name] = append(c.names, name), ""
		if _, err := m.Cache.Get(context.Background(), name); err != nil {
			c.trouble[name] = errNotYet
		} else {
			c.trouble[name] = nil // a client may come before we looked
		}
	}
	m.HostPolicy = autocert.HostWhitelist(c.names...)
	return c, nil
}

// config is for the server's listener.
func (c *issued) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1", acme.ALPNProto}}
}

// get is for clients and for the challenges.
func (c *issued) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	challenge := len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
	c.mu.Lock()
	err, ours := c.trouble[strings.ToLower(hello.ServerName)]
	c.mu.Unlock()
	switch {
	case !ours: // in no other spelling either: autocert would find our name in wide letters
		return nil, fmt.Errorf("no certificate is wanted for %q", hello.ServerName)
	case err != nil && !challenge:
		return nil, err
	}
	return c.obtain(hello)
}

// run gets a certificate for each name, says what came of it, and looks after them until ctx ends.
func (c *issued) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, name := range c.names {
		all.Go(func() { c.look(ctx, name) })
	}
	all.Wait()
}

func (c *issued) look(ctx context.Context, name string) {
	retry, told := firstRetry, ""
	for {
		cert, err := c.obtain(aheadOf(name))
		if reason := c.reason(name); err != nil && reason != "" {
			err = fmt.Errorf("the authority says: %s (%v)", reason, err)
		}
		c.mu.Lock()
		if c.trouble[name] = err; err != nil {
			c.trouble[name] = fmt.Errorf("%w: %v", errNotYet, err)
		}
		c.mu.Unlock()
		pause := certificateLook
		if err != nil {
			pause, retry = retry, min(2*retry, lastRetry)
			c.log.Warn("no certificate: clients cannot connect", "name", name, "authority", c.directory, "error", err, "again-in", pause)
		} else if until := cert.Leaf.NotAfter; late(cert.Leaf, c.now()) {
			c.log.Warn("certificate was not renewed: see messengerd doctor", "name", name, "authority", c.directory, "until", until)
		} else if until.String() != told {
			c.log.Info("certificate", "name", name, "until", until)
			told = until.String()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// late says whether a certificate should have been renewed long ago: autocert begins 30 days before its end, or when a third of its time is left.
func late(leaf *x509.Certificate, now time.Time) bool {
	return leaf.NotAfter.Sub(now) < min(20*24*time.Hour, leaf.NotAfter.Sub(leaf.NotBefore)/5)
}

// aheadOf is what a client of today would say, for a certificate that all but the oldest understand.
func aheadOf(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}
