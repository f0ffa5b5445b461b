package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/audit"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/tuf/fetch"
)

func newAuditCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "audit",
		Short:   "Look at, rebuild and sign what a publisher proposes",
		GroupID: groupAuditor,
		Long: `Look at, rebuild and sign what a publisher proposes.

A publisher opens an event for each release and each change of people or policy. An auditor lists them,
rebuilds a release on their own machine from the source that came with it, and signs only what they
rebuilt themselves. The room (--room) is the publisher's server, a shared directory, or a copy on a
stick. What this auditor trusts, has seen and has signed is kept in --home and never leaves it.

    countersign audit list    --room http://room.example.org:8737 --keys ana.key
    countersign audit show    --room http://room.example.org:8737 3f9ac2
    countersign audit rebuild --room http://room.example.org:8737 --keys ana.key 3f9ac2
    countersign audit review  --room http://room.example.org:8737 3f9ac2
    countersign audit sign    --room http://room.example.org:8737 --keys ana.key 3f9ac2

An EVENT is named by its id or the first six or more digits of it. Flags that are always the same belong
into the settings file or the environment (COUNTERSIGN_ROOM, COUNTERSIGN_KEYS).`,
	}
	c.AddCommand(newAuditListCommand(app), newAuditShowCommand(app), newAuditRebuildCommand(app), newAuditReviewCommand(app), newAuditSignCommand(app), newAuditExportCommand(app), newAuditImportCommand(app), newAuditWithdrawCommand(app))
	return c
}

// auditOptions are what the audit commands share.
type auditOptions struct {
	Room           string
	Home           string
	Keys           []string
	PassphraseFile string
	Root           string
}

// flags adds the room and the home; keys and root only where the command uses them.
func (o *auditOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.Room, "room", "room", "the signing room: a directory, or the URL of a countersign serve")
	c.Flags().StringVar(&o.Home, "home", "", "this auditor's private directory (default: countersign/audit in the user's data directory)")
}

func (o *auditOptions) keyFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.Keys, "keys", nil, "file with this auditor's keys, or ssh-agent:…; may be repeated")
	c.Flags().StringVar(&o.PassphraseFile, "passphrase-file", "", "file that holds the keys' passphrase in one line")
}

func (o *auditOptions) rootFlag(c *cobra.Command) {
	c.Flags().StringVar(&o.Root, "root", "", "root.json to trust (default: the one compiled into this program, then the one remembered)")
}

// auditHome is the default of --home: below the user's data directory.
func auditHome(getenv func(string) string) string {
	data := getenv("XDG_DATA_HOME")
	switch {
	case filepath.IsAbs(data):
	case runtime.GOOS == "windows" && getenv("LOCALAPPDATA") != "":
		data = getenv("LOCALAPPDATA")
	case getenv("HOME") != "":
		data = filepath.Join(getenv("HOME"), ".local", "share")
	default:
		return "" // then it must be given
	}
	return filepath.Join(data, "countersign", "audit")
}

func isURL(room string) bool {
	return strings.HasPrefix(room, "http://") || strings.HasPrefix(room, "https://")
}

// open makes the auditor these options describe.
func (o auditOptions) open(ctx context.Context, app *cli.App) (*audit.Auditor, error) {
	if o.Home == "" {
		o.Home = auditHome(app.Getenv)
	}
	if o.Home == "" {
		return nil, cli.Usagef("--home is missing, and there is no home directory to put it in")
	}
	store, err := o.store()
	if err != nil {
		return nil, err
	}
	a := &audit.Auditor{
		Home: o.Home, Store: store, Now: app.Now, Environ: os.Environ(), Build: audit.Hermetic,
		Machine: fmt.Sprintf("countersign %s on %s/%s", anchor.Version(), runtime.GOOS, runtime.GOARCH),
	}
	if a.Anchor, err = o.anchor(); err != nil {
		return nil, err
	}
	if len(o.Keys) > 0 {
		if a.Keys, err = signer.Open(o.Keys, app.Passphrase(o.PassphraseFile), app.Getenv); err != nil {
			return nil, err
		}
	}
	a.Repository = o.repository()
	if a.Published, err = audit.PublishedAt(ctx, a.Repository); err != nil {
		app.Say("what is published could not be read, so nothing is shown as published or stale: %v", err)
	}
	return a, nil
}

func (o auditOptions) store() (event.Store, error) {
	if !isURL(o.Room) {
		if strings.Contains(o.Room, "://") {
			return nil, cli.Usagef("--room %s: want a directory, or a URL with http or https", o.Room)
		}
		if info, err := os.Stat(o.Room); err != nil || !info.IsDir() {
			return nil, cli.Hint(cli.Usagef("--room %s is not a directory", o.Room), "name the room's directory or URL with --room or COUNTERSIGN_ROOM")
		}
	}
	return event.OpenStore(o.Room, roomClient())
}

// anchor is the root this auditor trusts from outside: the one given, or the one compiled in.
func (o auditOptions) anchor() ([]byte, error) {
	if o.Root != "" {
		f, err := os.Open(o.Root)
		if err != nil {
			return nil, cli.Usagef("--root: %v", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, anchor.MaxFile+1))
		if err == nil && len(b) > anchor.MaxFile {
			err = cli.Usagef("--root %s: more than %d bytes", o.Root, anchor.MaxFile)
		}
		return b, err
	}
	embedded, err := anchor.Embedded()
	if errors.Is(err, anchor.ErrNoDistribution) {
		return nil, nil
	}
	return embedded.Root, err
}

// repository is the room's repository; one that is not there has nothing published.
func (o auditOptions) repository() *fetch.Courier {
	if isURL(o.Room) {
		return &fetch.Courier{Sources: []fetch.Source{fetch.HTTP(strings.TrimRight(o.Room, "/")+"/repository/", roomClient())}}
	}
	dir := filepath.Join(o.Room, "repository")
	return &fetch.Courier{Sources: []fetch.Source{fetch.Dir(os.DirFS(dir), dir)}}
}

// roomTimeout bounds the wait for a room's answer to begin; the answer itself may be large and slow.
const roomTimeout = time.Minute

// roomClient is an HTTP client that does not wait for ever on a room that is silent.
func roomClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = roomTimeout
	return &http.Client{Transport: t}
}

// pick finds the event a person means. A wrong or doubtful name is a wrong command line.
func pick(ctx context.Context, a *audit.Auditor, prefix string) (event.ID, error) {
	id, err := a.Pick(ctx, prefix)
	var no *audit.NotOne
	if !errors.As(err, &no) {
		return id, err
	}
	if no.None {
		return id, cli.Hint(cli.Usagef("no event starts with %q (six or more digits of its id)", prefix), no.Candidates...)
	}
	return id, cli.Hint(cli.Usagef("%q is the start of several events, give more digits", prefix), no.Candidates...)
}

// steps shows the progress of a rebuild: a bar for each file that is fetched, then one for the build.
type steps struct {
	app      *cli.App
	label    string
	fetching bool
	bar      *cli.Bar
}

func (s *steps) show(step string, done, total int64) {
	switch fetching := strings.HasPrefix(step, "fetching "); {
	case step == s.label:
	case s.bar != nil && !s.fetching && !fetching:
		s.bar.Describe(step)
	default:
		s.end()
		s.bar = s.app.Progress(step, total, fetching)
		s.fetching = fetching
	}
	s.label = step
	s.bar.Set(done)
}

func (s *steps) end() {
	if s.bar != nil {
		s.bar.Done()
	}
	s.label, s.bar = "", nil
}
