package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/release/anchor"
)

// drain is how long requests that are being answered may take when the server stops. The parent waits
// longer than this before it kills.
const drain = 10 * time.Second

func newServeCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	var listen string
	var service updatecmd.Service
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server, and keep it updated.

GET /health answers {"status":"ok","version":…}. The process that was started is a small parent that stays
the same while versions change below it, so a service manager sees one service. A new version that does
not answer its own /health soon is stopped, and the last good one is back by itself. SIGTERM lets requests
that are being answered finish.

` + cli.ExitHelp,
		Example: "  messengerd serve --listen 127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address := new(atomic.Pointer[string])
			service.Work = func(ctx context.Context, log *slog.Logger, ready func()) error {
				return serve(ctx, log, listen, func(at string) {
					address.Store(&at)
					ready()
				})
			}
			service.Check = func(ctx context.Context) error { return checkHealth(ctx, *address.Load()) }
			return host.Serve(cmd.Context(), service)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	service.Flags(cmd)
	return cmd
}

// serve answers requests until ctx ends, and then finishes those in hand.
func serve(ctx context.Context, log *slog.Logger, listen string, ready func(address string)) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           server.Handler(anchor.Version()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("listening", "address", l.Addr().String())
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		log.Info("stopping")
		finish, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		done <- srv.Shutdown(finish)
	}()
	ready(l.Addr().String())
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// checkHealth asks the server what its users would ask, over the network.
func checkHealth(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: this is ourselves
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var h server.Health
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<10)).Decode(&h); err != nil {
		return fmt.Errorf("/health: %v", err)
	}
	if resp.StatusCode != http.StatusOK || h.Status != "ok" || h.Version != anchor.Version() {
		return fmt.Errorf("/health: %s, status %q, version %q", resp.Status, h.Status, h.Version)
	}
	return nil
}
