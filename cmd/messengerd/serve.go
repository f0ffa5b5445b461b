package main

import (
	"context"
	"crypto/tls"
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
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/release/anchor"
)

func newServeCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := &serveOptions{place: place{host: host}, shown: app.Out}
	var service updatecmd.Service
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server, and keep it updated.

Without flags it listens on this computer only, keeps everything in one directory, and lets in whoever has an
invite: see 'messengerd invite'. For others to reach it, give --acme-domain, or --tls-certificate and
--tls-key, or run it behind a proxy and give --proxy. All flags can stand in the settings file.

GET /health says that it runs, GET /ready that it can work, /v3/openapi.json what clients can ask.

The process that was started is a small parent that stays the same while versions change below it, so a service
manager sees one service: see 'messengerd unit'. A new version that does not answer its own /health soon is
stopped, and the last good one is back by itself. SIGTERM lets requests in hand finish and tells clients to
connect again; nothing that was acknowledged is lost, however the server ends.

` + cli.ExitHelp,
		Example: "  messengerd serve\n  messengerd serve --listen :443 --acme-domain chat.example.org\n" +
			"  messengerd serve --listen 10.0.0.2:8080 --proxy 10.0.0.1",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			asker := new(atomic.Pointer[healthAsker])
			service.Work = func(ctx context.Context, log *slog.Logger, ready func()) error {
				setGarbagePercent(app.Getenv)
				return serve(ctx, o, log, app.Now, func(a *healthAsker) {
					asker.Store(a)
					ready()
				})
			}
			service.Check = func(ctx context.Context) error { return asker.Load().check(ctx) }
			return host.Serve(cmd.Context(), service)
		},
	}
	o.flags(cmd)
	service.Flags(cmd)
	return cmd
}

// serve runs until ctx ends, and then finishes what is in hand.
func serve(ctx context.Context, o *serveOptions, log *slog.Logger, now func() time.Time, ready func(*healthAsker)) (err error) {
	p, err := assemble(ctx, o, log, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	dir, err := o.directory()
	if err != nil {
		return err
	}
	config, beside, err := o.tlsConfig(dir, log, now)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	if o.metrics != "" {
		stop, err := serveMetrics(ctx, o.metrics, p)
		if err != nil {
			return err
		}
		defer stop()
	}
	if p.peers != nil && o.federation.listen != "" {
		if err := servePeers(ctx, o.federation.listen, p); err != nil {
			return err
		}
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx)) // upkeep goes on while clients leave
	defer cancel()
	go p.upkeep(work, now)
	if beside != nil {
		go beside(work)
	}
	log.Info("listening", "address", l.Addr().String(), "tls", config != nil, "registration", o.registration())
	ready(&healthAsker{address: l.Addr().String(), tls: config != nil, acme: len(o.domains) > 0})
	return serveHTTP(ctx, o, p, l, config)
}

// registration names who can register.
func (o *serveOptions) registration() string {
	switch {
	case o.development:
		return "anybody: development"
	case o.webhook != "":
		return "by code and by invite"
	}
	return "by invite"
}

func serveMetrics(ctx context.Context, address string, p *parts) (stop func(), err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler())
	srv := newHTTP(mux, p.log)
	go func() { _ = srv.Serve(l) }() // ends by Close
	p.log.Info("metrics", "address", l.Addr().String())
	return func() { srv.Close() }, nil
}

// healthAsker asks the server what its users would ask, over the network.
type healthAsker struct {
	address   string
	tls, acme bool
}

// check wants this version to answer.
func (a *healthAsker) check(ctx context.Context) error {
	var h api.Health
	status, err := a.get(ctx, "/health", &h)
	if err != nil || a.acme {
		return err
	}
	if status != http.StatusOK || h.Status != "ok" || h.Version != anchor.Version() {
		return fmt.Errorf("/health: %d, status %q, version %q", status, h.Status, h.Version)
	}
	return nil
}

// ask returns the status of a request.
func (a *healthAsker) ask(ctx context.Context, path string) (int, error) {
	return a.get(ctx, path, new(api.Health))
}

func (a *healthAsker) get(ctx context.Context, path string, into *api.Health) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if a.acme { // the authority may be away, which is not this version's fault: it must do that the port answers
		c, err := new(net.Dialer).DialContext(ctx, "tcp", a.address)
		if err == nil {
			err = c.Close()
		}
		return http.StatusOK, err
	}
	scheme := "http://"
	if a.tls {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+a.address+path, nil)
	if err != nil {
		return 0, err
	}
	// No proxy: this is ourselves, and the certificate is for another name than the address.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<10)).Decode(into); err != nil {
		return 0, fmt.Errorf("%s: %v", path, err)
	}
	return resp.StatusCode, nil
}
