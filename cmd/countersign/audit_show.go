package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

func newAuditShowCommand(app *cli.App) *cobra.Command {
	var o auditOptions
	c := &cobra.Command{
		Use:   "show EVENT",
		Short: "Show everything that signing an event would approve",
		Long: `Show everything that signing an event would approve: for each role what changes from the published
version, every target with its hash, when it expires and who signed; for a release its manifest, notes,
source and what others stated; for a change of people or policy, that in words. Everything is derived
here from the event's files, not taken from what the publisher says about them.

Example:

    countersign audit show --room http://room.example.org:8737 3f9ac2

` + cli.ExitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runAuditShow(c.Context(), app, o, args[0]) },
	}
	o.flags(c)
	o.rootFlag(c)
	return c
}

func runAuditShow(ctx context.Context, app *cli.App, o auditOptions, prefix string) error {
	a, err := o.open(ctx, app)
	if err != nil {
		return err
	}
	id, err := pick(ctx, a, prefix)
	if err != nil {
		return err
	}
	change, err := a.Show(ctx, id)
	if err != nil {
		return err
	}
	return app.Print(change, change.Text())
}
