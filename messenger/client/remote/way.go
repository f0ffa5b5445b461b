package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// ErrMoved says that the way to the server has been changed while something was on it.
var ErrMoved = errors.New("the way to the server has been changed meanwhile")

// way is how a server is reached. All connections over it are known, so that they can be ended with it.
type way struct {
	options Options
	base    *url.URL
	http    *http.Client
	dialer  *websocket.Dialer

	open  context.Context // until the way is closed
	leave context.CancelFunc

	mu    sync.Mutex
	conns map[net.Conn]bool // mu; nil: the way is closed
}

// newWay checks the options. What it refuses is an OptionsError.
func newWay(o Options) (*way, error) {
	base, err := o.base()
	if err != nil {
		return nil, err
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.CA) > 0 {
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, optionsErrorf("certificate authority: no certificate in PEM form")
		}
	}
	through, err := ParseProxy(o.Proxy)
	if err != nil {
		return nil, err
	}
	var proxy func(*http.Request) (*url.URL, error)
	if through != nil {
		proxy = http.ProxyURL(through)
	}
	w := &way{options: o, base: base, conns: map[net.Conn]bool{}}
	w.open, w.leave = context.WithCancel(context.Background())
	// The transport writes into its configuration that it speaks HTTP/2; a websocket that said so would get no answer it understands.
	transport := &http.Transport{Proxy: proxy, DialContext: w.dial, TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: 60 * time.Second, MaxResponseHeaderBytes: 64 << 10}
	never := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a server does not send us elsewhere with our password
	w.http = &http.Client{Transport: transport, CheckRedirect: never}
	w.dialer = &websocket.Dialer{Proxy: proxy, NetDialContext: w.dial, TLSClientConfig: trust, HandshakeTimeout: 30 * time.Second, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10}
	return w, nil
}

// base is the server's address, checked.
func (o Options) base() (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.RawQuery != "" || base.User != nil {
		return nil, optionsErrorf("server %q: want an address such as https://chat.example.org", o.URL)
	}
	if base.Scheme == "http" && !private(base.Hostname()) {
		return nil, optionsErrorf("server %q: passwords would cross the network in the clear; want https", o.URL)
	}
	return base, nil
}

// ParseProxy reads a proxy as Options have it; nil if there is none. Names are always resolved at its far end.
func ParseProxy(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	if strings.Contains(text, "//"+unshown+"@") {
		return nil, optionsErrorf("proxy %q: %s stands for a name and password that are not shown; give it in full", text, unshown)
	}
	p, err := url.Parse(text)
	if err != nil || p.Scheme != "socks5" && p.Scheme != "socks5h" || p.Port() == "" {
		return nil, optionsErrorf("proxy %q: want socks5://host:port", hidePassword(text))
	}
	p.Scheme = "socks5"
	return p, nil
}

// OptionsError says what is wrong with options, whatever there is at their other end.
type OptionsError struct{ text string }

func (e *OptionsError) Error() string { return e.text }

// Usage is true: the caller has to ask otherwise.
func (e *OptionsError) Usage() bool { return true }

func optionsErrorf(format string, args ...any) error {
	return &OptionsError{fmt.Sprintf(format, args...)}
}

// ShownProxy is the proxy without a password that may be in it.
func (o Options) ShownProxy() string { return hidePassword(o.Proxy) }

// Authorities are the certificates that CA has; none: the system's are trusted.
func (o Options) Authorities() (list []*x509.Certificate, err error) {
	for rest := o.CA; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate authority: %v", err)
		}
		list = append(list, c)
	}
}

// dial connects to the proxy, or without one to the server. ErrMoved.
func (w *way) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.open, cancel)()
	c, err := (&net.Dialer{Timeout: patience, KeepAlive: patience}).DialContext(ctx, network, address)
	switch {
	case err != nil && w.open.Err() != nil:
		return nil, ErrMoved
	case err != nil:
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		return nil, errors.Join(ErrMoved, c.Close())
	}
	w.conns[c] = true
	return &onWay{c, w}, nil
}

// close ends the way and all connections over it.
func (w *way) close() {
	w.leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// onWay is a connection that its way knows.
type onWay struct {
	net.Conn
	way *way
}

// Close closes the connection.
func (c *onWay) Close() error {
	c.way.mu.Lock()
	delete(c.way.conns, c.Conn)
	c.way.mu.Unlock()
	return c.Conn.Close()
}
