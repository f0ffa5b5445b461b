package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

// options are the flags of all measurements.
type options struct {
	systems, works []string
	rounds         int
	connections    int
	idle           []int
	rate           float64
	payload        int
	lasts, warm    time.Duration
	settle         time.Duration
	program        string
	dir            string
	keep           bool
	plot           string
	sizes          growthSizes
}

func (o *options) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&o.payload, "payload", 1024, "`bytes` of a message")
	f.DurationVar(&o.lasts, "for", 4*time.Second, "how long a measurement under load lasts")
	f.DurationVar(&o.warm, "warm", time.Second, "how long the load runs before")
	f.DurationVar(&o.settle, "settle", 15*time.Second, "how long connections are idle before memory is read")
	f.StringVar(&o.program, "messengerd", "", "`program` to measure (default: built from ./cmd/messengerd)")
	f.StringVar(&o.dir, "dir", "", "`directory` to work in, on the disk that is to be measured (default: a temporary one)")
	f.BoolVar(&o.keep, "keep", false, "keep what failed servers left in the directory")
}

func (o *options) compareFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&o.systems, "systems", systemNames(), "which `servers`, in the order of the table")
	f.StringSliceVar(&o.works, "works", workNames(), "which measurements")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in which the servers alternate; the table has the median and, in brackets, the least, and the JSON all")
	f.IntVar(&o.connections, "connections", 1000, "connections under load")
	f.IntSliceVar(&o.idle, "idle", []int{1000, 10_000}, "numbers of idle connections")
	f.Float64Var(&o.rate, "rate", 1000, "messages a second for the latency at a fixed rate")
}

func (o *options) growthFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.plot, "plot", "growth.svg", "`file` for the plot")
	f.IntSliceVar(&o.sizes.connections, "grow-connections", []int{1000, 5000, 10_000, 50_000}, "numbers of idle connections")
	c := &o.sizes.cluster
	f.StringVar(&c.database, "cluster-database", "", "`URL` of an empty PostgreSQL database for a cluster (default: none is measured)")
	f.StringVar(&c.bus, "cluster-bus", "", "`URL` of its nats-server, on this computer")
	f.IntVar(&c.perServer, "per-server", 15_000, "connections a server of the cluster gets at most")
	f.IntSliceVar(&c.sizes, "grow-cluster", []int{1000, 10_000, 50_000}, "numbers of idle connections of the cluster")
	f.IntSliceVar(&o.sizes.queued, "grow-queue", []int{0, 10_000, 100_000, 1_000_000}, "numbers of queued envelopes")
	f.IntSliceVar(&o.sizes.accounts, "grow-accounts", []int{1000, 10_000, 100_000, 1_000_000}, "numbers of accounts")
}

func (o *options) check() error {
	switch {
	case o.payload < 600 || o.payload > 100_000:
		return cli.Usagef("--payload %d: want 600 to 100000", o.payload) // below, a message looks like a receipt
	case o.lasts < 100*time.Millisecond || o.warm < 0 || o.settle < 0:
		return cli.Usagef("--for, --warm and --settle: want at least 100ms, 0s and 0s")
	}
	return nil
}

func (o *options) checkCompare() error {
	for _, w := range o.works {
		if !slices.Contains(workNames(), w) {
			return cli.Usagef("--works %q: want some of %s", w, strings.Join(workNames(), ", "))
		}
	}
	for _, s := range o.systems {
		if !slices.Contains(systemNames(), s) {
			return cli.Usagef("--systems %q: want some of %s", s, strings.Join(systemNames(), ", "))
		}
	}
	if o.rounds < 1 || o.connections < 2*groupSize || o.rate <= 0 {
		return cli.Usagef("--rounds, --connections and --rate: want at least 1, %d and more than 0", 2*groupSize)
	}
	return o.check()
}

// rest is the pause between connecting and the load.
const rest = 3 * time.Second

// prepare makes a place to work in, and builds the server.
func (o *options) prepare(ctx context.Context, app *cli.App) (*bench, func(), error) {
	dir, err := os.MkdirTemp(o.dir, "loadtest")
	if err != nil {
		return nil, nil, err
	}
	clean := func() {
		if !o.keep {
			_ = os.RemoveAll(dir) // a temporary directory
		}
	}
	if o.program == "" {
		o.program = filepath.Join(dir, "messengerd")
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", o.program, "github.com/countersign-project/countersign/cmd/messengerd")
		cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			clean()
			return nil, nil, cli.Hint(fmt.Errorf("building messengerd: %w\n%s", err, out), "run the tool inside the checkout, or give --messengerd")
		}
	}
	return &bench{app: app, dir: dir, payload: o.payload, rest: rest, warm: o.warm, lasts: o.lasts, settle: o.settle}, clean, nil
}

func newCompareCommand(app *cli.App) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "compare", Short: "Run the same work against every server, and print one table", Args: cobra.NoArgs,
		Long: "Run the same work against every server, one after another, and print one table.\n\n" + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.do(cmd.Context(), app, true, false)
		},
	}
	o.flags(cmd)
	o.compareFlags(cmd)
	return cmd
}

func newGrowthCommand(app *cli.App) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "growth", Short: "Measure how messengerd's costs grow, and draw it", Args: cobra.NoArgs,
		Long: "Measure what messengerd costs with more idle connections, longer queues and more accounts, print a table and draw a plot.\n" +
			"A process may hold only so many connections: see 'ulimit -Hn'. More of them are held by several servers that are one, over a\n" +
			"PostgreSQL database and a nats-server that you have started, with as many processes of clients.\n\n" + cli.ExitHelp,
		Example: "  go run ./cmd/loadtest growth --cluster-database 'postgres://postgres@127.0.0.1/loadtest' --cluster-bus nats://127.0.0.1:4222",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.do(cmd.Context(), app, false, true)
		},
	}
	o.flags(cmd)
	o.growthFlags(cmd)
	return cmd
}

func newAllCommand(app *cli.App) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "all", Short: "Compare, and measure growth", Args: cobra.NoArgs,
		Long: "Do what 'compare' and 'growth' do.\n\n" + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.do(cmd.Context(), app, true, true)
		},
	}
	o.flags(cmd)
	o.compareFlags(cmd)
	o.growthFlags(cmd)
	return cmd
}

// result is what --json prints.
type result struct {
	Machine machine  `json:"machine"`
	Missing []string `json:"missing,omitempty"` // systems that could not be measured, and why
	Rows    []row    `json:"rows"`
}

func (o *options) do(ctx context.Context, app *cli.App, compare, growth bool) error {
	check := o.check
	if compare {
		check = o.checkCompare
	}
	if err := check(); err != nil {
		return err
	}
	if growth {
		if err := o.sizes.cluster.check(); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, clean, err := o.prepare(ctx, app)
	if err != nil {
		return err
	}
	defer clean()
	out := result{Machine: thisMachine()}
	text := out.Machine.String() + "\n"
	if compare {
		t, err := o.compare(ctx, b, &out)
		if err != nil {
			return err
		}
		text += "\n" + t
	}
	if growth {
		rows, err := b.growth(ctx, &messengerd{program: o.program, dialer: newDialer()}, o.sizes)
		if err != nil {
			return err
		}
		out.Rows = append(out.Rows, rows...)
		if err := os.WriteFile(o.plot, growthPlot(rows), 0o666); err != nil {
			return err
		}
		app.Say("the plot is in %s", o.plot)
		text += "\n" + growthTable(rows)
	}
	for _, m := range out.Missing {
		text += "\nnot measured: " + m + "\n"
	}
	return app.Print(out, text)
}

// compare runs all rounds.
func (o *options) compare(ctx context.Context, b *bench, out *result) (string, error) {
	missing := map[string]error{}
	for _, w := range o.works {
		for round := range o.rounds {
			for _, s := range o.chosen(w) {
				if missing[s.name()] != nil {
					continue
				}
				rows, err := o.measure(ctx, b, w, s, round)
				switch {
				case errors.Is(err, errMissing):
					missing[s.name()] = err
					out.Missing = append(out.Missing, s.name()+": "+err.Error())
					b.app.Say("%v", err)
				case errors.Is(err, errCannot):
				case ctx.Err() != nil:
					return "", ctx.Err()
				case err != nil:
					out.Missing = append(out.Missing, fmt.Sprintf("%s with %s, round %d: %v", w, s.name(), round+1, err))
					b.app.Say("%s: %s: %v", w, s.name(), err)
				}
				out.Rows = append(out.Rows, rows...)
			}
		}
	}
	return compareTable(out.Rows), nil
}

// measure does one work with one system, once.
func (o *options) measure(ctx context.Context, b *bench, work string, s system, round int) (rows []row, err error) {
	add := func(connections int, v map[string]float64, err error) error {
		if err == nil {
			rows = append(rows, row{Work: work, System: s.name(), Connections: connections, Round: round + 1, Values: v})
			b.app.Say("%s, %s, %d connections: %s", work, s.name(), connections, valuesText(v))
		}
		return err
	}
	switch work {
	case workPairs:
		v, err := b.pairs(ctx, s, o.connections, 0)
		return rows, add(o.connections, v, err)
	case workRate:
		v, err := b.pairs(ctx, s, o.connections, o.rate)
		return rows, add(o.connections, v, err)
	case workGroups:
		v, err := b.groups(ctx, s, o.connections)
		return rows, add(o.connections, v, err)
	case workAbsent:
		v, err := b.absent(ctx, s, o.connections)
		return rows, add(o.connections, v, err)
	case workBacklog:
		v, err := b.backlog(ctx, s)
		return rows, add(2*backlogRecipients, v, err)
	}
	for _, n := range o.idle {
		v, err := b.idle(ctx, s, n)
		if err := add(n, v, err); err != nil {
			return rows, err
		}
	}
	return rows, nil
}
