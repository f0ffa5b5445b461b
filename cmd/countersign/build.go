package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/recipe"
	"github.com/countersign-project/countersign/builds/source"
	"github.com/countersign-project/countersign/cmd/cli"
)

type buildOptions struct {
	Source, Rev, Out, Cache string
	Platforms               []string
	Modules, Toolchain      string
}

func newBuildCommand(app *cli.App) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:     "build",
		Short:   "Build all programs so that everyone gets the same bytes",
		GroupID: groupPublisher,
		Long: `Build all programs so that everyone gets the same bytes.

The commit that is checked out (or --rev) is exported by its tree hash and built as its own
builds/recipe.toml says, with exactly the Go toolchain whose hash the recipe has, modules checked by
go.sum, an empty environment and no network. The directory --out then holds for each platform the
programs, the same with debug data, one tar, and a build.json that says what they were made of.

A work tree with changed or untracked files, another toolchain, or a variable such as GOFLAGS that
would change what is built is refused with the name of the culprit.

--cache keeps compiled packages for your next build. It is yours alone: what is in it is believed, so
it is never shared and never copied from anybody. --modules takes the module tree of an event (a
directory or a modules.tar) instead of fetching one.

Example:

    countersign build --platform linux/amd64 --cache ~/.cache/countersign-build --out out

` + cli.ExitHelp,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runBuild(ctx, app, o, os.Environ())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Source, "source", ".", "git work tree, bare repository or bundle file")
	f.StringVar(&o.Rev, "rev", "", "commit to build (default: the one checked out in a clean work tree)")
	f.StringVar(&o.Out, "out", "out", "directory for what is built: new, empty, or an earlier build")
	f.StringVar(&o.Cache, "cache", "", "your private build cache")
	f.StringArrayVar(&o.Platforms, "platform", nil, "os/arch to build for, may be repeated (default: all of the recipe)")
	f.StringVar(&o.Modules, "modules", "", "module tree: a directory or modules.tar (default: fetch the modules)")
	f.StringVar(&o.Toolchain, "toolchain", "", "directory of the Go toolchain (default: GOROOT, or around the go in PATH)")
	return c
}

func runBuild(ctx context.Context, app *cli.App, o buildOptions, environ []string) error {
	show := &buildSteps{app: app}
	m, err := rebuild.Build(ctx, rebuild.Options{
		Source: o.Source, Rev: o.Rev, Modules: o.Modules, Out: o.Out, Cache: o.Cache, Toolchain: o.Toolchain,
		Platforms: o.Platforms, Environ: environ, Progress: show.show,
	})
	show.end()
	if err != nil {
		return buildHint(err)
	}
	return app.Print(m, buildTable(m, o.Out))
}

// buildHint adds what the person can do about an error.
func buildHint(err error) error {
	var (
		dirty     *source.DirtyError
		platform  *recipe.PlatformError
		toolchain *hermetic.ToolchainError
	)
	switch {
	case errors.As(err, &platform):
		return cli.Usagef("--platform: %v", err)
	case errors.As(err, &dirty):
		return cli.Hint(err, "commit or remove these files, or name the commit to build with --rev")
	case errors.As(err, &toolchain) && toolchain.What == "version":
		return cli.Hint(err,
			fmt.Sprintf("GOTOOLCHAIN=%s go version    fetches the right one", toolchain.Want),
			fmt.Sprintf(`--toolchain "$(GOTOOLCHAIN=%s go env GOROOT)"    builds with it`, toolchain.Want))
	case errors.Is(err, hermetic.ErrDiskFull):
		return cli.Hint(err, "TMPDIR names the directory for temporary files; a build of all platforms takes a few gigabytes")
	}
	return err
}

// buildTable lists the artifacts and what they were made of.
func buildTable(m rebuild.Manifest, out string) string {
	width := len("artifact")
	for _, a := range m.Artifacts {
		width = max(width, len(a.Path))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s  %10s  %s\n", width, "artifact", "bytes", "sha256")
	for _, a := range m.Artifacts {
		fmt.Fprintf(&b, "%-*s  %10d  %s\n", width, a.Path, a.Length, a.SHA256)
	}
	fmt.Fprintf(&b, "\nversion %s of commit %s (tree %s), %s on %s\n", m.Version, m.Source.Commit, m.Source.Tree, m.Go, m.Host)
	fmt.Fprintf(&b, "kept off the network by: %s\n", m.Network)
	fmt.Fprintf(&b, "in %s\n", out)
	return b.String()
}

// buildSteps shows how far a build is, and how long each step took.
type buildSteps struct {
	app *cli.App
	bar *cli.Bar
}

func (s *buildSteps) show(step string, done, total int) {
	s.end()
	s.bar = s.app.Progress(step, int64(total), false)
	s.bar.Set(int64(done))
}

func (s *buildSteps) end() {
	if s.bar != nil {
		s.bar.Done()
		s.bar = nil
	}
}
