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
	o.takeOver(ctx, a)
	return o.app.Print(registered{own.Number, own.Device, o.account}, fmt.Sprintf("This is device %d of %s now.", own.Device, own.Number))
}

// takeOver waits for the history, if the first device sends it.
func (o *linkOptions) takeOver(ctx context.Context, a *client.Account) {
	if _, awaited, err := a.TakingOver(ctx); err != nil || !awaited {
		return
	}
	o.app.Say("The history comes from the first device. If you stop here, it comes when the messenger runs the next time.")
	sub := a.Subscribe()
	defer sub.Close()
	running, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- a.Run(running, nil) }()
	defer func() {
		cancel()
		<-ran
	}()
	b := &bars{app: o.app}
	defer b.end()
	for {
		if _, awaited, err := a.TakingOver(ctx); err != nil || !awaited {
			return
		}
		e, ok := sub.Next(ctx)
		if !ok {
			return
		}
		if e.Type == client.EventHistory {
			b.show(*e.Progress)
			if e.Why != "" {
				o.app.Say("the history did not come: %s", e.Why)
			}
		}
	}
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
		Long: `List, add and remove the devices of your account, and give them your history.

The list is signed by your account's key: others refuse to write to a device that the server names and you have not
signed for. A removed device keeps the key; if it was stolen, make a new account.

` + cli.ExitHelp,
		Example: "  messenger device list\n  messenger device add 'tsdevice:/?uuid=…'\n  messenger device history 2\n  messenger device remove 2",
	}
	cmd.AddCommand(
		p.command(simple{use: "list", short: "List the devices", example: "  messenger device list", args: cobra.NoArgs, method: "listDevices",
			params: func([]string) (any, error) { return nil, nil }, print: printed(printDevices)}),
		newDeviceAddCommand(p),
		newDeviceHistoryCommand(p),
		p.command(simple{use: "remove ID", short: "Remove a device", example: "  messenger device remove 2", args: cobra.ExactArgs(1), method: "removeDevice",
			params: func(args []string) (any, error) {
				id, err := furtherDevice(args[0])
				return map[string]uint32{"deviceId": id}, err
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
	var yes, history bool
	cmd := &cobra.Command{
		Use: "add CODE", Short: "Let in the device that shows this code",
		Long: `Let in the device that shows this code: the text below the picture, in quotes.

You are asked whether it gets the history, too, unless --history or --history=false says so: conversations, read and
unread, names, and whom you have verified. It goes encrypted over the server, and the key for it to your device alone.

` + cli.ExitHelp,
		Example: "  messenger device add 'tsdevice:/?uuid=…&pub_key=…'\n  messenger device add 'tsdevice:/?uuid=…&pub_key=…' --history",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				if !cmd.Flags().Changed("history") && !yes {
					var err error
					if history, err = p.askForHistory(ctx, c); err != nil {
						return err
					}
				}
				return p.addDevice(ctx, c, args[0], yes, history)
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask whether the digits are the same: only when nobody else can have made the code")
	cmd.Flags().BoolVar(&history, "history", false, "give it the history, too")
	return cmd
}

// askForHistory asks whether a new device gets the history; whoever says nothing but Enter wants it.
func (p *place) askForHistory(ctx context.Context, c *rpc.Client) (bool, error) {
	var size rpc.HistorySize
	if err := c.Call(ctx, "historySize", nil, &size); err != nil || size.Messages == 0 {
		return false, err
	}
	said, err := answer(p.app, fmt.Sprintf("Give it the history, too: %d messages, about %.1f MB? [Yes/no] ", size.Messages, float64(size.Bytes)/1e6))
	if err != nil && said == "" {
		return false, cli.Usagef("nothing was entered (%v): --history or --history=false answers without a question", err)
	}
	said = strings.ToLower(said)
	return said == "" || said == "y" || said == "yes", nil
}

func (p *place) addDevice(ctx context.Context, c *rpc.Client, code string, yes, history bool) error {
	asking, enough := context.WithCancel(ctx)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		p.confirmDevices(asking, c, yes)
	}()
	var added struct{ DeviceID uint32 }
	err := c.Call(ctx, "addDevice", map[string]any{"uri": code, "history": history}, &added)
	enough()
	<-asked // the notifications after this are the history's
	if err != nil {
		return err
	}
	if history {
		p.app.Say("Device %d is yours now, and gets the history.", added.DeviceID)
		if err := p.sendHistory(ctx, c, added.DeviceID); err != nil {
			return err
		}
	}
	return p.app.Print(added, fmt.Sprintf("Device %d is yours now.", added.DeviceID))
}

func (p *place) sendHistory(ctx context.Context, c *rpc.Client, device uint32) error {
	err := p.showing(c, func() error {
		return c.Call(ctx, "sendHistory", map[string]any{"deviceId": device, "progress": progressName}, nil)
	})
	return stopped(err, "the history goes on to the device while the messenger runs")
}

func newDeviceHistoryCommand(shared *place) *cobra.Command {
	return shared.command(simple{use: "history ID", short: "Send the history to a device you have linked",
		long:    "Send the history to a device you have linked: run this on the first device. What is there already is not shown twice.",
		example: "  messenger device history 2", args: cobra.ExactArgs(1), method: "sendHistory",
		shows: "the history goes on to the device while the messenger runs",
		params: func(args []string) (any, error) {
			id, err := furtherDevice(args[0])
			return map[string]any{"deviceId": id, "progress": progressName}, err
		},
		print: printed(func(struct{}) string { return "The history is on its way." })})
}

func furtherDevice(text string) (id uint32, err error) {
	if _, err := fmt.Sscan(text, &id); err != nil || id < 2 {
		return 0, cli.Usagef("%q is not the id of a further device", text)
	}
	return id, nil
}

// confirmDevices asks the person about the digits, until ctx ends.
func (p *place) confirmDevices(ctx context.Context, c *rpc.Client, yes bool) {
	for {
		var n rpc.Notification
		var ok bool
		select {
		case n, ok = <-c.Notifications():
			if !ok {
				return
			}
		case <-ctx.Done():
			return
		}
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
