package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/mirror"
)

type mirrorServeOptions struct {
	mirrorSyncOptions
	Listen string
}

func newMirrorServeCommand(app *cli.App) *cobra.Command {
	var o mirrorServeOptions
	c := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve a mirror's directory over HTTP",
		Long: `Serve a mirror's directory over HTTP.

A plain file server for the repository in DIR: GET and HEAD, ranges, headers that let caches keep what
never changes. Any other web server does as well. With --every it also brings the mirror up to date
that often, from --from or the distribution's mirrors.

Example:

    countersign mirror serve /srv/countersign --listen :8080 --from https://example.org/repository --every 1h

Exit codes: 0 stopped by an interrupt, 2 wrong usage, 3 could not listen.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o.To = args[0]
			return runMirrorServe(ctx, app, o)
		},
	}
	o.flags(c, "from")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8738", "address to listen on")
	c.Flags().DurationVar(&o.Every, "every", 0, "bring the mirror up to date this often (default: serve only)")
	siteFlag(c, &o.Site)
	return c
}

func runMirrorServe(ctx context.Context, app *cli.App, o mirrorServeOptions) error {
	if o.Every != 0 && o.Every < time.Second {
		return cli.Usagef("--every %s, want at least 1s", o.Every)
	}
	if len(o.From) > 0 && o.Every == 0 {
		return cli.Usagef("--from without --every: how often should the mirror be brought up to date?")
	}
	if info, err := os.Stat(o.To); o.Every == 0 && (err != nil || !info.IsDir()) {
		return cli.Usagef("%s is not a directory", o.To)
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	url := "http://" + ln.Addr().String()
	if err := app.Print(map[string]string{"repository": url}, "mirror "+url); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	syncing := make(chan error, 1)
	go func() {
		if o.Every == 0 {
			syncing <- nil
			return
		}
		quiet := *app // its results are for --json of a single sync, not for a service
		quiet.Out, quiet.JSON = app.Err, false
		err := syncForEver(ctx, &quiet, o.mirrorSyncOptions)
		if err != nil {
			cancel(err)
		}
		syncing <- err
	}()
	err = mirror.Serve(ctx, ln, mirror.Handler(o.To))
	cancel(nil)
	if serr := <-syncing; err == nil {
		err = serr
	}
	return err
}
