package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

func newAuditListCommand(app *cli.App) *cobra.Command {
	var o auditOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List the events of the room, and what they want of you",
		Long: `List the events of the room: what each proposes, how many of how many needed have signed and who is
missing, who rebuilt it, and whether it is published, superseded or out of date. With --keys, what is
still yours to do is shown as well. What cannot be read as an event is named with the reason.

Example:

    countersign audit list --room http://room.example.org:8737 --keys ana.key

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runAuditList(c.Context(), app, o) },
	}
	o.flags(c)
	o.keyFlags(c)
	return c
}

func runAuditList(ctx context.Context, app *cli.App, o auditOptions) error {
	a, err := o.open(ctx, app)
	if err != nil {
		return err
	}
	room, err := a.List(ctx)
	if err != nil {
		return err
	}
	if err := app.Print(room, room.Text(app.Now())); err != nil {
		return err
	}
	for _, e := range room.Events {
		if len(e.Todo) > 0 {
			app.Say("next: %s", nextCommand(e.Todo[0].Do, e.ID.Short()))
			break
		}
	}
	return nil
}

// nextCommand is the command line for a thing to do.
func nextCommand(do, event string) string { return fmt.Sprintf("countersign audit %s %s", do, event) }
