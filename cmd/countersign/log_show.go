package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
)

type logShowOptions struct {
	repositoryOptions
	From    uint64
	Last    uint64
	Release string
	from    bool // --from was given
}

func newLogShowCommand(app *cli.App) *cobra.Command {
	var o logShowOptions
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the head of the log, who cosigned it, and its entries in words",
		Long: `Show the head of the log, who cosigned it, and its entries in words.

The last 20 entries are shown, or as --last says; with --from all from an index on (the first is 0); with
--release all that is said about one version. Each line ends with the hash by which the file is found.
Of several places (--repository more than once) the largest log is shown, and the others must be of it.

Example:

    countersign log show --release 1.4.0
    countersign log show --log-policy log.policy --repository https://mirror.example/repository --from 0

Exit codes: 0 done, 1 the log is not to be believed, 2 wrong usage, 3 could not tell.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.from = c.Flags().Changed("from")
			return runLogShow(c.Context(), app, o)
		},
	}
	o.flags(c, "repository")
	c.Flags().Uint64Var(&o.From, "from", 0, "show all entries from this index on; the first is 0")
	c.Flags().Uint64Var(&o.Last, "last", 20, "show so many of the last entries")
	c.Flags().StringVar(&o.Release, "release", "", "show what is in the log about this version")
	c.MarkFlagsMutuallyExclusive("from", "last", "release")
	return c
}

func runLogShow(ctx context.Context, app *cli.App, o logShowOptions) error {
	if o.Release != "" && !anchor.ValidVersion(o.Release) {
		return cli.Usagef("--release %q, want a version such as 1.4.0", o.Release)
	}
	p, err := o.log()
	if err != nil {
		return err
	}
	tree, err := p.newest(ctx)
	if err != nil {
		return err
	}
	head := tree.Head()
	if o.from && o.From > head.Size {
		return cli.Usagef("--from %d, and the log has %d entries", o.From, head.Size)
	}
	words := p.reader(ctx, app)
	from := o.first(head.Size)
	shown := []logEntry{}
	err = tree.Entries(ctx, from, head.Size, func(n uint64, entry []byte) error {
		e := logEntryOf(n, entry, words)
		_, version, _ := strings.Cut(e.Release, " ")
		if o.Release == "" || version == o.Release {
			shown = append(shown, e)
		}
		return nil
	})
	if err != nil {
		return wrongLog(err)
	}
	h := headOf(head, p.policy)
	return app.Print(struct {
		logHead
		Entries []logEntry `json:"entries"`
	}{h, shown}, h.text(p.policy)+o.text(shown, from, len(p.anchor.Root) > 0))
}

// first is the index of the first entry that is read.
func (o logShowOptions) first(size uint64) uint64 {
	switch {
	case o.Release != "":
		return 0
	case o.from:
		return o.From
	}
	return size - min(size, o.Last)
}

func (o logShowOptions) text(shown []logEntry, from uint64, named bool) string {
	var b strings.Builder
	for _, e := range shown {
		b.WriteString("\n" + e.line())
	}
	switch {
	case o.Release != "" && len(shown) == 0:
		fmt.Fprintf(&b, "\nnothing in the log is about %s", o.Release)
	case o.Release == "" && from > 0:
		fmt.Fprintf(&b, "\n\n%d entries before these: --from 0 shows all", from)
	}
	if o.Release != "" && !named {
		b.WriteString("\nwhich statements are about it is read from the distribution: give --root, too")
	}
	return b.String()
}
