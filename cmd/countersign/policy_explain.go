package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/tuf/durable"
)

func newPolicyExplainCommand(app *cli.App) *cobra.Command {
	var svg string
	c := &cobra.Command{
		Use:   "explain [FILE|DIRECTORY]",
		Short: "Say in plain words what a policy asks, and who could ship or stop a release",
		Long: `Say in plain words what a policy asks, and who could ship or stop a release.

For each channel the seven reasons of a genuine release are told, and then the smallest sets of people,
of organisations and of countries that could together meet all of them, and that could by silence keep
everybody else from it. Of a directory, policy.json and log.policy are read together. Without an
argument the policy built into this program is explained.

With --svg a picture of the people, their organisations and countries, and of the witnesses' groups is
written: no scripts, for light and dark pages, readable on a phone.

Example:

    countersign policy explain
    countersign policy explain release/anchor/distribution --svg policy.svg

Exit codes: 0 done, 1 the policy is refused, 2 wrong usage, 3 a file could not be read or there is none.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runPolicyExplain(app, args, svg) },
	}
	c.Flags().StringVar(&svg, "svg", "", "write a picture into this file")
	return c
}

// Explanation is what explain prints with --json.
type Explanation struct {
	From    string        `json:"from"`
	Demands []Demand      `json:"demands"`
	People  []unit        `json:"people"`
	Log     *explainedLog `json:"log,omitempty"`
	Wrong   []string      `json:"wrong,omitempty"`
}

type explainedLog struct {
	Origin    string             `json:"origin"`
	URL       string             `json:"url,omitempty"`
	Quorum    string             `json:"quorum"`
	Witnesses []explainedWitness `json:"witnesses"`
	Fork      Fork               `json:"fork"` // who could show somebody another log
}

type explainedWitness struct {
	Name      string `json:"name"`
	Person    string `json:"person,omitempty"`
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	URL       string `json:"url,omitempty"`
}

func runPolicyExplain(app *cli.App, args []string, svg string) error {
	p, err := embeddedPolicies()
	if len(args) > 0 {
		p, err = policiesAt(args[0])
	}
	if err != nil {
		return err
	}
	x := p.explain()
	if svg != "" {
		if err := durable.WriteFile(svg, p.picture(), 0o644); err != nil {
			return err
		}
		app.Say("Wrote %s.", svg)
	}
	return app.Print(x, printable(x.text()))
}

func (p policies) explain() Explanation {
	x := Explanation{From: p.From, Demands: p.demands(), People: p.units(), Wrong: p.misfits()}
	if p.Log != nil {
		x.Log = &explainedLog{Origin: p.Log.Origin(), URL: p.Log.Log().URL, Quorum: p.nodeWords(p.Log.Quorum()), Fork: p.fork()}
		for _, w := range p.Log.Witnesses() {
			x.Log.Witnesses = append(x.Log.Witnesses, explainedWitness{w.Name, p.owner(w), w.Key.Algorithm.String(), w.Key.String(), w.URL})
		}
	}
	return x
}

func (x Explanation) text() string {
	var b strings.Builder
	for _, d := range x.Demands {
		d.write(&b)
	}
	if x.known() {
		b.WriteString("People\n")
		for _, u := range x.People {
			fmt.Fprintf(&b, "  %s%s\n", u.Name, u.what())
		}
		b.WriteString("\n")
	}
	if x.Log != nil {
		fmt.Fprintf(&b, "The log %s is run by the publisher%s. Its witnesses:\n", x.Log.Origin, at(x.Log.URL))
		for _, w := range x.Log.Witnesses {
			fmt.Fprintf(&b, "  %s (%s)%s%s\n", w.Name, w.Algorithm, whose(w.Person), at(w.URL))
		}
		b.WriteString(x.Log.Fork.text())
	}
	for _, w := range x.Wrong {
		fmt.Fprintf(&b, "\nWrong: %s\n", w)
	}
	return b.String()
}

// known reports whether a policy.json said who the people are.
func (x Explanation) known() bool {
	return slices.ContainsFunc(x.People, func(u unit) bool { return !u.Stranger })
}

func (d Demand) write(b *strings.Builder) {
	if d.Channel != "" {
		fmt.Fprintf(b, "Channel %s: a release is genuine when\n", d.Channel)
	} else {
		b.WriteString("A head of the log is believed when\n")
	}
	for _, r := range d.Reasons {
		asks := r.Asks
		if asks == "" {
			asks = "(not asked)"
		}
		fmt.Fprintf(b, "  %d %-14s %s\n", r.Number, r.Name, asks)
	}
	b.WriteString("\n")
	writeSets(b, "could meet all of it together with the publisher", d.Ship)
	writeSets(b, "could stop it by silence", d.Block)
	for _, n := range d.Notes {
		fmt.Fprintf(b, "  Note: %s\n", n)
	}
	if len(d.Notes) > 0 {
		b.WriteString("\n")
	}
}

func writeSets(b *strings.Builder, what string, list []Sets) {
	fmt.Fprintf(b, "  Smallest sets that %s:\n", what)
	for _, s := range list {
		switch {
		case s.Many:
			fmt.Fprintf(b, "    more than %d of them: not searched\n", maxUnits)
			return
		case s.Size == 0:
			fmt.Fprintf(b, "    %-14s not even all together\n", s.Of)
		case s.Size == 1:
			fmt.Fprintf(b, "    %-14s 1: %s\n", s.Of, alternatives(s))
		default:
			fmt.Fprintf(b, "    %-14s %d, in %s\n", s.Of, s.Size, quantity(s.Count, "way", "ways"))
			for _, set := range s.First {
				fmt.Fprintf(b, "                     %s\n", strings.Join(set, " + "))
			}
			if more := s.Count - len(s.First); more > 0 {
				fmt.Fprintf(b, "                     and %d more\n", more)
			}
		}
	}
	b.WriteString("\n")
}

// what says what a person may do.
func (u unit) what() string {
	var can []string
	for _, c := range []struct {
		does bool
		word string
	}{{u.Signs, "signs releases"}, {u.States, "rebuilds, reviews, withdraws"}, {u.Cosigns, "cosigns the log"}} {
		if c.does {
			can = append(can, c.word)
		}
	}
	where := ""
	if !u.Stranger {
		where = fmt.Sprintf(" (%s, %s)", u.Organisation, u.Jurisdiction)
	}
	return where + ": " + strings.Join(can, "; ")
}

func at(url string) string {
	if url == "" {
		return ""
	}
	return " at " + url
}

func whose(person string) string {
	if person == "" {
		return ""
	}
	return " of " + person
}
