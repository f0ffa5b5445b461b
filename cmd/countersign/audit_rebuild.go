package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
)

type auditRebuildOptions struct {
	auditOptions
	audit.RebuildOptions
	Machine string
}

func newAuditRebuildCommand(app *cli.App) *cobra.Command {
	var o auditRebuildOptions
	c := &cobra.Command{
		Use:   "rebuild EVENT",
		Short: "Rebuild a release from its source and compare every byte",
		Long: `Rebuild a release from its source and compare every byte.

The source and the modules that came with the event are fetched and checked by hash; everything is built
on this machine, without a network, from exactly the commit that release.json names. It matches when
every artifact has the same digest, there is none more and none fewer, and version, recipe and go.sum are
those of release.json. Where something differs, both sides are kept and the difference is explained.

With --keys the result is signed with your statement key and put into the event: a match, a difference
and an attempt that could not be finished are all stated. Without, it is only shown. An interrupted
rebuild can be started again; a finished one is only repeated with --again. A build cache (--cache) makes
the next rebuild faster; it belongs to one auditor and is refused when another filled it.

Example:

    countersign audit rebuild --room http://room.example.org:8737 --keys ana.key --cache ~/audit-cache 3f9ac2

Exit codes: 0 every byte is the same, 1 something differs or the event is bad, 2 wrong usage, 3 could not
tell: the build failed, or network or disk.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runAuditRebuild(ctx, app, o, args[0])
		},
	}
	o.flags(c)
	o.keyFlags(c)
	c.Flags().StringVar(&o.Cache, "cache", "", "this auditor's private build cache")
	c.Flags().StringVar(&o.Work, "work", "", "directory for source and artifacts (default: the event's directory below --home)")
	c.Flags().StringVar(&o.Toolchain, "toolchain", "", "directory of the Go toolchain to build with")
	c.Flags().BoolVar(&o.Again, "again", false, "rebuild although it is done")
	c.Flags().StringVar(&o.Machine, "machine", "", "what to say about this machine in the statement (default: program version and system)")
	return c
}

func runAuditRebuild(ctx context.Context, app *cli.App, o auditRebuildOptions, prefix string) error {
	if o.Cache != "" && len(o.Keys) == 0 {
		return cli.Usagef("--cache needs --keys: a build cache belongs to one auditor, known by their statement key")
	}
	a, err := o.open(ctx, app)
	if err != nil {
		return err
	}
	id, err := pick(ctx, a, prefix)
	if err != nil {
		return err
	}
	if o.Machine != "" {
		a.Machine = o.Machine
	}
	show := &steps{app: app}
	a.Progress = show.show
	record, err := a.Rebuild(ctx, id, o.RebuildOptions)
	show.end()
	if err != nil {
		return err
	}
	if err := app.Print(record, record.Text()); err != nil {
		return err
	}
	switch {
	case record.Result != event.Matched:
		return record.Err()
	case record.Statement == "":
		app.Say("next: countersign audit rebuild --keys … %s (to state it)", id.Short())
	default:
		app.Say("next: %s", nextCommand("sign", id.Short()))
	}
	return nil
}
