package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/mirror"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

type mirrorBundleOptions struct {
	repositoryOptions
	Channel   string
	Version   string
	Platforms []string
	Out       string
}

func newMirrorBundleCommand(app *cli.App) *cobra.Command {
	var o mirrorBundleOptions
	c := &cobra.Command{
		Use:   "bundle [URL|DIR ...]",
		Short: "Pack a release into one file, for devices without a network",
		Long: `Pack a release into one file, for devices without a network.

The file is a tar with everything that one platform needs to judge and install a release: signed
metadata, policy, statements with their proof from the log, programs. It needs no trust. Carry it over and
use it with 'messenger update --from-file FILE' or 'countersign verify --offline FILE PROGRAM'. The
metadata in it expires; the result says when. Without arguments it is fetched from the distribution's
mirrors.

Example:

    countersign mirror bundle /srv/countersign --platform linux/arm64 --out countersign.tar

` + cli.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			o.From = args
			return runMirrorBundle(c.Context(), app, o)
		},
	}
	o.anchorFlags(c)
	c.Flags().StringVar(&o.Out, "out", "", "file to write")
	c.Flags().StringVar(&o.Channel, "channel", "stable", "channel")
	c.Flags().StringVar(&o.Version, "version", "", "version (default: the newest)")
	c.Flags().StringArrayVar(&o.Platforms, "platform", []string{runtime.GOOS + "/" + runtime.GOARCH}, "platform, as os/arch; may be repeated")
	return c
}

func runMirrorBundle(ctx context.Context, app *cli.App, o mirrorBundleOptions) error {
	if o.Out == "" {
		return cli.Usagef("--out is missing: the file to write")
	}
	a, err := o.anchor()
	if err != nil {
		return err
	}
	sources, err := o.sources(a)
	if err != nil {
		return err
	}
	// Beside the result, since it holds as much.
	scratch, err := os.MkdirTemp(filepath.Dir(o.Out), ".countersign-bundle-")
	if err != nil {
		return cli.Usagef("%v", err)
	}
	defer os.RemoveAll(scratch)
	f, err := os.OpenFile(filepath.Join(scratch, "bundle.tar"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	var bar *cli.Bar
	packed, err := mirror.Bundle(ctx, mirror.BundleOptions{Anchor: a, Now: app.Now, Channel: o.Channel, Version: o.Version, Platforms: o.Platforms,
		Scratch: filepath.Join(scratch, "work"), Courier: &fetch.Courier{Sources: sources, Report: sayFetch(app)},
		Progress: showProgress(app, &bar, "fetching")}, f)
	if bar != nil {
		bar.Done()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	var none *mirror.NoSuchError
	if errors.As(err, &none) || errors.Is(err, trust.ErrNoTarget) {
		return cli.Usagef("%v", err)
	}
	if err != nil {
		return err
	}
	if err := durable.Rename(f.Name(), o.Out); err != nil {
		return err
	}
	return app.Print(packed, fmt.Sprintf("%s: %s %s for %s, %d files, %d bytes, good until %s", o.Out, packed.Channel, packed.Version,
		strings.Join(packed.Platforms, ", "), packed.Files, packed.Bytes, packed.Expires.UTC().Format("2006-01-02 15:04 UTC")))
}
