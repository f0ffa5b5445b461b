package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
)

type auditWithdrawOptions struct {
	auditOptions
	Channel   string
	Reason    string
	Reinstate bool
	Out       string
	Yes       bool
}

func newAuditWithdrawCommand(app *cli.App) *cobra.Command {
	var o auditWithdrawOptions
	c := &cobra.Command{
		Use:   "withdraw EVENT|VERSION",
		Short: "Say in public that a published release should not be used any more",
		Long: `Say in public that a published release should not be used any more, or (--reinstate) take that back.

What you state is signed with your statement key, shown first, and asked for: you type the version. When
as many people as the policy says have withdrawn a release, no device installs it, and devices that run
it return to the last genuine version. The publisher can only delay this: the room publishes it at once,
and devices never forget a withdrawal they saw.

--out writes the answer to a file instead, for a room that is out of reach: audit import takes it.

Example:

    countersign audit withdraw --room http://room.example.org:8737 --keys ana.key \\
        --reason "leaks the address book" 1.4.0

` + cli.ExitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runAuditWithdraw(c.Context(), app, o, args[0]) },
	}
	o.flags(c)
	o.keyFlags(c)
	c.Flags().StringVar(&o.Channel, "channel", "stable", "channel of the VERSION")
	c.Flags().StringVar(&o.Reason, "reason", "", "why, in one line for everybody")
	c.Flags().BoolVar(&o.Reinstate, "reinstate", false, "take an earlier withdrawal back")
	c.Flags().StringVar(&o.Out, "out", "", "write the answer to this file instead of sending it")
	c.Flags().BoolVar(&o.Yes, "yes", false, "sign without asking")
	return c
}

func runAuditWithdraw(ctx context.Context, app *cli.App, o auditWithdrawOptions, name string) error {
	if len(o.Keys) == 0 {
		return cli.Usagef("--keys is missing: name the file with your statement key")
	}
	if o.Reason == "" {
		return cli.Usagef("--reason is missing: people must read why")
	}
	if _, err := os.Lstat(o.Out); o.Out != "" && err == nil {
		return cli.Usagef("--out %s is there already", o.Out)
	} else if o.Out != "" && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a, err := o.open(ctx, app)
	if err != nil {
		return err
	}
	id, err := a.PickRelease(ctx, name, o.Channel)
	var no *audit.NotOne
	if errors.As(err, &no) {
		id, err = pick(ctx, a, name) // which tells what there is
	}
	if err != nil {
		return err
	}
	w, err := a.Withdraw(ctx, id, o.Reason, o.Reinstate)
	if err != nil {
		return err
	}
	if !o.Yes || !app.Quiet {
		fmt.Fprint(app.Err, w.Text())
	}
	if !o.Yes {
		if err := ask(app, w.Word()); err != nil {
			return err
		}
	}
	if o.Out != "" {
		return withdrawToFile(ctx, app, o, a, id, w)
	}
	status, err := a.SendWithdrawal(ctx, w, a.Store)
	if err != nil {
		return err
	}
	return app.Print(status, status.Text())
}

// withdrawToFile puts the answer into a light copy of the event.
func withdrawToFile(ctx context.Context, app *cli.App, o auditWithdrawOptions, a *audit.Auditor, id event.ID, w *audit.Withdrawing) error {
	temp, err := os.MkdirTemp("", "countersign-withdraw-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	own := event.Dir(temp)
	if _, err := own.Collect(ctx, a.Store, id, true); err != nil {
		return err
	}
	if _, err := a.SendWithdrawal(ctx, w, own); err != nil {
		return err
	}
	n, err := export(ctx, app, own, id, auditExportOptions{Out: o.Out, SignaturesOnly: true})
	if err != nil {
		return err
	}
	return app.Print(map[string]any{"event": id.String(), "file": o.Out, "bytes": n}, fmt.Sprintf("signed, in %s; hand it in with: countersign audit import --room ROOM %s", o.Out, o.Out))
}
