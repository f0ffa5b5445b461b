// Package remote is the client's end of the server's interface: requests over HTTP, and the websocket over which messages arrive.
//
// The server at the other end is untrusted: it may answer anything, at any length, or never. Answers are bounded in size and time, and what they
// say about keys and devices is for package session to judge. The way there may lead through a SOCKS5 proxy (Tor), which then also resolves
// names, and trust may be pinned to a certificate authority of one's own instead of the system's; that goes for attachments too.
//
// Numbers in comments are sections of the wire specification. It is the client's door to gorilla/websocket.
package remote

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
)

const (
	// maxAnswer bounds an answer in bytes: a thousand prekey bundles have fewer.
	maxAnswer = 4 << 20
	// patience is how long a request may take that carries no file.
	patience = 30 * time.Second
	// agent says what we are and nothing of whom.
	agent = "Countersign"
)

// Options say which server, and how to reach it.
type Options struct {
	// URL of the server: https, or http where the way is private anyway: to this machine, or to an onion address.
	URL string
	// CA is a PEM file's content. If there is one, only certificates below it are trusted.
	CA []byte
	// Proxy is empty or socks5://[user:password@]host:port.
	Proxy string
}

// Server is a server as its clients see it.
type Server struct {
	way atomic.Pointer[way]
}

// New checks the options. OptionsError.
func New(o Options) (*Server, error) {
	w, err := newWay(o)
	if err != nil {
		return nil, err
	}
	s := new(Server)
	s.way.Store(w)
	return s, nil
}

// Move goes another way from now on, and ends what is still under way on the one before. OptionsError: all stays as it is.
func (s *Server) Move(o Options) error {
	w, err := newWay(o)
	if err != nil {
		return err
	}
	s.way.Swap(w).close()
	return nil
}

// Options are how the server is reached now.
func (s *Server) Options() Options { return s.way.Load().options }

// URL returns the server's address.
func (s *Server) URL() string { return s.way.Load().base.String() }

// Close ends all connections.
func (s *Server) Close() { s.way.Load().close() }

func private(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || strings.HasSuffix(host, ".onion")
}

// Login is who asks. The zero value is a stranger.
type Login struct{ User, Password string }

// StatusError is an answer other than success.
type StatusError struct {
	Status int
	Text   string        // what the server says, for people
	Wait   time.Duration // it asks us to come again after that long; 0: it does not say
	Body   []byte
}

func (e *StatusError) Error() string {
	if e.Text != "" {
		return fmt.Sprintf("the server says: %s (%d)", e.Text, e.Status)
	}
	return fmt.Sprintf("the server says: %d %s", e.Status, strings.ToLower(http.StatusText(e.Status)))
}

// Refused tells a refusal from a failure.
func (e *StatusError) Refused() bool {
	return e.Status/100 == 4 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

// Status returns the status of a StatusError, 0 of any other error.
func Status(err error) int {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Status
	}
	return 0
}

// call makes one request. In and out are JSON, or nil.
func (s *Server) call(ctx context.Context, who Login, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	w := s.way.Load()
	req, err := http.NewRequestWithContext(ctx, method, w.base.String()+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", agent)
	if who.Password != "" {
		req.SetBasicAuth(who.User, who.Password)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return w.unreached(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("the server's answer broke off: %w", err)
	case len(b) > maxAnswer:
		return fmt.Errorf("the server's answer is longer than %d bytes", maxAnswer)
	case resp.StatusCode/100 != 2:
		return statusError(resp, b)
	case out == nil:
		return nil
	}
	if text, ok := out.(*string); ok {
		*text = string(b)
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the server's answer is not the JSON wanted: %v", err)
	}
	return nil
}

// ErrAuthority says that the server's certificate was signed by none of those who are trusted here.
var ErrAuthority = errors.New("the server's certificate is not signed by an authority that is trusted here")

// unreached says in our words why there is no answer, and without the URL that net/http puts into its errors: it may hold a number. ErrAuthority, ErrMoved.
func (w *way) unreached(err error) error {
	if w.open.Err() != nil {
		return ErrMoved
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return fmt.Errorf("no answer from the server: %w", ErrAuthority)
	}
	return fmt.Errorf("no answer from the server: %w", err)
}

func statusError(resp *http.Response, body []byte) error {
	e := &StatusError{Status: resp.StatusCode, Body: body}
	var said api.Error
	if json.Unmarshal(body, &said) == nil && len(said.Error) < 500 {
		e.Text = strings.Map(printable, said.Error)
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		e.Wait = min(time.Duration(n)*time.Second, 24*time.Hour)
	}
	return e
}

// printable drops what could play with a terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return -1
	}
	return r
}

// unshown stands instead of what may be a password.
const unshown = "…"

// hidePassword leaves out of an address, well formed or not, what stands before its @: it may be a password.
func hidePassword(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = unshown + "@" + rest[i+1:]
	}
	return scheme + rest
}
