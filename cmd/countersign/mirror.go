package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/mirror"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

func newMirrorCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "mirror",
		Short:   "Copy, serve, check or pack a repository",
		GroupID: groupDistributor,
		Long: `Copy, serve, check or pack a repository.

A mirror needs no key and is trusted by nobody: users verify what they get from it. Anyone may run one.

` + cli.ExitHelp,
	}
	c.AddCommand(newMirrorSyncCommand(app), newMirrorServeCommand(app), newMirrorCheckCommand(app), newMirrorBundleCommand(app))
	return c
}

type mirrorSyncOptions struct {
	repositoryOptions
	To      string
	Every   time.Duration
	Recheck bool
	Site    bool
}

func newMirrorSyncCommand(app *cli.App) *cobra.Command {
	var o mirrorSyncOptions
	c := &cobra.Command{
		Use:   "sync",
		Short: "Copy a repository into a directory, verifying everything",
		Long: `Copy a repository into a directory, verifying everything.

The directory becomes a complete repository that any web server can serve. What is there already and
right is not fetched again; interrupted downloads are continued. New content becomes visible at once,
at the end: whatever goes wrong before, the old content is still there, complete. A directory that is
not empty and was not made by this command is not touched. Files in it that no release names are
reported and left alone; a file in the place of one that a release names is replaced when it differs.
Web pages of the public record are made from what was verified, in the folder site; they are not copied.
The public log is copied too, where the distribution has one: every file of it leads to a head that enough
witnesses cosigned and that goes on from the one copied before. Otherwise nothing is changed, and the two
heads are kept in .countersign-mirror/evidence.

Example:

    countersign mirror sync --from https://example.org/repository --to /srv/countersign --every 1h

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runMirrorSync(ctx, app, o)
		},
	}
	o.flags(c, "from")
	c.Flags().StringVar(&o.To, "to", "", "directory of the mirror")
	c.Flags().DurationVar(&o.Every, "every", 0, "go on, and sync again after this time (default: once)")
	c.Flags().BoolVar(&o.Recheck, "recheck", false, "read every stored file again and compare its hash")
	siteFlag(c, &o.Site)
	return c
}

func runMirrorSync(ctx context.Context, app *cli.App, o mirrorSyncOptions) error {
	if o.To == "" {
		return cli.Usagef("--to is missing: the directory of the mirror")
	}
	if o.Every != 0 && o.Every < time.Second {
		return cli.Usagef("--every %s, want at least 1s", o.Every)
	}
	if o.Every == 0 {
		return syncOnce(ctx, app, o, o.pages(app))
	}
	return syncForEver(ctx, app, o)
}

// syncForEver reports errors and tries again: a mirror whose source is away still serves what it has.
func syncForEver(ctx context.Context, app *cli.App, o mirrorSyncOptions) error {
	pages := o.pages(app)
	for {
		err := syncOnce(ctx, app, o, pages)
		if ctx.Err() != nil {
			return nil // the person's wish
		}
		if cli.Code(err) == cli.ExitUsage {
			return err // will not get better by itself
		}
		if err != nil {
			app.Say("%s: %v; trying again in %s", app.Now().UTC().Format(time.RFC3339), err, o.Every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Every):
		}
	}
}

// pages keeps the web pages of the mirror.
func (o *mirrorSyncOptions) pages(app *cli.App) *siteKeeper {
	return &siteKeeper{app: app, dir: o.To, off: !o.Site, anchor: o.anchor}
}

func syncOnce(ctx context.Context, app *cli.App, o mirrorSyncOptions, pages *siteKeeper) error {
	a, err := o.anchor()
	if err != nil {
		return err
	}
	sources, err := o.sources(a)
	if err != nil {
		return err
	}
	var bar *cli.Bar
	r, err := mirror.Sync(ctx, mirror.Options{
		Dir: o.To, Anchor: a, Now: app.Now, Recheck: o.Recheck,
		Courier:  &fetch.Courier{Sources: sources, Report: sayFetch(app)},
		Progress: showProgress(app, &bar, "copying"),
	})
	if bar != nil {
		bar.Done()
	}
	if err == nil {
		pages.keep(ctx)
	}
	if len(r.Versions) > 0 && (err == nil || r.Changed) {
		if perr := app.Print(r, syncText(o.To, r)); perr != nil {
			return perr
		}
	}
	return mirrorError(err, o.To)
}

// showProgress makes a bar when there is something to show.
func showProgress(app *cli.App, bar **cli.Bar, label string) func(mirror.Progress) {
	return func(p mirror.Progress) {
		if *bar == nil {
			*bar = app.Progress(label, p.Total, true)
		}
		(*bar).Set(p.Done)
	}
}

// mirrorError says what a person can do.
func mirrorError(err error, dir string) error {
	var notOurs *mirror.NotOursError
	var log *mirror.LogError
	switch {
	case errors.As(err, &log):
		return cli.Hint(err, logHints(log)...)
	case errors.As(err, &notOurs):
		return cli.Hint(cli.Usagef("%v", err), "give an empty directory, or one that does not exist yet")
	case errors.Is(err, durable.ErrLocked):
		return cli.Hint(err, "another sync of "+dir+" is running")
	case errors.Is(err, syscall.ENOSPC):
		return cli.Hint(err, "the old content is still served; make room and run the same command again, it goes on where it stopped")
	}
	return err
}

// logHints say what the evidence is good for.
func logHints(e *mirror.LogError) []string {
	hints := []string{"nothing that is served was changed"}
	if errors.As(e.Why, new(*mirror.ForkError)) {
		hints = append(hints, "witnesses cosigned two logs: show that file to the distribution's auditors and everybody else")
	}
	return hints
}

func syncText(dir string, r mirror.Result) string {
	var b strings.Builder
	state := "is up to date"
	if r.Changed {
		state = "is up to date now"
	}
	fmt.Fprintf(&b, "%s %s: timestamp %d, valid until %s\n", dir, state, r.Versions["timestamp"], r.Expires.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "  %d files copied (%d bytes), %d were there; statements of %d releases updated\n", r.Files, r.Bytes, r.Kept, r.Evidence)
	if r.Log != nil {
		fmt.Fprintf(&b, "  log %s: %d entries, %d files of it copied\n", r.Log.Origin, r.Log.Size, r.Log.Files)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", w)
	}
	for _, f := range r.Foreign {
		fmt.Fprintf(&b, "  foreign file, left alone: %s\n", f)
	}
	return b.String()
}
