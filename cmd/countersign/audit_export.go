package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/event"
)

type auditExportOptions struct {
	auditOptions
	Out            string
	SignaturesOnly bool
}

func newAuditExportCommand(app *cli.App) *cobra.Command {
	var o auditExportOptions
	c := &cobra.Command{
		Use:   "export EVENT",
		Short: "Write an event into one file, to be carried",
		Long: `Write an event into one file, to be carried to a machine without a network, or back.

The file is a tar with everything a rebuild and a signature need, the answers so far included. With
--signatures-only the source, the modules and the artifacts stay behind: enough to bring answers back.
An existing file is not overwritten.

Example:

    countersign audit export --room http://room.example.org:8737 --out /media/stick/event.tar 3f9ac2

` + cli.ExitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runAuditExport(c.Context(), app, o, args[0]) },
	}
	o.flags(c)
	c.Flags().StringVar(&o.Out, "out", "", "file to write")
	c.Flags().BoolVar(&o.SignaturesOnly, "signatures-only", false, "leave source, modules and artifacts behind")
	return c
}

func runAuditExport(ctx context.Context, app *cli.App, o auditExportOptions, prefix string) error {
	if o.Out == "" {
		return cli.Usagef("--out is missing: name the file to write")
	}
	if _, err := os.Lstat(o.Out); err == nil {
		return cli.Usagef("--out %s is there already", o.Out)
	} else if !errors.Is(err, fs.ErrNotExist) {
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
	n, err := export(ctx, app, a.Store, id, o)
	if err != nil {
		return err
	}
	return app.Print(map[string]any{"event": id.String(), "file": o.Out, "bytes": n}, fmt.Sprintf("event %s in %s, %d bytes", id.Short(), o.Out, n))
}

// export writes beside the file first: a stick pulled out too early holds no half event under its name.
func export(ctx context.Context, app *cli.App, store event.Store, id event.ID, o auditExportOptions) (int64, error) {
	f, err := os.CreateTemp(filepath.Dir(o.Out), ".export-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	bar := app.Progress("exporting event "+id.Short(), -1, true)
	w := &counted{f: f, bar: bar}
	err = event.Export(ctx, store, id, w, o.SignaturesOnly)
	if err == nil {
		err = f.Chmod(0o644) // it holds nothing secret, and another person may carry it
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, err
	}
	bar.Done()
	return w.n, os.Rename(f.Name(), o.Out)
}

// counted shows how much was written.
type counted struct {
	f   *os.File
	n   int64
	bar *cli.Bar
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.f.Write(b)
	c.n += int64(n)
	c.bar.Set(c.n)
	return n, err
}
