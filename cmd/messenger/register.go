package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
)

type registerOptions struct {
	*place
	serverFlags
	invite, number, code, pin string
	voice                     bool
}

func newRegisterCommand(p *place) *cobra.Command {
	o := &registerOptions{place: p}
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Make an account on a server",
		Long: `Make an account on a server, with an invite of its operator's, or with a telephone number where the server sends codes.

With an invite the server gives you a number that no telephone has. People can find you by a name instead: see
'messenger profile username'. What is kept on this computer is locked with a passphrase of your choice, or with
--keyring by this computer's keyring (see 'messenger account keyring'); there is no way to open it without.

` + cli.ExitHelp,
		Example: "  messenger register --server https://chat.example.org --invite Zm9vYmFy\n  messenger register --server https://chat.example.org --number +14155550100",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.place.flags(cmd)
	o.serverFlags.flags(cmd)
	o.keyringFlag(cmd)
	cmd.Flags().StringVar(&o.invite, "invite", "", "`invite`, as 'messengerd invite' has printed it")
	cmd.Flags().StringVar(&o.number, "number", "", "your telephone `number`, such as +14155550100, instead of an invite")
	cmd.Flags().StringVar(&o.code, "code", "", "`code` you were sent; without it one is asked for")
	cmd.Flags().BoolVar(&o.voice, "voice", false, "have the code spoken in a call")
	cmd.Flags().StringVar(&o.pin, "pin", "", "`PIN` of the registration lock, if the number's earlier account had one")
	return cmd
}

// registered is the result with --json.
type registered struct {
	Number  string `json:"number"`
	Device  uint32 `json:"device"`
	Account string `json:"account"`
}

func (o *registerOptions) run(ctx context.Context) error {
	if (o.invite == "") == (o.number == "") {
		return cli.Usagef("want --invite or --number, one of them")
	}
	fresh, err := o.fresh(&o.serverFlags)
	if err != nil {
		return err
	}
	if o.number != "" && o.code == "" {
		if err := o.askCode(ctx, fresh.Server); err != nil {
			return err
		}
	}
	secret, undo, err := o.lock(ctx, &fresh)
	defer undo()
	if err != nil {
		return err
	}
	a, err := client.Register(ctx, fresh, secret, client.Registration{Invite: o.invite, Number: o.number, Code: o.code, Pin: o.pin})
	if err != nil {
		return explained(err)
	}
	defer a.Close()
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	return o.app.Print(registered{own.Number, own.Device, o.account},
		fmt.Sprintf("You are %s. Others can write to this number now.\nNext: 'messenger profile name YOURS', then 'messenger send NUMBER hello', or 'messenger daemon' to stay connected.", own.Number))
}

func (o *registerOptions) askCode(ctx context.Context, server remote.Options) error {
	transport := "sms"
	if o.voice {
		transport = "voice"
	}
	if _, err := client.RequestCode(ctx, server, transport, o.number); err != nil {
		return explained(err)
	}
	code, err := ask(o.app, "The code you were sent: ")
	o.code = code
	return err
}

// ask reads a line from the person.
func ask(app *cli.App, prompt string) (string, error) {
	line, err := answer(app, prompt)
	if line == "" {
		return "", cli.Usagef("nothing was entered (%v)", err)
	}
	return line, nil
}

// answer asks, and takes Enter alone for an answer. It reads no further than its line: there may be another question.
func answer(app *cli.App, prompt string) (string, error) {
	fmt.Fprint(app.Err, prompt)
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := app.In.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return strings.TrimSpace(string(line)), nil
		case n == 1 && len(line) < 64<<10:
			line = append(line, b[0])
		case err != nil:
			return strings.TrimSpace(string(line)), err
		}
	}
}

// confirm asks a question that only a plain yes answers.
func confirm(app *cli.App, question string) (bool, error) {
	answer, err := ask(app, question+" [yes/no] ")
	answer = strings.ToLower(answer)
	return answer == "yes" || answer == "y", err
}
