package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

type linkOptions struct {
	*place
	serverFlags
	name  string
	draft bool
}

func newLinkCommand(p *place) *cobra.Command {
	o := &linkOptions{place: p}
	host, _ := os.Hostname()
	cmd := &cobra.Command{
		Use:   "link",
		Short: "Make this computer a further device of an account you have",
		Long: `Make this computer a further device of an account you have on another one.

A code is shown. Within two minutes, run 'messenger device add' on the first device and give it the code: as text, or
scanned. Both screens then show six digits; say yes only if they are the same, and if the number is yours: whoever
shows you a code of his own would link this computer to his account.

` + cli.ExitHelp,
		Example: "  messenger link --server https://chat.example.org",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.place.flags(cmd)
	o.serverFlags.flags(cmd)
	o.keyringFlag(cmd)
	cmd.Flags().StringVar(&o.name, "name", host, "what to call this `device` in the list; the server reads it")
	cmd.Flags().BoolVar(&o.draft, "draft-codec", false, "use the first draft's code, for a first device that knows no other")
	return cmd
}

func (o *linkOptions) run(ctx context.Context) error {
	fresh, err := o.fresh(&o.serverFlags)
	if err != nil {
		return err
	}
	secret, undo, err := o.lock(ctx, &fresh)
	defer undo()
	if err != nil {
		return err
	}
	a, err := client.Link(ctx, fresh, secret, client.Linking{Name: o.name, Draft: o.draft, Show: o.show, Confirm: o.confirmNumber})
	if err != nil {
		return explained(err)
	}
	defer a.Close()
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	return o.app.Print(registered{own.Number, own.Device, o.account}, fmt.Sprintf("This is device %d of %s now.", own.Device, own.Number))
}

func (o *linkOptions) show(code string) error {
	if o.app.Terminal() {
		picture, err := qrCode(code)
		if err != nil {
			return err
		}
		fmt.Fprintln(o.app.Err, picture)
	}
	fmt.Fprintf(o.app.Err, "On the first device, within two minutes:\n\n  messenger device add '%s'\n\n", code)
	return nil
}

func (o *linkOptions) confirmNumber(number, digits string) (bool, error) {
	fmt.Fprintf(o.app.Err, "The account is %s. The other screen must show %s %s.\n", number, digits[:3], digits[3:])
	return confirm(o.app, "Is that your number, and are the digits the same?")
}

func newDeviceCommand(p *place) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "device",
		Short: "List, add and remove the devices of your account",
		Long: `List, add and remove the devices of your account.

The list is signed by your account's key: others refuse to write to a device that the server names and you have not
signed for. A removed device keeps the key; if it was stolen, make a new account.

` + cli.ExitHelp,
		Example: "  messenger device list\n  messenger device add 'tsdevice:/?uuid=…'\n  messenger device remove 2",
	}
	cmd.AddCommand(
		p.command(simple{use: "list", short: "List the devices", example: "  messenger device list", args: cobra.NoArgs, method: "listDevices",
			params: func([]string) (any, error) { return nil, nil }, print: printed(printDevices)}),
		newDeviceAddCommand(p),
		p.command(simple{use: "remove ID", short: "Remove a device", example: "  messenger device remove 2", args: cobra.ExactArgs(1), method: "removeDevice",
			params: func(args []string) (any, error) {
				var id uint32
				if _, err := fmt.Sscan(args[0], &id); err != nil || id < 2 {
					return nil, cli.Usagef("%q is not the id of a further device", args[0])
				}
				return map[string]uint32{"deviceId": id}, nil
			}}),
	)
	return cmd
}

func printDevices(list []client.Device) string {
	var b strings.Builder
	for _, d := range list {
		note := ""
		if d.This {
			note = "  (this one)"
		}
		if !d.Signed {
			note += "  NOT SIGNED FOR: remove it if you do not know it"
		}
		fmt.Fprintf(&b, "%3d  %-20s  since %s, last seen %s%s\n", d.ID, safe(d.Name), day(d.Created), day(d.LastSeen), note)
	}
	return b.String()
}

func day(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

func newDeviceAddCommand(shared *place) *cobra.Command {
	p := *shared
	var yes bool
	cmd := &cobra.Command{
		Use: "add CODE", Short: "Let in the device that shows this code",
		Long:    "Let in the device that shows this code: the text below the picture, in quotes.\n\n" + cli.ExitHelp,
		Example: "  messenger device add 'tsdevice:/?uuid=…&pub_key=…'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				go p.confirmDevices(ctx, c, yes)
				var added struct{ DeviceID uint32 }
				if err := c.Call(ctx, "addDevice", map[string]string{"uri": args[0]}, &added); err != nil {
					return err
				}
				return p.app.Print(added, fmt.Sprintf("Device %d is yours now.", added.DeviceID))
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask whether the digits are the same: only when nobody else can have made the code")
	return cmd
}

// confirmDevices asks the person about the digits.
func (p *place) confirmDevices(ctx context.Context, c *rpc.Client, yes bool) {
	for n := range c.Notifications() {
		var ask struct{ ID, Digits string }
		if n.Method != "confirmDevice" || json.Unmarshal(n.Params, &ask) != nil || len(ask.Digits) != 6 {
			continue
		}
		fmt.Fprintf(p.app.Err, "The new device must show %s %s.\n", ask.Digits[:3], ask.Digits[3:])
		same := yes
		if !yes {
			same, _ = confirm(p.app, "Does it?") // no answer is no
		}
		_ = c.Call(ctx, "confirmDevice", map[string]any{"id": ask.ID, "accept": same}, nil) // its failure is addDevice's
	}
}
