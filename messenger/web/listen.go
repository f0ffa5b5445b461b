package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Listen takes a loopback port: the wanted one if it is free, so that a page that is open finds a restarted messenger, and any otherwise.
func Listen(want string) (net.Listener, error) {
	if want != "" {
		if l, err := net.Listen("tcp4", want); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp4", "127.0.0.1:0")
}

// endWithin is how long open requests may take when the messenger ends.
const endWithin = 2 * time.Second

// Serve answers on a listener until the page's context ends.
func (p *Page) Serve(l net.Listener) error {
	s := &http.Server{Handler: p.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug)}
	return serve(p.ctx, s, l)
}

// serve serves until ctx ends, and returns when the requests that were under way then have their answers, or endWithin is over.
func serve(ctx context.Context, s *http.Server, l net.Listener) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.Background(), endWithin)
		defer cancel()
		_ = s.Shutdown(ctx)
		_ = s.Close()
	})
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	<-ended // Serve has returned as soon as that began
	return nil
}
