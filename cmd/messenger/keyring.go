package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/keyring"
	"github.com/countersign-project/countersign/messenger/store"
)

// ringPatience is how long the keyring may take to answer: long enough for a person to type its password.
const ringPatience = 2 * time.Minute

func newRing(app *cli.App) client.Keyring {
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	return keyring.System{Getenv: app.Getenv, Exists: exists, Patience: ringPatience}
}

// explainedRing says what to do where the keyring does not give a key.
func explainedRing(err error) error {
	switch {
	case errors.Is(err, keyring.ErrNone):
		return cli.Hint(cli.Refusef("%v", err), "if the account came from another computer or user, its key is in the keyring there", "messenger backup restore makes the account of a backup again")
	case errors.Is(err, keyring.ErrUnavailable):
		return cli.Hint(err, "the keyring is there where you are logged in to a desktop: GNOME Keyring, KWallet or KeePassXC on Linux", "over ssh, and in services that start before you log in, there is none: use a passphrase there")
	}
	return err
}

// passphraseVariable is where a passphrase is that need not be asked for.
const passphraseVariable = "MESSENGER_PASSPHRASE"

// given tells whether a passphrase is given with the command.
func (p *place) given() bool { return p.passphrase != "" || p.app.Getenv(passphraseVariable) != "" }

// secret is what opens the account in dir: the keyring's key if it has one, unless a passphrase is given that opens it too; or else a passphrase, which
// is asked for.
func (p *place) secret(ctx context.Context, dir string) (by store.Secret, err error) {
	locks, err := store.ReadLocks(ctx, dir)
	if err != nil {
		return by, err
	}
	if locks.Keyring != "" && !(locks.Passphrase && p.given()) {
		if p.passphrase != "" {
			return by, cli.Usagef("--passphrase-file: the account %q has no passphrase: the keyring opens it", p.account)
		}
		key, err := p.ring.Get(ctx, locks.Keyring)
		if err == nil {
			return store.Secret{Key: &store.Named{Name: locks.Keyring, Key: key}}, nil
		}
		if !locks.Passphrase {
			return by, explainedRing(err)
		}
		p.app.Say("the keyring does not open the account (%v); its passphrase does", err)
	}
	by.Passphrase, err = p.app.Passphrase(p.passphrase)("Passphrase: ")
	return by, err
}

// opensAlone tells whether the account in dir can be opened without asking the person.
func (p *place) opensAlone(ctx context.Context, dir string) (bool, error) {
	if p.given() || !store.Exists(dir) {
		return p.given(), nil
	}
	locks, err := store.ReadLocks(ctx, dir)
	if err != nil || locks.Keyring == "" {
		return false, err
	}
	_, err = p.ring.Get(ctx, locks.Keyring)
	if err != nil && locks.Passphrase {
		return false, nil
	}
	return err == nil, explainedRing(err)
}

// keyringFlag is for commands that make an account.
func (p *place) keyringFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.keyring, "keyring", false, "lock the account with a key in this computer's keyring, instead of a passphrase")
}

// lock asks for what is to lock a new account. If the account is not made, undo removes from the keyring what was put there.
func (p *place) lock(ctx context.Context, o *client.Options) (passphrase []byte, undo func(), err error) {
	undo = func() {}
	if !p.keyring {
		passphrase, err = p.newPassphrase()
		return passphrase, undo, err
	}
	if p.passphrase != "" {
		return nil, undo, cli.Usagef("want --keyring or --passphrase-file, one of them")
	}
	n, err := client.NewKey(rand.Reader, p.account)
	if err != nil {
		return nil, undo, err
	}
	o.Key = &n
	undo = func() {
		if store.Exists(o.Dir) {
			return
		}
		if err := p.ring.Delete(context.WithoutCancel(ctx), n.Name); err != nil {
			p.app.Say("the keyring keeps an entry %q that is good for nothing: %v", n.Name, err)
		}
	}
	return nil, undo, explainedRing(client.Deposit(ctx, p.ring, n))
}

func newAccountKeyringCommand(shared *place) *cobra.Command {
	cmd := &cobra.Command{
		Use: "keyring", Short: "Let this computer's keyring open the account",
		Long: `Let this computer's keyring open the account: GNOME Keyring, KWallet or KeePassXC on Linux, the Keychain on macOS,
the Credential Manager on Windows. Whoever is logged in as you can then open it, and nobody is asked.

` + cli.ExitHelp,
		Example: "  messenger account keyring on\n  messenger account keyring status\n  messenger account keyring off",
	}
	cmd.AddCommand(newKeyringOnCommand(shared), newKeyringOffCommand(shared), newKeyringStatusCommand(shared))
	return cmd
}

func newKeyringOnCommand(shared *place) *cobra.Command {
	p := *shared
	var keep bool
	cmd := &cobra.Command{
		Use: "on", Short: "Keep a key in the keyring that opens the account", Args: cobra.NoArgs, Example: "  messenger account keyring on --keep-passphrase",
		Long: `Keep a key in the keyring that opens the account. Without --keep-passphrase it is all that does: if the keyring loses
it, with the computer or your login, the account opens no more, and only a backup brings it back ('messenger backup
create'). 'messenger open' then asks for nothing, and the page does not lock itself.

With --keep-passphrase the passphrase opens it too, where there is no keyring, and locks the page.

` + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.exclusive(cmd.Context(), func(o *opened) error {
				before, err := o.Locks(cmd.Context())
				if err != nil {
					return err
				}
				if keep && !before.Passphrase {
					return cli.Hint(cli.Refusef("the account has no passphrase to keep: the keyring alone opens it"), "messenger account keyring off sets one; then turn it on again")
				}
				if err := o.TurnKeyringOn(cmd.Context(), p.ring, o.by, p.account, keep); err != nil {
					return explainedRing(err)
				}
				after, err := o.Locks(cmd.Context())
				if err != nil {
					return err
				}
				return p.app.Print(locksOf(after), describeLocks(after))
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&keep, "keep-passphrase", false, "let the passphrase open the account too")
	return cmd
}

func newKeyringOffCommand(shared *place) *cobra.Command {
	p := *shared
	var fresh string
	cmd := &cobra.Command{
		Use: "off", Short: "Let only a passphrase open the account", Args: cobra.NoArgs, Example: "  messenger account keyring off",
		Long: `Let only a passphrase open the account, and remove the key from the keyring. If the account has no passphrase, a new
one is asked for.

` + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.exclusive(cmd.Context(), func(o *opened) error {
				before, err := o.Locks(cmd.Context())
				if err != nil {
					return err
				}
				var passphrase []byte
				switch {
				case !before.Passphrase:
					q := p
					q.passphrase = fresh
					if passphrase, err = q.newPassphrase(); err != nil {
						return err
					}
				case fresh != "":
					return cli.Usagef("--new-passphrase-file: the account keeps the passphrase it has; 'messenger account passphrase' changes it")
				}
				if err := o.TurnKeyringOff(cmd.Context(), p.ring, o.by, passphrase, store.Usual()); err != nil {
					return explainedRing(err)
				}
				after := store.Locks{Passphrase: true}
				return p.app.Print(locksOf(after), describeLocks(after))
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&fresh, "new-passphrase-file", "", "`file` with the new passphrase, if the account has none (default: MESSENGER_PASSPHRASE, or ask)")
	return cmd
}

// locksShown is what opens the account, with --json.
type locksShown struct {
	Keyring    bool `json:"keyring"`
	Passphrase bool `json:"passphrase"`
}

func locksOf(l store.Locks) locksShown { return locksShown{l.Keyring != "", l.Passphrase} }

func describeLocks(l store.Locks) string {
	switch {
	case l.Keyring == "":
		return "The passphrase opens the account; the keyring does not."
	case l.Passphrase:
		return "The keyring opens the account, and so does the passphrase."
	}
	return "The keyring opens the account, and nothing else does: keep a backup."
}

func newKeyringStatusCommand(shared *place) *cobra.Command {
	p := *shared
	cmd := &cobra.Command{
		Use: "status", Short: "Tell what opens the account", Args: cobra.NoArgs, Example: "  messenger account keyring status",
		Long: "Tell what opens the account, and whether the keyring has its key: 1 if it has none, 3 if it does not answer. The daemon may\nrun meanwhile.\n\n" + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			locks, err := store.ReadLocks(cmd.Context(), dir)
			if errors.Is(err, store.ErrNone) {
				return p.noAccount()
			}
			if err != nil {
				return err
			}
			text := describeLocks(locks)
			if locks.Reserved != "" {
				text += fmt.Sprintf("\nTurning the keyring on or off was cut off: 'messenger account keyring off' clears its entry %q away.", locks.Reserved)
			}
			if err := p.app.Print(locksOf(locks), text); err != nil || locks.Keyring == "" {
				return err
			}
			_, err = p.ring.Get(cmd.Context(), locks.Keyring)
			return explainedRing(err)
		},
	}
	cmd.Flags().StringVar(&p.account, "account", "default", "`name` of the account on this computer, if there are several")
	return cmd
}
