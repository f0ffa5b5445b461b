// Package cli is what the programs share at their edge to people: exit codes, printing, progress,
// JSON output, and settings that come from a flag, the environment or one TOML file, in this order.
package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// App is the outside world of one program, handed to its commands.
type App struct {
	Name   string // "countersign", "messenger", "messengerd"
	In     io.Reader
	Out    io.Writer // results
	Err    io.Writer // progress, notices and errors
	Now    func() time.Time
	Getenv func(string) string
	JSON   bool // --json was given: results are JSON on Out
	Quiet  bool // --quiet was given: no progress
}

// NewApp returns the real world for a program of that name.
func NewApp(name string) *App {
	return &App{Name: name, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now, Getenv: os.Getenv}
}

// Terminal reports whether Err is a terminal that can show a moving bar.
func (a *App) Terminal() bool {
	f, ok := a.Err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Say prints a notice for people on Err; with --quiet it prints nothing.
func (a *App) Say(format string, args ...any) {
	if !a.Quiet {
		fmt.Fprintf(a.Err, format+"\n", args...)
	}
}

// Print writes a result: v as JSON with --json, and the text otherwise.
func (a *App) Print(v any, text string) error {
	if a.JSON {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	_, err := fmt.Fprintln(a.Out, strings.TrimRight(text, "\n"))
	return err
}

// PrintLine writes one of many results, one after the other while a command runs: v as JSON on one line with
// --json, and the text otherwise.
func (a *App) PrintLine(v any, text string) error {
	if a.JSON {
		return json.NewEncoder(a.Out).Encode(v)
	}
	return a.Print(v, text)
}

// Prepare gives a root command what all our programs have: --json, --quiet, settings from the
// environment and a TOML file, and errors printed once by Run.
func (a *App) Prepare(root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.PersistentFlags().BoolVar(&a.JSON, "json", false, "print the result as JSON")
	root.PersistentFlags().BoolVarP(&a.Quiet, "quiet", "q", false, "show no progress")
	root.PersistentFlags().String("config", "", "settings file (default: "+a.Name+".toml in the user's configuration directory, or the directory's named "+a.prefix()+"_CONFIG)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%v\nsee '%s --help'", err, c.CommandPath())}
	})
	addManual(root)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.settings(cmd) }
}

// Run executes a prepared root command, prints its error and returns the exit code.
func (a *App) Run(root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.Execute()
	if err != nil {
		a.printError(err)
	}
	return Code(classify(err))
}

// classify makes cobra's own complaints, which have no type, usage errors.
func classify(err error) error {
	if err == nil {
		return nil
	}
	for _, start := range []string{"unknown command", "accepts ", "requires at least", "required flag(s)", "if any flags in the group", "invalid argument", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), start) {
			return usageError{err}
		}
	}
	return err
}

func (a *App) printError(err error) {
	word := "error"
	if Code(err) == ExitRefused {
		word = "refused"
	}
	fmt.Fprintf(a.Err, "%s: %s: %v\n", a.Name, word, err)
	var h hinted
	for e := err; errors.As(e, &h); e = h.error {
		for _, line := range h.hints {
			fmt.Fprintf(a.Err, "  → %s\n", line)
		}
	}
}
