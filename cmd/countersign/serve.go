package main

import (
	"context"
	"fmt"
	"net"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/publish"
)

type serveOptions struct {
	publisherOptions
	Listen string
	Every  time.Duration
	Once   bool
	Site   bool
}

func newServeCommand(app *cli.App) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:     "serve",
		Short:   "Run the signing room and the repository over HTTP",
		GroupID: groupPublisher,
		Long: `Run the signing room and the repository over HTTP.

Auditors read events and hand in signatures and statements at /events/; mirrors copy /repository/.
An event is published as soon as its quorum is there; snapshot and timestamp are signed again in time.
A log's entries are kept in ROOM/log; a release waits for the quorum of its witnesses, which are asked
again every minute. Who is missing, and which roles people must renew soon, is printed whenever it changes. Put a web
server with TLS in front of it for the public. Stop it with an interrupt; nothing that was accepted
is lost, however it ends. Web pages of the public record are at /repository/site/.

Example:

    countersign serve --room room --keys publisher.key --listen 127.0.0.1:8737

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runServe(ctx, app, o)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8737", "address to listen on")
	c.Flags().DurationVar(&o.Every, "every", time.Minute, "how often to look though nobody answered")
	c.Flags().BoolVar(&o.Once, "once", false, "do once what is due, without listening")
	siteFlag(c, &o.Site)
	return c
}

func runServe(ctx context.Context, app *cli.App, o serveOptions) error {
	if len(o.Keys) == 0 {
		return cli.Usagef("--keys is missing: the room signs snapshot and timestamp with the publisher's online keys")
	}
	if o.Every < time.Second {
		return cli.Usagef("--every %s, want at least 1s", o.Every)
	}
	room, err := o.open(app)
	if err != nil {
		return err
	}
	if _, err := room.Repository.Load(); err != nil {
		return err
	}
	if o.Once {
		report, err := room.Step(ctx, app.Now())
		if err != nil {
			return needKeys(err)
		}
		o.pages(ctx, app, room).keep(ctx)
		if err := app.Print(report, reportText(report)); err != nil {
			return err
		}
		return report.Err()
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	return serveOn(ctx, app, o, room, ln)
}

func serveOn(ctx context.Context, app *cli.App, o serveOptions, room *publish.Room, ln net.Listener) error {
	url := "http://" + ln.Addr().String()
	if err := app.Print(map[string]string{"room": url, "repository": url + "/repository"}, fmt.Sprintf("signing room %s, repository %s/repository", url, url)); err != nil {
		return err
	}
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	last, pages := "", o.pages(ctx, app, room)
	srv := publish.Server{Room: room, Now: app.Now, Tick: tick.C, Report: func(r publish.Report, err error) {
		pages.keep(ctx)
		text := reportLines(r)
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != last && text != "" {
			app.Say("%s  %s", app.Now().UTC().Format(time.RFC3339), strings.ReplaceAll(text, "\n", "\n                      "))
		}
		last = text
	}}
	return srv.Run(ctx, ln)
}

// pages keeps the web pages of the room's repository, as a program sees it that began with its first root.
func (o *serveOptions) pages(ctx context.Context, app *cli.App, room *publish.Room) *siteKeeper {
	return &siteKeeper{app: app, dir: room.Repository.Dir, off: !o.Site, anchor: func() (anchor.Anchor, error) {
		s, err := room.Repository.Load()
		if err != nil || s.Empty() {
			return anchor.Anchor{}, err
		}
		logPolicy, err := publish.LogPolicyOf(ctx, room.Events, s.Published)
		return anchor.Anchor{Root: s.Base.Roots[0], Policy: s.Base.Policy, LogPolicy: logPolicy}, err
	}}
}

// reportLines is a step in few lines, for a log: what was done, and one line for each event that waits.
func reportLines(r publish.Report) string {
	short := r
	short.Waiting = nil
	var lines []string
	if text := reportText(short); text != nothingToDo {
		lines = append(lines, strings.TrimSpace(text))
	}
	for _, s := range r.Waiting {
		lines = append(lines, fmt.Sprintf("%s (event %s): %s", s.Label, s.ID.Short(), s.Next()))
	}
	return strings.Join(lines, "\n")
}
