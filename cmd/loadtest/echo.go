package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"

	"github.com/gorilla/websocket"
	"github.com/spf13/cobra"
)

// echo is a websocket server that sends back what it gets and does nothing else: two frames for each message instead of four, nobody checked,
// nothing parsed. No server over this library can need less.
type echo struct {
	dialer  *websocket.Dialer
	address string
}

func (e *echo) name() string { return "gorilla echo" }

var echoing = regexp.MustCompile(`echo at (\S+)`)

func (e *echo) start(ctx context.Context, dir string, _ int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := launch(dir, "echo", nil, self, "echo-server")
	if err != nil {
		return nil, err
	}
	err = p.wait(ctx, func() bool {
		found := echoing.FindStringSubmatch(p.output())
		if found != nil {
			e.address = found[1]
		}
		return found != nil
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (e *echo) dial(ctx context.Context, _ int, _ func()) (client, error) {
	ws, err := dialWebsocket(ctx, e.dialer, "ws://"+e.address)
	if err != nil {
		return nil, err
	}
	c := &echoClient{ws: ws, back: make(chan struct{}, 1), gone: make(chan struct{})}
	go c.read()
	return c, nil
}

type echoClient struct {
	ws   *socket
	back chan struct{}
	gone chan struct{}
}

func (c *echoClient) read() {
	defer close(c.gone)
	for {
		if _, err := c.ws.read(); err != nil {
			return
		}
		c.back <- struct{}{}
	}
}

func (c *echoClient) send(_ int, p payload) error {
	if err := c.ws.write(p.raw); err != nil {
		return err
	}
	_, err := await(c.back, c.gone)
	return err
}

// errCannot says that a system has no such thing.
var errCannot = errors.New("not applicable")

func (c *echoClient) sendAbsent(int, payload) error { return errCannot }
func (c *echoClient) join() error                   { return errCannot }
func (c *echoClient) sendGroup(payload) error       { return errCannot }
func (c *echoClient) close()                        { c.ws.close() }

// newEchoServerCommand is the server's process.
func newEchoServerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "echo-server", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "echo at", l.Addr())
			return http.Serve(l, http.HandlerFunc(echoHandler))
		},
	}
}

func echoHandler(w http.ResponseWriter, r *http.Request) {
	ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	for {
		kind, b, err := ws.ReadMessage()
		if err != nil || ws.WriteMessage(kind, b) != nil {
			return
		}
	}
}
