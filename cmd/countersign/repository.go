package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// repositoryOptions say which distribution is meant and where it is fetched from.
type repositoryOptions struct {
	Root      string   // file; "" is the one built in
	Policy    string   // file; "" is the one built in
	LogPolicy string   // file; "" is the one built in
	From      []string // URLs, directories or bundle files; none: the mirrors of the distribution
}

func (o *repositoryOptions) flags(c *cobra.Command, from string) {
	c.Flags().StringArrayVar(&o.From, from, nil, "where to fetch from: an http, https or file URL, a directory, or a bundle file; may be repeated (default: the distribution's mirrors)")
	o.anchorFlags(c)
}

func (o *repositoryOptions) anchorFlags(c *cobra.Command) {
	c.Flags().StringVar(&o.Root, "root", "", "root.json to trust (default: the one built into this program)")
	c.Flags().StringVar(&o.Policy, "policy", "", "policy.json below which nothing is accepted (default: the one built into this program)")
	c.Flags().StringVar(&o.LogPolicy, "log-policy", "", "log.policy: whose log it is, and which witnesses to ask for (default: the one built into this program)")
}

// anchor returns what is trusted to begin with. A root from a file replaces all that is built in: it may
// belong to another distribution.
func (o *repositoryOptions) anchor() (anchor.Anchor, error) {
	if o.Root == "" {
		a, err := anchor.Embedded()
		if errors.Is(err, anchor.ErrNoDistribution) {
			return a, cli.Hint(cli.Usagef("this program was built without a distribution, so it does not know whom to trust"),
				"give the distribution's files with --root root.json and --policy policy.json")
		}
		if err == nil && o.Policy+o.LogPolicy != "" {
			return a, cli.Usagef("--policy or --log-policy without --root: the policies that belong to the root built into this program are built in, too")
		}
		return a, err
	}
	var a anchor.Anchor
	var err error
	if a.Root, err = readAnchor(o.Root); err != nil {
		return a, err
	}
	if o.Policy != "" {
		if a.Policy, err = readAnchor(o.Policy); err != nil {
			return a, err
		}
	}
	if o.LogPolicy != "" {
		if a.LogPolicy, err = readAnchor(o.LogPolicy); err != nil {
			return a, err
		}
		if _, err := proof.ParsePolicy(a.LogPolicy); err != nil {
			return a, cli.Usagef("%s: %v", o.LogPolicy, err)
		}
	}
	return a, nil
}

func readAnchor(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cli.Usagef("%v", err)
	}
	if info.Size() > anchor.MaxFile {
		return nil, cli.Usagef("%s: %d bytes, at most %d allowed", path, info.Size(), anchor.MaxFile)
	}
	return os.ReadFile(path)
}

// sources opens the places to fetch from.
func (o *repositoryOptions) sources(a anchor.Anchor) ([]fetch.Source, error) {
	from := o.From
	if len(from) == 0 {
		from = a.Mirrors
	}
	if len(from) == 0 {
		return nil, cli.Usagef("where to fetch from? the root was given by hand, so the mirrors must be, too")
	}
	var list []fetch.Source
	for _, f := range from {
		s, err := openSource(f)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// openSource opens a URL, a directory, or a bundle file.
func openSource(place string) (fetch.Source, error) {
	if strings.Contains(place, "://") {
		s, err := fetch.ParseURL(place, nil)
		if err != nil {
			return nil, cli.Usagef("%v", err)
		}
		return s, nil
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, cli.Usagef("%q is neither a URL nor a directory nor a bundle file: %v", place, err)
	}
	if info.IsDir() {
		return fetch.Dir(os.DirFS(place), place), nil
	}
	f, err := os.Open(place) // open until the program ends
	if err != nil {
		return nil, err
	}
	fsys, err := fetch.Tar(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	return fetch.Dir(fsys, place), nil
}

// sayFetch tells people what went wrong on the way. That a mirror has not got a file is told only where
// another had it and the error will not say it.
func sayFetch(app *cli.App) func(fetch.Event) {
	return func(e fetch.Event) {
		switch e.Kind {
		case fetch.Failed:
			app.Say("%s: %s: %v", e.Source, e.Path, e.Err)
		case fetch.Restarted:
			app.Say("%s: %s: from the beginning: %v", e.Source, e.Path, e.Err)
		case fetch.Resumed:
			app.Say("%s: %s: continued at byte %d", e.Source, e.Path, e.Done)
		}
	}
}
