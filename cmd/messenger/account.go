package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/store"
)

func newAccountCommand(p *place) *cobra.Command {
	cmd := &cobra.Command{
		Use: "account", Short: "Change what opens the account, or its number, or delete it",
		Long:    "Change what opens the account, a passphrase or the keyring, or its number, or delete it. Stop the daemon first, unless for the number:\nthese want the account for themselves.\n\n" + cli.ExitHelp,
		Example: "  messenger account passphrase\n  messenger account keyring on\n  messenger account delete",
	}
	cmd.AddCommand(newAccountPassphraseCommand(p), newAccountKeyringCommand(p), newAccountNumberCommand(p), newAccountDeleteCommand(p))
	return cmd
}

// opened is an account that a command has for itself.
type opened struct {
	*client.Account
	by     store.Secret // what has opened it
	closed bool         // by the command
}

// exclusive runs f with the account opened here.
func (p *place) exclusive(ctx context.Context, f func(*opened) error) (err error) {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	if !store.Exists(dir) {
		return p.noAccount()
	}
	by, err := p.secret(ctx, dir)
	if err != nil {
		return err
	}
	a, err := p.openBy(ctx, dir, by, quiet(), commandWait, nil)
	if err != nil {
		return err
	}
	o := &opened{Account: a, by: by}
	defer func() {
		if !o.closed {
			err = errors.Join(err, a.Close())
		}
	}()
	return f(o)
}

func newAccountPassphraseCommand(shared *place) *cobra.Command {
	p := *shared
	var fresh string
	cmd := &cobra.Command{
		Use: "passphrase", Short: "Change the passphrase", Args: cobra.NoArgs, Example: "  messenger account passphrase",
		Long: "Change the passphrase that locks what is kept on this computer. Copies of the account that were made before still\nopen with the old one.\n\n" + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.exclusive(cmd.Context(), func(o *opened) error {
				locks, err := o.Locks(cmd.Context())
				if err != nil {
					return err
				}
				if !locks.Passphrase {
					return cli.Hint(cli.Refusef("%v", store.ErrNoPassphrase), "messenger account keyring off gives it one")
				}
				q := p
				q.passphrase = fresh
				secret, err := q.newPassphrase()
				if err != nil {
					return err
				}
				return o.ChangePassphrase(cmd.Context(), o.by, secret, store.Usual())
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&fresh, "new-passphrase-file", "", "`file` with the new passphrase (default: ask)")
	return cmd
}

func newAccountNumberCommand(shared *place) *cobra.Command {
	p := *shared
	var code string
	var voice bool
	cmd := &cobra.Command{
		Use: "number NUMBER", Short: "Move the account to another telephone number", Args: cobra.ExactArgs(1), Example: "  messenger account number +14155550100",
		Long: `Move the account to another telephone number. Conversations and groups stay. Your other devices follow by themselves, and
so do those you talk with, and members of your groups: their messenger knows your key, and goes on with you under the
new number. Safety numbers are made of numbers too, so they look different; who has verified you has verified you.

The daemon may run meanwhile.

` + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				if code == "" {
					if err := c.Call(ctx, "requestCode", map[string]any{"number": args[0], "voice": voice}, nil); err != nil {
						return err
					}
					var err error
					if code, err = ask(p.app, "The code you were sent: "); err != nil {
						return err
					}
				}
				if err := c.Call(ctx, "changeNumber", map[string]string{"number": args[0], "code": code}, nil); err != nil {
					return err
				}
				if err := c.Call(ctx, "flush", nil, nil); err != nil {
					p.app.Say("your other devices and those you talk with are told with the next connection: %v", err)
				}
				return p.app.Print(map[string]string{"number": args[0]}, "You are "+args[0]+" now.")
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&code, "code", "", "`code` you were sent; without it one is asked for")
	cmd.Flags().BoolVar(&voice, "voice", false, "have the code spoken in a call")
	return cmd
}
