package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/monitor"
	"github.com/countersign-project/countersign/tuf/durable"
)

type monitorOptions struct {
	repositoryOptions
	State   string
	Once    bool
	Every   time.Duration
	Grace   time.Duration
	Webhook string
	Command string
}

func newMonitorCommand(app *cli.App) *cobra.Command {
	var o monitorOptions
	c := &cobra.Command{
		Use:     "monitor",
		Short:   "Watch a distribution and its log, and say what is wrong",
		GroupID: groupAnyone,
		Long: `Watch a distribution and its log, and say what is wrong.

Every mirror is looked at by itself and held against the others, against the log, and against what was
seen before. Told are: forks and rollbacks of the log or of metadata; what is served and not in the log,
or in the log and served by nobody; auditors who got other bytes, who say not to ship, or who withdrew a
release; roles that will expire and were not signed again; witnesses that are missing; mirrors that serve
what does not hold. Each alarm is told once, again when it changes, and once more when it is over. Signed
evidence is kept in the state directory.

Alarms are printed, and also sent where you say: --webhook posts the report as JSON, --command gives its
text to a command. While either fails, nothing counts as told, and the next look tells it again.

Example:

    countersign monitor --repository https://one.example/repository --repository https://two.example/repository
    countersign monitor --once --command "mail -s countersign me@example.org"

Exit codes with --once: 0 nothing new, 1 new alarms, 2 wrong usage, 3 could not tell.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runMonitor(ctx, app, o)
		},
	}
	o.flags(c, "repository")
	c.Flags().StringVar(&o.State, "state", "", "directory that remembers what was seen and told (default: in the user's cache directory)")
	c.Flags().BoolVar(&o.Once, "once", false, "look once and end, for cron")
	c.Flags().DurationVar(&o.Every, "every", 10*time.Minute, "look again after this time")
	c.Flags().DurationVar(&o.Grace, "grace", 10*time.Minute, "how long a file without its log entry, or an entry without its file, has to last")
	c.Flags().StringVar(&o.Webhook, "webhook", "", "URL to post alarms to, as JSON")
	c.Flags().StringVar(&o.Command, "command", "", "command that gets alarms on its standard input, run by the shell")
	return c
}

func runMonitor(ctx context.Context, app *cli.App, o monitorOptions) error {
	m, err := o.prepare()
	if err != nil {
		return err
	}
	if o.Once {
		r, err := o.look(ctx, app, m)
		if err != nil {
			return err
		}
		return monitorResult(r)
	}
	for {
		r, err := o.look(ctx, app, m)
		if ctx.Err() != nil {
			return nil // the person's wish
		}
		if err != nil {
			app.Say("%s: %v; looking again in %s", app.Now().UTC().Format(time.RFC3339), err, o.Every)
		}
		for _, p := range r.Problems {
			app.Say("%s: could not tell: %s", app.Now().UTC().Format(time.RFC3339), p)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Every):
		}
	}
}

func (o monitorOptions) prepare() (monitor.Options, error) {
	m := monitor.Options{Dir: o.State, Grace: o.Grace}
	if !o.Once && o.Every < time.Second {
		return m, cli.Usagef("--every %s, want at least 1s", o.Every)
	}
	if o.Grace < 0 {
		return m, cli.Usagef("--grace %s, want 0 or more", o.Grace)
	}
	if u, err := url.Parse(o.Webhook); o.Webhook != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		return m, cli.Usagef("--webhook %q, want an http or https URL", o.Webhook)
	}
	var err error
	if m.Anchor, err = o.anchor(); err != nil {
		return m, err
	}
	if m.Sources, err = o.sources(m.Anchor); err != nil {
		return m, err
	}
	if m.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return m, cli.Usagef("%v: say with --state where to remember what was seen", err)
		}
		m.Dir = filepath.Join(cache, "countersign", "monitor", fmt.Sprintf("%.8x", sha256.Sum256(m.Anchor.Root)))
	}
	return m, nil
}

// look looks once, and prints and sends what there is to tell.
func (o monitorOptions) look(ctx context.Context, app *cli.App, m monitor.Options) (monitor.Report, error) {
	r, err := monitor.Look(ctx, m, app.Now(), func(ctx context.Context, r monitor.Report) error {
		var errs []error
		if o.Webhook != "" {
			errs = append(errs, monitor.Post(ctx, o.Webhook, r))
		}
		if o.Command != "" {
			errs = append(errs, monitor.Run(ctx, o.Command, r))
		}
		return errors.Join(errs...)
	})
	if errors.Is(err, durable.ErrLocked) {
		return r, cli.Hint(err, "another monitor uses "+m.Dir+"; give this one a directory of its own with --state")
	}
	if r.At.IsZero() {
		return r, err
	}
	text := strings.TrimRight(r.Text(), "\n")
	if len(r.New)+len(r.Over) == 0 && !o.Once {
		return r, err // a service is quiet while nothing changes
	}
	if text == "" {
		text = fmt.Sprintf("nothing new: %d alarms stand, %d log entries seen", len(r.Standing), r.Entries)
	}
	return r, errors.Join(err, app.Print(r, text))
}

// monitorResult is the exit code: what is wrong comes before what could not be found out.
func monitorResult(r monitor.Report) error {
	if len(r.New) > 0 {
		return cli.Refusef("%d new alarms", len(r.New))
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("could not tell: %s", strings.Join(r.Problems, "; "))
	}
	return nil
}
