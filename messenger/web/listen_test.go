package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed context.Context
	end    context.CancelFunc
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn)}
	p.closed, p.end = context.WithCancel(context.Background())
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.end(); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// Whoever has asked before the end is answered, and the server has not ended before that: the process ends after it.
func TestAnswersUnderWayAreFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l, over := newPipes(), make(chan time.Time, 1)
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			stop()
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "all of it")
		})
		began := time.Now()
		go func() {
			if err := serve(ctx, &http.Server{Handler: h}, l); err != nil {
				t.Error(err)
			}
			over <- time.Now()
		}()
		client := http.Client{Transport: &http.Transport{DialContext: l.dial, DisableKeepAlives: true}}
		resp, err := client.Get("http://server/")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != "all of it" {
			t.Errorf("%q, %v", b, err)
		}
		if ended := (<-over).Sub(began); ended < time.Second {
			t.Errorf("it had ended after %v, before its answer", ended)
		}
	})
}
