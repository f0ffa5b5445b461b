package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

func newPolicyCheckCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE|DIRECTORY]...",
		Short: "Say whether policy files are sound, and what is wrong with one that is not",
		Long: `Say whether policy files are sound, and what is wrong with one that is not.

Each file is read as strictly as every program reads it: an unknown word, a number that nobody or
everybody together could not meet, a name or key that would count twice are refused, with the line.
Of a directory, policy.json and log.policy are read, and also whether the two fit together: that no
person counts twice by two keys, and that every channel can be met at all. What is allowed but should
be meant, such as one person who could stop every release, is a note. Without an argument the policy
built into this program is checked.

Example:

    countersign policy check release/anchor/distribution
    countersign policy check --json log.policy

Exit codes: 0 sound, 1 refused, 2 wrong usage, 3 a file could not be read or there is none.`,
		RunE: func(_ *cobra.Command, args []string) error { return runPolicyCheck(app, args) },
	}
}

// policyReport is what check found in one place.
type policyReport struct {
	From  string       `json:"from"`
	Good  bool         `json:"good"`
	Files []policyFile `json:"files,omitempty"`
	Wrong []string     `json:"wrong,omitempty"` // why the files do not fit together
	Notes []string     `json:"notes,omitempty"`
}

func runPolicyCheck(app *cli.App, args []string) error {
	var reports []policyReport
	if len(args) == 0 {
		p, err := embeddedPolicies()
		if err != nil {
			return err
		}
		reports = append(reports, p.report(nil))
	}
	for _, place := range args {
		files, whole, err := policyFilesAt(place)
		if err != nil {
			return err
		}
		p := policies{From: place, Whole: whole}
		if err := p.take(files); err != nil {
			reports = append(reports, policyReport{From: place, Files: files})
			continue
		}
		reports = append(reports, p.report(files))
	}
	var text strings.Builder
	var bad []string
	for _, r := range reports {
		r.write(&text)
		if !r.Good {
			bad = append(bad, r.From)
		}
	}
	if err := app.Print(reports, printable(text.String())); err != nil {
		return err
	}
	if len(bad) > 0 {
		return cli.Refusef("%d of %d: %s", len(bad), len(reports), strings.Join(bad, ", "))
	}
	return nil
}

// report judges whether good files fit together.
func (p policies) report(files []policyFile) policyReport {
	r := policyReport{From: p.From, Files: files, Wrong: p.misfits()}
	r.Good = len(r.Wrong) == 0
	for _, d := range p.demands() {
		r.Notes = append(r.Notes, d.Notes...)
	}
	slices.Sort(r.Notes)
	r.Notes = slices.Compact(r.Notes)
	return r
}

func (r policyReport) write(b *strings.Builder) {
	if len(r.Files) == 0 && r.Good {
		fmt.Fprintf(b, "good     %s\n", r.From)
	}
	for _, f := range r.Files {
		if f.Good {
			fmt.Fprintf(b, "good     %s: %s\n", f.File, f.Says)
		} else {
			fmt.Fprintf(b, "refused  %s: %s\n", f.File, f.Reason)
		}
	}
	for _, w := range r.Wrong {
		fmt.Fprintf(b, "refused  %s: %s\n", r.From, w)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "note     %s: %s\n", r.From, n)
	}
}
