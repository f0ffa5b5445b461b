package endpoint

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Tunnel is what the requests of one websocket have in common: who sends them, and where the websocket came in.
type Tunnel struct {
	Who    Identity // zero on a websocket without credentials
	Host   string
	Secure bool
	Remote string
}

// Identity is what stays of a caller while their websocket stands; the rest is looked up for each request.
type Identity struct {
	Account store.AccountKey
	Device  store.DeviceKey
	Name    string // of the account
	ID      int    // of the device in it
}

// Identity returns who the caller is.
func (c *Caller) Identity() Identity {
	return Identity{Account: c.Account.Key, Device: c.Device.Key, Name: c.Account.Name, ID: c.Device.ID}
}

type tunnelKey struct{}

// tunnelled returns the tunnel a request came through, or nil.
func tunnelled(ctx context.Context) *Tunnel {
	t, _ := ctx.Value(tunnelKey{}).(*Tunnel)
	return t
}

// TunnelOf returns the tunnel a request came through, or nil.
func TunnelOf(r *http.Request) *Tunnel { return tunnelled(r.Context()) }

// ServeFrame answers a request of a websocket as if it had come by HTTP (7.1).
func (rt *Router) ServeFrame(ctx context.Context, t *Tunnel, f *wire.Request) *wire.Response {
	u, err := url.ParseRequestURI(f.Path)
	if err != nil || !strings.HasPrefix(f.Path, "/") || len(f.Verb) > 16 {
		return &wire.Response{Status: http.StatusBadRequest, Message: http.StatusText(http.StatusBadRequest)}
	}
	req := (&http.Request{
		Method: f.Verb, URL: u, Host: t.Host, RequestURI: f.Path, RemoteAddr: t.Remote, Header: headers(f.Headers),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: body{bytes.NewBuffer(f.Body)}, ContentLength: int64(len(f.Body)),
	}).WithContext(context.WithValue(ctx, tunnelKey{}, t))
	w := &recorder{header: http.Header{}}
	rt.ServeHTTP(w, req)
	return w.response()
}

func headers(list []string) http.Header {
	h := http.Header{}
	for _, line := range list {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	h.Del("Authorization") // the websocket's own credentials count
	return h
}

// body is a body that lies in memory; api.Decode reads it where it is.
type body struct{ *bytes.Buffer }

func (body) Close() error { return nil }

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response() *wire.Response {
	w.WriteHeader(http.StatusOK)
	r := &wire.Response{Status: uint32(w.status), Message: http.StatusText(w.status), Body: w.body.Bytes()}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if v := w.header.Get(name); v != "" {
			r.Headers = append(r.Headers, name+":"+v)
		}
	}
	return r
}
