package updatecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/release/update/home"
)

// updateOptions is the command line of update.
type updateOptions struct {
	check      bool
	pin        string
	unpin      bool
	channel    string
	automatic  string
	fromFile   string
	stale      bool
	repository []string
	proxy      string
}

func newUpdateCommand(h *Host) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Install the newest version that the auditors countersigned",
		Long: `Ask the mirrors for a newer version, judge it, and install it beside the one that runs. It runs
from the next start on; if it does not work here, the last good version returns by itself. What is not
genuine is not installed, whoever offers it.

--pin stays on a version, or goes back to one; it is the only way to an older version, and never to one
below the signed minimum. --channel, --automatic and --unpin only change the settings. --from-file reads
a tar of a mirror's directory, for computers without network; if nobody could confirm lately that it is
the newest state, --accept-stale takes it all the same.

` + proxyHelp(h) + cli.ExitHelp,
		Example: strings.ReplaceAll("  NAME update --check\n  NAME update\n  NAME update --pin 1.4.0\n  NAME update --from-file /media/stick/countersign.tar", "NAME", h.app.Name),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return h.update(ctx, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", false, "only say what is there; install nothing")
	f.StringVar(&o.pin, "pin", "", "stay on this `version`, installing it if need be; \"current\" is the one that runs")
	f.BoolVar(&o.unpin, "unpin", false, "follow the channel again")
	f.StringVar(&o.channel, "channel", "", "follow this channel: \"stable\" or another of the distribution")
	f.StringVar(&o.automatic, "automatic", "", "automatic updates in long-running modes: \"on\" or \"off\"")
	f.StringVar(&o.fromFile, "from-file", "", "take the update from this tar of a mirror's directory")
	f.BoolVar(&o.stale, "accept-stale", false, "with --from-file: accept a state that has expired")
	repositoryFlag(cmd, &o.repository)
	cmd.MarkFlagsMutuallyExclusive("check", "pin", "unpin")
	cmd.MarkFlagsMutuallyExclusive("from-file", "repository")
	if h.Way != nil {
		f.StringVar(&o.proxy, "proxy", "", "fetch through this SOCKS5 `proxy`, or \"none\": as HTTPS_PROXY says (default: as the accounts here go)")
		cmd.MarkFlagsMutuallyExclusive("from-file", "proxy")
	}
	return cmd
}

// repositoryFlag adds --repository, which replaces the distribution's own mirrors.
func repositoryFlag(cmd *cobra.Command, list *[]string) {
	cmd.Flags().StringArrayVar(list, "repository", nil, "ask this `URL` instead of the distribution's mirrors (may be repeated)")
}

func (h *Host) update(ctx context.Context, o updateOptions) error {
	if h.none != nil {
		return h.none
	}
	if o.stale && o.fromFile == "" {
		return cli.Usagef("--accept-stale goes with --from-file: a mirror can be asked again")
	}
	if o.unpin || o.channel != "" || o.automatic != "" {
		if err := h.set(o); err != nil || !o.check && o.pin == "" && o.fromFile == "" {
			return err
		}
	}
	way, err := h.way(o.proxy)
	if err != nil {
		return err
	}
	u, done, err := h.updater(ctx, o.fromFile, o.repository, way)
	if err != nil {
		return err
	}
	defer done()
	u.AcceptStale = o.stale
	show := progress{app: h.app}
	u.Report = show.event
	defer show.done()
	switch {
	case o.check:
		return h.tell(u.Check(ctx))
	case o.pin != "":
		if o.pin != update.Current && !anchor.ValidVersion(o.pin) {
			return cli.Usagef("--pin %q: want a version such as 1.4.0, or \"current\"", o.pin)
		}
		return h.tell(u.Pin(ctx, o.pin))
	}
	return h.tell(u.Update(ctx))
}

// set changes the settings a person decides on.
func (h *Host) set(o updateOptions) error {
	var channel *string
	var automatic *bool
	if o.channel != "" {
		if known := h.channels(); !slices.Contains(known, o.channel) {
			return cli.Usagef("--channel %q: the distribution has %s", o.channel, strings.Join(known, " and "))
		}
		channel = &o.channel
	}
	switch on := o.automatic == "on"; {
	case o.automatic == "on" || o.automatic == "off":
		automatic = &on
	case o.automatic != "":
		return cli.Usagef("--automatic %q: want \"on\" or \"off\"", o.automatic)
	}
	st, err := update.Set(h.started.Home, o.unpin, channel, automatic)
	if err != nil {
		return err
	}
	note := ""
	if st.Channel != home.DefaultChannel {
		note = "; fewer auditors vouch for it than for " + home.DefaultChannel
	}
	h.app.Say("channel %s%s; automatic updates %s; %s", st.Channel, note, map[bool]string{true: "off", false: "on"}[st.Manual], pinned(st.Pinned))
	return nil
}

func pinned(version string) string {
	if version == "" {
		return "not pinned"
	}
	return "pinned to " + version
}

// tell prints what a round came to.
func (h *Host) tell(r update.Result, err error) error {
	if err != nil {
		if errors.Is(err, update.ErrBusy) {
			return cli.Hint(err, "try again when it is done; '"+h.app.Name+" about' says what runs")
		}
		return cli.Hint(err, "version "+r.Running+" stays as it is")
	}
	return h.app.Print(r, resultText(r))
}

func resultText(r update.Result) string {
	var b strings.Builder
	switch {
	case r.Installed:
		fmt.Fprintf(&b, "version %s is installed and runs from the next start on\n", r.Newest)
	case r.Newest == "" && r.Held != "":
		fmt.Fprintf(&b, "version %s stays\n", r.Running)
	case r.Newest == "":
		fmt.Fprintf(&b, "version %s is the newest there is\n", r.Running)
	case r.Newest == r.Running:
		fmt.Fprintf(&b, "version %s runs\n", r.Running)
	default:
		fmt.Fprintf(&b, "version %s from %s is there (%.1f MB)\n", r.Newest, r.Channel, float64(r.Length)/1e6)
	}
	if r.Pinned != "" {
		fmt.Fprintf(&b, "pinned to %s; --unpin follows the channel again\n", r.Pinned)
	}
	if r.Held != "" {
		fmt.Fprintln(&b, r.Held)
	}
	if r.Verdict != nil {
		b.WriteString(r.Verdict.Text())
	}
	if r.Verdict != nil && r.Verdict.Outcome == genuine.Genuine && r.Notes != "" {
		fmt.Fprintf(&b, "what is new, in the words of the signed release:\n%s\n", r.Notes)
	}
	return b.String()
}

// progress shows the steps of an update: a line each, and a bar while bytes arrive.
type progress struct {
	app *cli.App
	bar *cli.Bar
}

func (p *progress) event(e update.Event) {
	if e.Total == 0 {
		p.done()
		p.app.Say("%s: %s", e.Step, e.Text)
		return
	}
	if p.bar == nil {
		p.bar = p.app.Progress("fetching "+e.Version, e.Total, true)
	}
	p.bar.Set(e.Done)
}

func (p *progress) done() {
	if p.bar != nil {
		p.bar.Done()
		p.bar = nil
	}
}
