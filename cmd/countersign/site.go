package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/release/site"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

type siteOptions struct {
	repositoryOptions
	Out  string
	Link string
	Time string
}

func newSiteCommand(app *cli.App) *cobra.Command {
	var o siteOptions
	c := &cobra.Command{
		Use:     "site",
		Short:   "Print the public record as web pages",
		GroupID: groupAnyone,
		Long: `Print the public record as web pages: releases, who signed, rebuilt and reviewed each, who got other
bytes and which, what was withdrawn and why, the policy in words, and how to check it all.

The pages are plain HTML and one style sheet, without scripts, and load nothing from anywhere. They show
only what was verified from the root on; what does not hold is shown as refused. The same repository
gives the same bytes. "serve" and "mirror sync" keep the pages of what they serve by themselves.

Example:

    countersign site --repository https://mirror.example/repository --out public

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runSite(c.Context(), app, o) },
	}
	o.flags(c, "repository")
	c.Flags().StringVar(&o.Out, "out", "", "folder for the pages: new, empty, or one of earlier pages")
	c.Flags().StringVar(&o.Link, "link", "", "way from the pages to the repository's files, such as ../ (default: files are named, not linked)")
	c.Flags().StringVar(&o.Time, "time", "", "time to judge for, such as 2026-11-24T12:00:00Z (default: when the timestamp was signed)")
	return c
}

func runSite(ctx context.Context, app *cli.App, o siteOptions) error {
	if o.Out == "" {
		return cli.Usagef("--out is missing: the folder for the pages")
	}
	if o.Link != "" && (!strings.HasSuffix(o.Link, "/") || strings.Contains(o.Link, ":") || strings.HasPrefix(o.Link, "/")) {
		return cli.Usagef("--link %q, want a relative path that ends in a slash", o.Link)
	}
	var at time.Time
	if o.Time != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, o.Time); err != nil {
			return cli.Usagef("--time %q, want a time such as 2026-11-24T12:00:00Z", o.Time)
		}
	}
	a, err := o.anchor()
	if err != nil {
		return err
	}
	sources, err := o.sources(a)
	if err != nil {
		return err
	}
	bar := app.Progress("judging releases", -1, false)
	r, err := record.Read(ctx, record.Options{Anchor: a, Now: app.Now(), At: at, Progress: func(done, _ int) { bar.Set(int64(done)) },
		Courier: func() *fetch.Courier {
			return &fetch.Courier{Sources: sources, Deadline: 10 * time.Minute, Report: sayFetch(app)}
		}})
	if err != nil {
		return err
	}
	bar.Done()
	pages, err := site.Render(r, site.Links{Repository: o.Link})
	if err != nil {
		return err
	}
	changed, err := site.Write(o.Out, pages)
	if err != nil {
		return siteError(err, o.Out)
	}
	return app.Print(r, siteText(o.Out, r, len(pages), changed))
}

func siteText(out string, r record.Record, pages, changed int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d files, %d changed; open %s\n", out, pages, changed, filepath.Join(out, "index.html"))
	for _, ch := range r.Channels {
		for _, rel := range ch.Releases {
			fmt.Fprintf(&b, "  %s %s: %s\n", rel.Channel, rel.Version, rel.Outcome)
		}
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "  missing: %s\n", m)
	}
	return b.String()
}

// siteError says what a person can do.
func siteError(err error, out string) error {
	var notOurs *site.NotOursError
	switch {
	case errors.As(err, &notOurs):
		return cli.Hint(cli.Usagef("%v", err), "give an empty folder, or one that does not exist yet")
	case errors.Is(err, durable.ErrLocked):
		return cli.Hint(err, "another program is writing into "+out)
	}
	return err
}
