package main

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/tui"
)

// screen shows the messenger in the whole terminal, beginning with somebody, or with the list.
func (p *place) screen(ctx context.Context, c *rpc.Client, with string) (err error) {
	o := tui.Options{Conn: c, Now: p.app.Now, Zone: time.Local, Rand: rand.Reader, Path: typedPath, List: listed, QR: qrCode, In: p.app.In, Out: p.app.Out, Env: os.Environ()}
	if with != "" {
		if o.With, err = p.conversation(ctx, c, with); err != nil {
			return err
		}
	}
	dir, err := p.dir()
	if err != nil {
		return err
	}
	o.Again = func(ctx context.Context) (tui.Conn, error) { return dialAgain(ctx, dir) }
	return tui.Run(ctx, o)
}

// dialAgain waits for a daemon.
func dialAgain(ctx context.Context, dir string) (*rpc.Client, error) {
	for {
		c, err := rpc.Dial(ctx, dir)
		if err == nil {
			return c, nil
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// typedPath makes a path absolute that was typed where no shell has read it.
func typedPath(typed string) (string, error) {
	if rest, ok := strings.CutPrefix(typed, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, rest), nil
	}
	return filepath.Abs(typed)
}

// listed is what is in a directory.
func listed(dir string) (names []string, err error) {
	list, err := os.ReadDir(dir)
	for _, e := range list {
		name := e.Name()
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	return names, err
}
