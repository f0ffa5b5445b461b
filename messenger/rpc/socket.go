package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// SocketName is the socket in an account's directory.
const SocketName = "rpc.sock"

// Listen makes the socket of an account's directory. The caller has the account's lock, so a socket that is there already is a dead one's.
func Listen(dir string) (net.Listener, error) { return ListenAt(dir, SocketName) }

// ListenAt makes another socket there; Own keeps other users out of it.
func ListenAt(dir, name string) (net.Listener, error) {
	if err := os.Chmod(dir, 0o700); err != nil { // nobody else gets as far as the socket, not even before its own mode is set
		return nil, err
	}
	path := filepath.Join(dir, name)
	if longest := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
		return nil, fmt.Errorf("socket %s: a path of %d bytes, this system takes at most %d: keep the account in a directory with a shorter name", path, len(path), longest)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", name, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Own lets only this user's connections through.
type Own struct {
	net.Listener
	Log *slog.Logger
}

// Accept waits for one.
func (o Own) Accept() (net.Conn, error) {
	for {
		c, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := sameUser(c); err != nil {
			o.Log.Warn("connection refused", "error", err)
			_ = c.Close()
			continue
		}
		return c, nil
	}
}

// ServeSocket answers whoever connects and is this user, until ctx ends.
func (s *Server) ServeSocket(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	own := Own{l, s.Log}
	for {
		c, err := own.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer stop()
			defer c.Close()
			if err := s.Serve(ctx, c); err != nil && ctx.Err() == nil {
				s.Log.Info("connection of a program ended", "error", err)
			}
		})
	}
}

// ErrNoDaemon says that nobody listens.
var ErrNoDaemon = errors.New("no daemon runs for this account")

// Dial connects to an account's daemon. ErrNoDaemon.
func Dial(ctx context.Context, dir string) (*Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Join(dir, SocketName))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoDaemon, err)
	}
	return NewClient(c), nil
}

// DialRaw connects without speaking: for Carrier.
func DialRaw(ctx context.Context, dir string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Join(dir, SocketName))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoDaemon, err)
	}
	return c, nil
}
