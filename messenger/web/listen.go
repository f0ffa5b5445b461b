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
	stop := context.AfterFunc(p.ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), endWithin)
		defer cancel()
		_ = s.Shutdown(ctx)
		_ = s.Close()
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
