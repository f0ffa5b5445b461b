package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
)

type auditSignOptions struct {
	auditOptions
	audit.Options
	Yes bool
}

func newAuditSignCommand(app *cli.App) *cobra.Command {
	var o auditSignOptions
	c := &cobra.Command{
		Use:   "sign EVENT",
		Short: "Sign an event, after showing exactly what that approves",
		Long: `Sign an event, after showing exactly what that approves.

Before anything is signed: the whole event is verified and its metadata derived again; it must build on
metadata you trust, nothing of it older than what you have seen or signed; one of your keys must be
authorised; and a release must have been rebuilt by yourself, on this machine, with the same bytes, and
stated so (audit rebuild). Then the change is shown in words, and you type the version to go on (--yes
goes on without asking).

Root keys sign root, auditor keys sign targets and channels; every role one of the keys fits is signed.
You are asked for a second decision where you already signed another proposal for the same version:
--supersede says that this one takes its place, and is remembered.

Example:

    countersign audit sign --room http://room.example.org:8737 --keys ana.key 3f9ac2

` + cli.ExitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runAuditSign(c.Context(), app, o, args[0]) },
	}
	o.flags(c)
	o.keyFlags(c)
	o.rootFlag(c)
	c.Flags().BoolVar(&o.Yes, "yes", false, "sign without asking")
	c.Flags().BoolVar(&o.Supersede, "supersede", false, "sign although another proposal for the same version was signed before")
	return c
}

func runAuditSign(ctx context.Context, app *cli.App, o auditSignOptions, prefix string) error {
	if len(o.Keys) == 0 {
		return cli.Usagef("--keys is missing: name a key file, or ssh-agent:")
	}
	a, err := o.open(ctx, app)
	if err != nil {
		return err
	}
	id, err := pick(ctx, a, prefix)
	if err != nil {
		return err
	}
	d, err := a.Check(ctx, id, o.Options)
	if err != nil {
		return signHint(err, id)
	}
	if !o.Yes || !app.Quiet {
		fmt.Fprint(app.Err, decisionText(d))
	}
	if !o.Yes {
		if err := ask(app, d.Word()); err != nil {
			return err
		}
	}
	out, err := a.Sign(ctx, d)
	if err != nil {
		return err
	}
	return app.Print(out, out.Status.Text())
}

// decisionText is all a person must see before signing.
func decisionText(d *audit.Decision) string {
	var b strings.Builder
	b.WriteString(d.Change.Text())
	fmt.Fprintf(&b, "\n%s\n", d.Trust.Text())
	for _, w := range d.Warnings {
		if w != d.Trust.Text() && !strings.Contains(d.Change.Text(), w) {
			fmt.Fprintf(&b, "WARNING: %s\n", w)
		}
	}
	for _, s := range d.Will {
		again := ""
		if s.Done {
			again = " (again)"
		}
		fmt.Fprintf(&b, "you sign %s version %d as %s%s\n", s.Role, s.Version, s.Person, again)
	}
	return b.String()
}

// ask wants the version typed. Anything else, and no answer, leaves the event unsigned.
func ask(app *cli.App, word string) error {
	fmt.Fprintf(app.Err, "type %q to sign: ", word)
	line, err := bufio.NewReader(io.LimitReader(app.In, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if got := strings.TrimSpace(line); got != word {
		return cli.Usagef("not signed: %q is not %q", got, word)
	}
	return nil
}

// signHint says what a person can do about a refusal.
func signHint(err error, id event.ID) error {
	var not *audit.NotRebuilt
	var conflict *audit.Conflict
	switch {
	case errors.As(err, &not):
		return cli.Hint(err, "next: "+nextCommand("rebuild", id.Short()))
	case errors.As(err, &conflict):
		return cli.Hint(err, "look at both: "+nextCommand("show", conflict.Signed[:12]), "if this one is to take its place: --supersede")
	}
	return err
}
