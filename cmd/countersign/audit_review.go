package main

import (
	"context"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
)

type auditReviewOptions struct {
	auditOptions
	Base  string
	Items []string

	List, Show, Changes, Page, Finish, Send, Yes bool
	Mark, Note                                   string
	Context                                      int
	audit.Words
}

func newAuditReviewCommand(app *cli.App) *cobra.Command {
	var o auditReviewOptions
	c := &cobra.Command{
		Use:   "review EVENT [ITEM…]",
		Short: "Read what a release changes, and state what you read",
		Long: `Read what a release changes, and state what you read.

The source and modules of the release and of a base are fetched and checked by hash; what differs is listed
as items: one for each file, one for each module, with the module's own source. The base is the last
release you reviewed; or the one before this, if another auditor read it wholly; or nothing, and then the
whole source is to be read (--base VERSION or --base none decide otherwise).

On a terminal, without further flags, you read item by item; keys are shown at the bottom. --page opens
the same as a page for your browser on this machine. Marks and notes are kept as you make them, and belong
to the bytes: an interrupted review goes on where it was, also in a later event with the same change.

For scripts:

    countersign audit review 3f9ac2 --list                   items, with what is read of them
    countersign audit review 3f9ac2 --show 12                one item; several, or all
    countersign audit review 3f9ac2 --mark read 12 go.sum    read, unread, question, generated, mechanical
    countersign audit review 3f9ac2 --mark read 14.3         the third page of a module
    countersign audit review 3f9ac2 --note "why not b?" 12
    countersign audit review 3f9ac2 --changes | sha256sum    the change list, which anyone can compute again
    countersign audit review 3f9ac2 --finish --keys ana.key --minutes 90 --criteria read-every-change,no-new-powers \
        --tools none --independence "not paid by the publisher"

--finish shows exactly what will be signed, signs it with your statement key and puts it into the room.
What was read comes from the marks; you say the rest. Without --verdict it is pass when nothing is unread,
and partial otherwise. Fail and inconclusive need --notes that say why. The criteria:

` + criteriaHelp() + `
A generated file may be taken on the word of the command that checks it (--mark generated, after running
it), and a repetition of an edit on that of another file in its group (--mark mechanical); the statement
says for which items that was done.

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 could not tell: network or disk.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM)
			defer stop()
			o.Items = args[1:]
			return runAuditReview(ctx, app, o, args[0], c.Flags().Changed)
		},
	}
	o.flags(c)
	o.keyFlags(c)
	o.rootFlag(c)
	f := c.Flags()
	f.StringVar(&o.Base, "base", "", "version to count the change from, or none for the whole source")
	f.BoolVar(&o.List, "list", false, "list the items and what is read of them")
	f.BoolVar(&o.Show, "show", false, "show items as a diff")
	f.IntVar(&o.Context, "context", 5, "unchanged lines to show around each change")
	f.StringVar(&o.Mark, "mark", "", "mark items: read, unread, question, generated, mechanical")
	f.StringVar(&o.Note, "note", "", "put a note on an item, in place of the one before")
	f.BoolVar(&o.Changes, "changes", false, "print the change list")
	f.BoolVar(&o.Page, "page", false, "serve the review as a page on this machine, until interrupted")
	f.BoolVar(&o.Finish, "finish", false, "sign what was read")
	f.BoolVar(&o.Send, "send", false, "hand in a signed review that did not reach the room")
	f.BoolVar(&o.Yes, "yes", false, "sign without asking")
	f.StringVar(&o.Verdict, "verdict", "", "pass, partial, fail or inconclusive")
	f.StringSliceVar(&o.Criteria, "criteria", nil, "what you vouch for, by id, with commas")
	f.StringVar(&o.Notes, "notes", "", "one line for everybody; the reason, for fail and inconclusive")
	f.BoolVar(&o.PublishNotes, "publish-notes", false, "add the notes you made on items, which are otherwise yours alone")
	f.IntVar(&o.Minutes, "minutes", 0, "minutes you spent reading")
	f.StringVar(&o.Tools, "tools", "", "tools you used, language models included, or none")
	f.StringVar(&o.Independence, "independence", "", "your ties to the authors and the publisher, or none")
	c.MarkFlagsMutuallyExclusive("list", "show", "mark", "changes", "page", "finish", "send")
	c.MarkFlagsMutuallyExclusive("list", "show", "note", "changes", "page", "finish", "send")
	return c
}

func criteriaHelp() string {
	var b strings.Builder
	for _, c := range statement.Criteria() {
		b.WriteString("    " + c.ID + strings.Repeat(" ", 20-len(c.ID)) + c.Text + "\n")
	}
	return b.String()
}

func runAuditReview(ctx context.Context, app *cli.App, o auditReviewOptions, prefix string, changed func(string) bool) error {
	if err := o.check(changed); err != nil {
		return err
	}
	a, err := o.open(ctx, app)
	if err != nil {
		return err
	}
	id, err := pick(ctx, a, prefix)
	if err != nil {
		return err
	}
	if o.Send {
		return sendReview(ctx, app, a, id)
	}
	show := &steps{app: app}
	a.Progress = show.show
	r, err := a.OpenReview(ctx, id, o.Base)
	show.end()
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Trust.How != audit.TrustRemembered && r.Trust.How != audit.TrustGiven {
		app.Say("WARNING: %s", r.Trust.Text())
	}
	v := &reviewView{app: app, r: r, id: id, context: o.Context}
	switch {
	case o.Changes:
		_, err := app.Out.Write(r.Changes.Encode())
		return err
	case o.Show:
		return v.show(o.Items)
	case changed("mark") || changed("note"):
		return v.mark(o.Items, o.Mark, o.Note, changed("mark"), changed("note"))
	case o.Finish:
		return v.finish(ctx, o.Words, o.Yes)
	case o.Page:
		return v.page(ctx)
	case o.List || app.JSON || !app.Interactive():
		return v.list()
	}
	return v.read()
}

// check refuses flags and items that do not go together, before anything is fetched.
func (o auditReviewOptions) check(changed func(string) bool) error {
	takes := o.Show || changed("mark") || changed("note")
	switch {
	case takes && len(o.Items) == 0:
		return cli.Usagef("name the items, by number or name, or all (see --list)")
	case !takes && len(o.Items) > 0:
		return cli.Usagef("items are for --show, --mark and --note; got %q", o.Items)
	case o.Context < 0 || o.Context > 100_000:
		return cli.Usagef("--context %d, want 0 to 100000", o.Context)
	case o.Finish && len(o.Keys) == 0:
		return cli.Usagef("--finish needs --keys: name a key file, or ssh-agent:")
	case !o.Finish && (o.Verdict != "" || o.Notes != "" || o.Criteria != nil || o.Minutes != 0 || o.Tools != "" || o.Independence != "" || o.PublishNotes || o.Yes):
		return cli.Usagef("--verdict, --criteria, --notes, --publish-notes, --minutes, --tools, --independence and --yes belong to --finish")
	}
	return nil
}

func sendReview(ctx context.Context, app *cli.App, a *audit.Auditor, id event.ID) error {
	if err := a.SendReview(ctx, id); err != nil {
		return err
	}
	return app.Print(map[string]string{"event": id.String(), "sent": a.Store.String()}, "the review of event "+id.Short()+" is in "+a.Store.String())
}
