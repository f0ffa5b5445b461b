package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
	"github.com/countersign-project/countersign/messenger/server/verify"
)

// open opens the store beside a server that may be running.
func (p *place) open(ctx context.Context) (store.Store, error) {
	where, err := p.url()
	if err != nil {
		return nil, err
	}
	return engine.Open(ctx, where, engine.Options{Beside: true})
}

type inviteOptions struct {
	place
	uses    int
	expires time.Duration
	note    string
	number  string
}

func newInviteCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := &inviteOptions{place: place{host: host}}
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Print an invite, with which somebody can register",
		Long: `Print an invite, with which somebody can register without proving a telephone number.

The server gives whoever uses it a number of its own, which no telephone has. For a client of old, which knows
telephone numbers only, give --number: what is printed then is the code that it asks for. Give it only to whom
the number belongs: you vouch for it.

It works while the server runs. The token is printed once and not stored; only its hash is.

` + cli.ExitHelp,
		Example: "  messengerd invite\n  messengerd invite --uses 20 --expires 48h --note 'for the choir'\n  messengerd invite --number +14155550100",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), app) },
	}
	o.flags(cmd)
	cmd.Flags().IntVar(&o.uses, "uses", 1, "how many people may use it")
	cmd.Flags().DurationVar(&o.expires, "expires", 7*24*time.Hour, "for how long it is good; with --number at most 24h")
	cmd.Flags().StringVar(&o.note, "note", "", "your own `words` about it, shown by 'invite list'")
	cmd.Flags().StringVar(&o.number, "number", "", "print a code for the telephone `number` instead, such as +14155550100")
	cmd.AddCommand(newInviteListCommand(app, host), newInviteRevokeCommand(app, host))
	return cmd
}

// printedInvite is the result with --json.
type printedInvite struct {
	Invite  string    `json:"invite,omitempty"`
	Number  string    `json:"number,omitempty"`
	Code    string    `json:"code,omitempty"`
	ID      string    `json:"id,omitempty"`
	Uses    int       `json:"uses"`
	Expires time.Time `json:"expires"`
}

func (o *inviteOptions) run(ctx context.Context, app *cli.App) error {
	if o.uses < 1 || o.expires <= 0 {
		return cli.Usagef("--uses %d, --expires %v: want more than nothing", o.uses, o.expires)
	}
	s, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	now := app.Now()
	if o.number != "" {
		return o.code(ctx, app, s, now)
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	token := base64.RawURLEncoding.EncodeToString(random)
	i := store.Invite{Hash: server.HashInvite(token), Note: o.note, Uses: o.uses, Created: now, Expires: now.Add(o.expires)}
	if err := s.PutInvite(ctx, i); err != nil {
		return err
	}
	return app.Print(printedInvite{Invite: token, ID: inviteID(i.Hash), Uses: i.Uses, Expires: i.Expires.UTC()}, token)
}

// code vouches for a number.
func (o *inviteOptions) code(ctx context.Context, app *cli.App, s store.Codes, now time.Time) error {
	if !directory.ValidNumber(o.number) {
		return cli.Usagef("--number %q: want a number of the form +14155550100", o.number)
	}
	if o.uses != 1 {
		return cli.Usagef("--uses %d with --number: a code is for one registration", o.uses)
	}
	code, err := verify.NewCode(rand.Reader)
	if err != nil {
		return err
	}
	expires := now.Add(min(o.expires, 24*time.Hour))
	err = s.PutCode(ctx, store.CodeRegister, o.number, code, now, expires)
	if errors.Is(err, store.ErrWrongCode) {
		return cli.Hint(cli.Refusef("%s: too many wrong codes were tried for it", o.number), "wait until the last code has expired, at most a day")
	}
	if err != nil {
		return err
	}
	return app.Print(printedInvite{Number: o.number, Code: code, Uses: 1, Expires: expires.UTC()}, verify.Spoken(code))
}

// inviteID names an invite to the operator without giving it away: the start of its hash.
func inviteID(h store.InviteHash) string { return hex.EncodeToString(h[:5]) }

func newInviteListCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := &place{host: host}
	cmd := &cobra.Command{
		Use: "list", Short: "List invites that can still be used", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := s.Invites(cmd.Context(), app.Now())
			if err != nil {
				return err
			}
			return printInvites(app, list)
		},
	}
	o.flags(cmd)
	return cmd
}

func printInvites(app *cli.App, list []store.Invite) error {
	type row struct {
		ID      string    `json:"id"`
		Uses    int       `json:"uses"`
		Expires time.Time `json:"expires"`
		Note    string    `json:"note"`
	}
	rows, text := []row{}, &strings.Builder{}
	for _, i := range list {
		r := row{inviteID(i.Hash), i.Uses, i.Expires.UTC(), i.Note}
		rows = append(rows, r)
		fmt.Fprintf(text, "%s  %d left  until %s  %s\n", r.ID, r.Uses, r.Expires.Format(time.RFC3339), r.Note)
	}
	if len(rows) == 0 {
		fmt.Fprintln(text, "no invite can be used now; 'messengerd invite' makes one")
	}
	return app.Print(rows, text.String())
}

func newInviteRevokeCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := &place{host: host}
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "Take an invite back", Args: cobra.ExactArgs(1),
		Long: "Take an invite back. ID is as 'invite list' shows it. Who has registered with it stays.\n\n" + cli.ExitHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := s.Invites(cmd.Context(), app.Now())
			if err != nil {
				return err
			}
			for _, i := range list {
				if inviteID(i.Hash) == args[0] {
					return s.RevokeInvite(cmd.Context(), i.Hash)
				}
			}
			return cli.Hint(cli.Refusef("no invite %q can be used now", args[0]), "see 'messengerd invite list'")
		},
	}
	o.flags(cmd)
	return cmd
}
