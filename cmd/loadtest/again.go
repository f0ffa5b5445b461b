package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

func newTableCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "table FILE…", Short: "Print the table of results that --json has saved", Args: cobra.MinimumNArgs(1),
		Long: "Print one table of all rounds in files that 'compare --json' has saved.\n\n" + cli.ExitHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			var all result
			for _, file := range args {
				r, err := readResult(file)
				if err != nil {
					return err
				}
				all.Rows = append(all.Rows, r.Rows...)
			}
			return app.Print(all.Rows, compareTable(inOrder(all.Rows)))
		},
	}
}

func readResult(file string) (r result, err error) {
	b, err := os.ReadFile(file)
	if err == nil {
		if err = json.Unmarshal(b, &r); err != nil {
			err = fmt.Errorf("%s: not the JSON of this tool: %w", file, err)
		}
	}
	return r, err
}

// inOrder puts rows of several runs into the order of one.
func inOrder(rows []row) []row {
	slices.SortStableFunc(rows, func(a, b row) int { return slices.Index(workNames(), a.Work) - slices.Index(workNames(), b.Work) })
	return rows
}
