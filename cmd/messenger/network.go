package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// networkOptions is the command line of network.
type networkOptions struct {
	*place
	serverFlags
	force bool
}

func newNetworkCommand(p *place) *cobra.Command {
	o := &networkOptions{place: p}
	cmd := &cobra.Command{
		Use: "network", Short: "How the account's server is reached: its address, authority and proxy", Args: cobra.NoArgs,
		Long: `Show how the account's server is reached, and whether it is; or, with flags, reach it another way: at another address, with
another authority, through another proxy, such as Tor.

What is new is tried before anything is changed. Who answers there and does not know this account is another server, and is
refused: an account lives on one server, and 'messenger register --account NAME' makes one on another. If nobody answers, the
old way stays, too; --force takes the new one untried. A daemon that runs goes the new way at once. Updates go the same way.

This is about this computer alone; other devices of yours are told there.

` + cli.ExitHelp,
		Example: "  messenger network\n  messenger network --proxy socks5://127.0.0.1:9050\n  messenger network --server https://new.example.org --ca authority.pem\n  messenger network --proxy none --ca system",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.place.flags(cmd)
	cmd.Flags().StringVar(&o.url, "server", "", "`URL` at which the same server is reached from now on")
	cmd.Flags().StringVar(&o.ca, "ca", "", "PEM `file` of the certificate authority to trust instead of the system's; \"system\": trust those again")
	cmd.Flags().StringVar(&o.proxy, "proxy", "", "SOCKS5 `proxy`, such as socks5://127.0.0.1:9050 for Tor; \"none\": go directly")
	cmd.Flags().BoolVar(&o.force, "force", false, "do not try it first")
	return cmd
}

// params are those of updateNetwork.
func (o *networkOptions) params(given func(flag string) bool) (map[string]any, error) {
	out := map[string]any{}
	if given("server") {
		out["server"] = o.url
	}
	switch {
	case o.ca == "system":
		out["ca"] = ""
	case given("ca"):
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, cli.Usagef("--ca: %v", err)
		}
		if len(pem) == 0 {
			return nil, cli.Usagef("--ca: %s is empty; \"system\" stands for the system's authorities", o.ca)
		}
		out["ca"] = string(pem)
	}
	switch {
	case o.proxy == "none":
		out["proxy"] = ""
	case given("proxy") && o.proxy == "":
		return nil, cli.Usagef("--proxy: want socks5://host:port, or none")
	case given("proxy"):
		out["proxy"] = o.proxy
	}
	if len(out) == 0 && o.force {
		return nil, cli.Usagef("--force goes with --server, --ca or --proxy")
	}
	out["force"] = o.force
	return out, nil
}

func (o *networkOptions) run(cmd *cobra.Command) error {
	params, err := o.params(cmd.Flags().Changed)
	if err != nil {
		return err
	}
	change := len(params) > 1
	ask := func(daemon bool) func(context.Context, *rpc.Client) error {
		return func(ctx context.Context, c *rpc.Client) error {
			var n rpc.Network
			if err := c.Call(ctx, "updateNetwork", params, &n); err != nil {
				return networkHint(err)
			}
			return o.app.Print(n, networkText(n, daemon, change))
		}
	}
	ctx := cmd.Context()
	return o.withOr(ctx, ask(true), func() error { // without connecting the way that is to be left
		return o.here(ctx, func(ctx context.Context, _ *client.Account, c *rpc.Client) error { return ask(false)(ctx, c) })
	})
}

// networkHint says what holds after an error, and what one can do.
func networkHint(err error) error {
	if cli.Code(err) == cli.ExitUsage {
		return err
	}
	hints := []string{"nothing is changed"}
	if strings.Contains(err.Error(), remote.ErrAuthority.Error()) {
		hints = append(hints, "if the server has an authority of its own, get its certificate from the operator and give it with --ca FILE")
	}
	if cli.Code(err) == cli.ExitUnknown {
		hints = append(hints, "--force takes it untried")
	}
	return cli.Hint(err, hints...)
}

// networkText is for people.
func networkText(n rpc.Network, daemon, changed bool) string {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("server", "%s", safe(n.Server))
	if len(n.Authorities) == 0 {
		line("authority", "the system's")
	}
	for _, a := range n.Authorities {
		line("authority", "%s, until %s, SHA-256 %s", safe(a.Subject), time.UnixMilli(a.Expires).UTC().Format("2006-01-02"), a.SHA256)
	}
	if n.Proxy == "" {
		line("proxy", "none")
	} else {
		line("proxy", "%s", safe(n.Proxy))
	}
	switch {
	case changed && daemon:
		line("state", "the daemon goes this way from now on")
	case changed:
		line("state", "the account goes this way from now on")
	case !daemon:
		line("state", "no daemon runs: commands connect for as long as they take")
	case n.Connected:
		line("state", "connected")
	case n.Why != "":
		line("state", "not connected: %s", safe(n.Why))
	default:
		line("state", "not connected")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
