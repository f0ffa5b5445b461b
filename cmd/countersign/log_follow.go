package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/monitor"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

type logFollowOptions struct {
	repositoryOptions
	State string
	Every time.Duration
	Once  bool
}

func newLogFollowCommand(app *cli.App) *cobra.Command {
	var o logFollowOptions
	c := &cobra.Command{
		Use:   "follow",
		Short: "Print new entries of the log as they come, and refuse one that was forked or went back",
		Long: `Print new entries of the log as they come, and refuse one that was forked or went back.

The newest head is remembered in --state with all entries up to it, and each further one has to go on from
it. With several places (--repository more than once) their heads are held against each other, too. A fork,
a log that went back, a head without its witnesses, and files that do not lead to it end the command; the
signed heads are kept, and their folder is named. What is there at the first start is not printed: see
countersign log show. countersign monitor looks at much more.

Example:

    countersign log follow --every 10m
    countersign log follow --once --state /var/lib/countersign-log --json

Exit codes: 0 stopped by an interrupt, or done with --once, 1 refused, 2 wrong usage, 3 could not tell (with --once).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runLogFollow(ctx, app, o)
		},
	}
	o.flags(c, "repository")
	c.Flags().StringVar(&o.State, "state", "", "directory that remembers what was seen (default: in the user's cache directory)")
	c.Flags().DurationVar(&o.Every, "every", time.Minute, "look again after this time")
	c.Flags().BoolVar(&o.Once, "once", false, "look once and end, for cron")
	return c
}

func runLogFollow(ctx context.Context, app *cli.App, o logFollowOptions) error {
	if o.Every < time.Second {
		return cli.Usagef("--every %s, want at least 1s", o.Every)
	}
	p, err := o.log()
	if err != nil {
		return err
	}
	if o.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return cli.Usagef("%v: say with --state where to remember what was seen", err)
		}
		o.State = filepath.Join(cache, "countersign", "log", fmt.Sprintf("%.8x", sha256.Sum256([]byte(p.policy.Log().Key.String()))))
	}
	f := &following{logPlace: p, app: app, state: o.State}
	for {
		err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // the person's wish
		case o.Once, cli.Code(err) == cli.ExitRefused, cli.Code(err) == cli.ExitUsage, errors.Is(err, durable.ErrLocked):
			return err
		case err != nil:
			app.Say("%s: %v; looking again in %s", app.Now().UTC().Format(time.RFC3339), err, o.Every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Every):
		}
	}
}

// following is a log that is followed.
type following struct {
	logPlace
	app   *cli.App
	state string   // directory
	told  []string // alarms that refuse nothing, told already
}

// look looks once. New entries are printed before they are remembered: a crash in between prints them again.
func (f *following) look(ctx context.Context) error {
	s, err := monitor.OpenState(f.state)
	if errors.Is(err, durable.ErrLocked) {
		return cli.Hint(err, "another command follows the log with "+f.state+"; give this one a directory of its own with --state")
	}
	if err != nil {
		return err
	}
	defer s.Close()
	follower := monitor.Follower{Policy: f.policy}
	for _, src := range f.sources {
		follower.Places = append(follower.Places, monitor.Place{Name: src.String(), Source: tiles.Under(repositoryLog, &fetch.Courier{Sources: []fetch.Source{src}})})
	}
	first, before := len(s.Checkpoint) == 0, s.Entries().Len()
	alarms, problems := follower.Look(ctx, s)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.judge(s, alarms); err != nil {
		return err
	}
	if err := f.print(ctx, s, before, first); err != nil {
		return err
	}
	return errors.Join(append(problems, s.Save())...)
}

// judge refuses what shows a log that must not be followed, and keeps it. Nothing of such a look is remembered.
func (f *following) judge(s *monitor.State, alarms []monitor.Alarm) error {
	var texts, hints, standing []string
	for _, a := range alarms {
		// A witness that is missing while the others are enough is no reason to stop; nor is an entry that
		// the log has for ever.
		if a.Kind == monitor.KindEntry || a.Kind == monitor.KindTwice || a.Kind == monitor.KindWitnesses && len(a.Files) == 0 {
			standing = append(standing, a.Text)
			if !slices.Contains(f.told, a.Text) {
				f.app.Say("%s: %s", a.Kind, a.Text)
			}
			continue
		}
		texts = append(texts, a.Text)
		dir, err := s.Keep(a)
		if err != nil {
			return err
		}
		if dir != "" {
			hints = append(hints, "evidence: "+dir)
		}
	}
	f.told = standing
	if len(texts) > 0 {
		return cli.Hint(cli.Refusef("%s", strings.Join(texts, "; ")), hints...)
	}
	return nil
}

// print prints what is new.
func (f *following) print(ctx context.Context, s *monitor.State, before int, first bool) error {
	size := s.Entries().Len()
	if first && size > 0 {
		f.app.Say("log %s: following it from entry %d on", f.policy.Origin(), size)
	}
	if first || size == before {
		return nil
	}
	words := f.reader(ctx, f.app)
	for i, entry := range s.Entries().From(before) {
		e := logEntryOf(uint64(i), entry, words)
		if err := f.app.PrintLine(e, e.line()); err != nil {
			return err
		}
	}
	return nil
}
