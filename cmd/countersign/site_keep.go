package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/site"
)

// siteKeeper keeps the pages of a repository that is served, and does nothing while the repository stays.
type siteKeeper struct {
	app    *cli.App
	dir    string // of the repository
	off    bool   // the person wants no pages
	anchor func() (anchor.Anchor, error)
	last   string // what the pages were made from
}

func siteFlag(c *cobra.Command, on *bool) {
	c.Flags().BoolVar(on, "site", true, "keep web pages of the public record in the repository's folder site")
}

// keep makes the pages anew when timestamp or statements have changed. That it cannot is told, and is no
// reason to stop serving what people's programs need.
func (k *siteKeeper) keep(ctx context.Context) {
	now := k.print()
	if k.off || now == "" || now == k.last || ctx.Err() != nil {
		return
	}
	a, err := k.anchor()
	if err == nil {
		_, err = site.Keep(ctx, a, k.dir, k.app.Now())
	}
	k.last = now // what fails fails again until something changes
	if err != nil && ctx.Err() == nil {
		k.app.Say("the pages in %s stay as they are: %v", filepath.Join(k.dir, site.Folder), err)
	}
}

// print tells what the pages depend on: size and time of the files that change under their names. It is
// empty while nothing is published.
func (k *siteKeeper) print() string {
	var b strings.Builder
	files := os.DirFS(k.dir)
	for _, pattern := range []string{"metadata/timestamp.json", "evidence/*", "log/checkpoint"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			panic("internal error: " + err.Error()) // only for a bad pattern
		}
		for _, name := range names {
			if info, err := fs.Stat(files, name); err == nil {
				fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return b.String()
}
