package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

type verifyOptions struct {
	repositoryOptions
	File              string
	Offline           string
	Channel           string
	Program, OS, Arch string
	State             string
	Save              string
	How               bool
}

func newVerifyCommand(app *cli.App) *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:     "verify FILE",
		Short:   "Say whether a file is what the auditors countersigned, and why",
		GroupID: groupAnyone,
		Long: `Say whether a file is what the auditors countersigned, and why.

The file's SHA-256 is looked up in the signed metadata of the distribution, and the seven reasons for
which a program is genuine are judged and printed, with the people who vouch for each. Whoever brings
the metadata is not trusted. What was seen once is remembered, so that an older state is noticed.

With --offline, a bundle file or a directory is used and no network. With --how, it also prints how to
find out the same with tools that are not ours.

Example:

    countersign verify ./messenger
    countersign verify --root root.json --policy policy.json --repository https://mirror.example ./messenger

Exit codes: 0 genuine, 1 refused, 2 wrong usage, 3 could not tell.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.File = args[0]
			return runVerify(c.Context(), app, o)
		},
	}
	o.flags(c, "repository")
	c.Flags().StringVar(&o.Offline, "offline", "", "use this bundle file or directory, and no network")
	c.Flags().StringVar(&o.Channel, "channel", "", "channel the file is said to be from (default: any)")
	c.Flags().StringVar(&o.Program, "program", "", "program the file is said to be (default: read from the file)")
	c.Flags().StringVar(&o.OS, "os", "", "operating system it is said to be for (default: read from the file)")
	c.Flags().StringVar(&o.Arch, "arch", "", "processor it is said to be for (default: read from the file)")
	c.Flags().StringVar(&o.State, "state", "", "directory that remembers what was seen (default: in the user's cache directory)")
	c.Flags().StringVar(&o.Save, "save", "", "write all the evidence into this file, to be judged again by anybody at any time")
	c.Flags().BoolVar(&o.How, "how", false, "also print how to check with other tools")
	c.MarkFlagsMutuallyExclusive("offline", "repository")
	c.MarkFlagsRequiredTogether("program", "os", "arch")
	return c
}

func runVerify(ctx context.Context, app *cli.App, o verifyOptions) error {
	v, err := o.prepare(app)
	if err != nil {
		return err
	}
	verdict, err := v.judge(ctx)
	if errors.Is(err, durable.ErrLocked) {
		return cli.Hint(err, "another verify is running; wait for it, or remember elsewhere with --state")
	}
	if err != nil {
		return err
	}
	text := verdict.Text()
	if o.How {
		text += "\n" + howText(v)
	}
	if err := app.Print(verdict, text); err != nil {
		return err
	}
	return verdict.Err()
}

// verifying is one file on its way to a verdict.
type verifying struct {
	verifyOptions
	app     *cli.App
	anchor  anchor.Anchor
	sources []fetch.Source
	courier *fetch.Courier
	client  *client.Client
	length  int64
	sum     [32]byte
	claims  genuine.Subject // what the file says of itself, believed by nobody
	found   []evidence.Named
	broken  error // channels that could not be verified
}

// prepare reads everything that is ours: the command line, the anchor, the file.
func (o verifyOptions) prepare(app *cli.App) (*verifying, error) {
	v := &verifying{verifyOptions: o, app: app}
	var err error
	if v.anchor, err = o.anchor(); err != nil {
		return nil, err
	}
	if len(v.anchor.Policy) == 0 {
		return nil, cli.Usagef("--root without --policy: what does this distribution ask of a release?")
	}
	if _, err := genuine.ParsePolicy(v.anchor.Policy); err != nil {
		return nil, cli.Usagef("%s: %v", o.Policy, err)
	}
	if o.Offline != "" {
		v.From = []string{o.Offline}
	}
	if v.sources, err = v.repositoryOptions.sources(v.anchor); err != nil {
		return nil, err
	}
	if err := v.read(); err != nil {
		return nil, err
	}
	if v.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, cli.Usagef("%v: say with --state where to remember what was seen", err)
		}
		// One memory for each distribution: versions of another one mean nothing here.
		v.State = filepath.Join(cache, "countersign", "verify", fmt.Sprintf("%.8x", sha256.Sum256(v.anchor.Root)))
	}
	v.newCourier()
	v.client, err = client.Open(v.State, v.anchor.Root)
	return v, err
}

func (v *verifying) newCourier() {
	v.courier = &fetch.Courier{Sources: v.sources, Deadline: 10 * time.Minute, Report: sayFetch(v.app)}
}

// read hashes the file and looks into it for what it says of itself.
func (v *verifying) read() error {
	f, err := os.Open(v.File)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return cli.Usagef("%s: is not a regular file", v.File)
	}
	h := sha256.New()
	if v.length, err = io.Copy(h, f); err != nil {
		return err
	}
	v.sum = [32]byte(h.Sum(nil))
	v.claims = genuine.Subject{Channel: v.Channel, Program: v.Program, OS: v.OS, Arch: v.Arch, Length: v.length, SHA256: v.sum}
	if v.Program != "" {
		return nil
	}
	if b, err := buildinfo.Read(f); err == nil {
		v.claims.Program = path.Base(b.Path)
		for _, s := range b.Settings {
			switch s.Key {
			case "GOOS":
				v.claims.OS = s.Value
			case "GOARCH":
				v.claims.Arch = s.Value
			}
		}
	}
	return nil
}
