package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/mirror"
)

type mirrorCheckOptions struct {
	repositoryOptions
	Deep bool
}

func newMirrorCheckCommand(app *cli.App) *cobra.Command {
	var o mirrorCheckOptions
	c := &cobra.Command{
		Use:   "check [URL|DIR ...]",
		Short: "Say which mirrors lag, lie or miss something",
		Long: `Say which mirrors lag, lie or miss something.

Each mirror is looked at as a new device would see it, and then they are compared. Without arguments
all mirrors of the distribution are checked. In a mirror's own directory, foreign files are reported.
Logs are compared where the distribution has a log.policy (--log-policy).

  good         everything is there, and nobody has newer
  lags         another mirror has newer metadata, or this one's has expired
  misses       files or statements that its metadata or other mirrors name are not there
  unreachable  could not tell
  lies         something was checked and found wrong
  forks        its log and another mirror's cannot be one log: tell everybody, and keep both

Example:

    countersign mirror check --deep https://one.example/repository /srv/countersign

Exit codes: 0 all are good, 1 one lags, misses, lies or forks, 2 wrong usage, 3 one could not be reached.`,
		RunE: func(c *cobra.Command, args []string) error {
			o.From = args
			return runMirrorCheck(c.Context(), app, o)
		},
	}
	o.anchorFlags(c)
	c.Flags().BoolVar(&o.Deep, "deep", false, "read every file and compare its hash, not only its length")
	return c
}

func runMirrorCheck(ctx context.Context, app *cli.App, o mirrorCheckOptions) error {
	a, err := o.anchor()
	if err != nil {
		return err
	}
	sources, err := o.sources(a)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "countersign-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	var places []mirror.Place
	for i, s := range sources {
		p := mirror.Place{Source: s}
		if i < len(o.From) {
			if info, err := os.Stat(o.From[i]); err == nil && info.IsDir() {
				p.Dir = o.From[i]
			}
		}
		places = append(places, p)
	}
	bar := app.Progress("checking mirrors", int64(len(places)), false)
	list, err := mirror.Check(ctx, mirror.CheckOptions{Anchor: a, Places: places, Now: app.Now, Scratch: scratch, Deep: o.Deep,
		Progress: func(done, _ int) { bar.Set(int64(done)) }})
	bar.Done()
	if err != nil {
		return err
	}
	if err := app.Print(list, checkText(list)); err != nil {
		return err
	}
	return checkResult(list)
}

func checkText(list []mirror.Status) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%-11s  %s", s.State, s.Source)
		if v := s.Versions["timestamp"]; v > 0 {
			fmt.Fprintf(&b, "  timestamp %d, valid until %s", v, s.Expires.UTC().Format("2006-01-02 15:04 UTC"))
		}
		if s.Log != nil {
			fmt.Fprintf(&b, ", log of %d entries", s.Log.Size)
		}
		b.WriteByte('\n')
		for _, p := range s.Problems {
			fmt.Fprintf(&b, "  %s\n", p)
		}
		for _, f := range s.Foreign {
			fmt.Fprintf(&b, "  foreign file: %s\n", f)
		}
	}
	return b.String()
}

// checkResult is the exit code: what was shown to be wrong comes before what could not be told.
func checkResult(list []mirror.Status) error {
	var wrong, unknown []string
	for _, s := range list {
		switch s.State {
		case mirror.Good:
		case mirror.Unreachable:
			unknown = append(unknown, s.Source)
		default:
			wrong = append(wrong, fmt.Sprintf("%s %s", s.Source, s.State))
		}
	}
	if len(wrong) > 0 {
		return cli.Refusef("%d of %d mirrors are not good: %s", len(wrong), len(list), strings.Join(wrong, ", "))
	}
	if len(unknown) > 0 {
		return fmt.Errorf("could not tell about %s", strings.Join(unknown, ", "))
	}
	return nil
}
