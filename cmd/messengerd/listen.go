package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// newHTTP returns an HTTP server within bounds. Handlers of attachments stretch the deadlines by what is to be moved.
func newHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(dropAddresses{log.Handler()}, slog.LevelDebug),
	}
}

// dropAddresses keeps what net/http says about single clients out of the log: it names their addresses.
type dropAddresses struct{ slog.Handler }

func (d dropAddresses) Handle(ctx context.Context, r slog.Record) error {
	r.Message = "http: a request or a handshake failed"
	return d.Handler.Handle(ctx, r)
}

// tlsConfig returns nil for plain HTTP, and what shall run beside the server, if anything, until its context ends.
func (o *serveOptions) tlsConfig(dir string, log *slog.Logger, now func() time.Time) (_ *tls.Config, beside func(context.Context), _ error) {
	switch {
	case o.certificate != "":
		c := &certificate{file: o.certificate, key: o.key, now: now}
		if _, err := c.get(nil); err != nil {
			return nil, nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}, nil, nil
	case len(o.domains) > 0:
		c, err := o.newIssued(dir, log, now)
		if err != nil {
			return nil, nil, err
		}
		return c.config(), c.run, nil
	}
	return nil, nil, nil
}

// certificate reads its files again when they have changed, so that renewing needs no restart. A broken new pair leaves the old one in use.
type certificate struct {
	file, key string
	now       func() time.Time

	mu      sync.Mutex
	cert    *tls.Certificate // mu
	changed time.Time        // mu; of the file, as read
	looked  time.Time        // mu
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.cert != nil && now.Sub(c.looked) < time.Minute {
		return c.cert, nil
	}
	c.looked = now
	info, err := os.Stat(c.file)
	if err == nil && (c.cert == nil || !info.ModTime().Equal(c.changed)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.file, c.key); err == nil {
			c.cert, c.changed = &pair, info.ModTime()
		}
	}
	if c.cert == nil {
		return nil, err
	}
	return c.cert, nil
}

// serveHTTP answers until ctx ends, and then lets clients finish and tells them to come again.
func serveHTTP(ctx context.Context, o *serveOptions, p *parts, l net.Listener, config *tls.Config) error {
	srv := newHTTP(p.server, p.log)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		p.log.Info("stopping")
		done <- drain(o.drain, srv, p)
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// drain stops in an order in which nothing is lost: no new connections; requests in hand are answered, for which other clients' websockets must
// still acknowledge; then the websockets are told to connect again, and what they did not acknowledge is queued before its senders are
// answered; then the store may close.
func drain(within time.Duration, srv *http.Server, p *parts) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	half, stop := context.WithTimeout(ctx, within/2)
	defer stop()
	if err := srv.Shutdown(half); err != nil {
		p.log.Warn("some requests were cut", "error", err)
		srv.Close()
	}
	if p.peers != nil {
		if err := p.peers.Shutdown(half); err != nil {
			p.log.Warn("some requests of peers were cut", "error", err)
		}
	}
	if err := p.server.Drain(ctx); err != nil {
		p.log.Warn("some clients did not leave in time", "error", err)
	}
	return nil
}
