package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
)

type deleteOptions struct {
	place
	yes, keep bool
}

func newAccountDeleteCommand(shared *place) *cobra.Command {
	o := &deleteOptions{place: *shared}
	cmd := &cobra.Command{
		Use: "delete", Short: "Delete the account, on the server and here", Args: cobra.NoArgs,
		Long: `Delete the account: on the server, so that nobody writes to a number that nobody reads, and everything of it here. What
is lost is said first, and the number has to be typed. What others have received stays theirs.

--keep-history leaves what was said on this computer: it can be read and searched, and nothing can be sent any more.
Without it, or with it a second time, everything goes.

As long as the server has not said that the account is deleted, nothing here changes.

` + cli.ExitHelp,
		Example: "  messenger account delete\n  messenger account delete --keep-history",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.exclusive(cmd.Context(), func(a *opened) error { return o.run(cmd.Context(), a) })
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&o.keep, "keep-history", false, "leave what was said on this computer, to be read")
	return cmd
}

// deletion is the result with --json.
type deletion struct {
	Deleted     string `json:"deleted"` // the number
	HistoryKept bool   `json:"historyKept"`
}

func (o *deleteOptions) run(ctx context.Context, a *opened) error {
	loss, err := a.Loss(ctx)
	if err != nil {
		return err
	}
	if loss.Deleted && o.keep {
		return cli.Refusef("%s is deleted already, and what was said is kept: without --keep-history it goes too", loss.Number)
	}
	if err := o.confirmed(loss); err != nil {
		return err
	}
	locks, err := a.Locks(ctx)
	if err != nil {
		return err
	}
	if err := a.Delete(ctx, o.keep); err != nil {
		return cli.Hint(err, "nothing is deleted on this computer")
	}
	if o.keep {
		return o.app.Print(deletion{loss.Number, true}, loss.Number+" is deleted. 'messenger messages' and 'messenger search' show what was said; 'messenger account delete' removes that too.")
	}
	a.closed = true
	if name := cmp.Or(locks.Keyring, locks.Reserved); name != "" {
		if err := o.ring.Delete(ctx, name); err != nil {
			o.app.Say("the keyring keeps an entry %q that is good for nothing: %v", name, err)
		}
	}
	return o.app.Print(deletion{loss.Number, false}, loss.Number+" is deleted.")
}

// confirmed says what is lost, and has the number typed.
func (o *deleteOptions) confirmed(l client.Loss) error {
	if o.yes {
		return nil
	}
	fmt.Fprint(o.app.Err, describeLoss(l, o.keep))
	typed, err := ask(o.app, "To delete it, type the number: ")
	if err != nil {
		return cli.Usagef("nothing was deleted: %v; --yes does not ask", err)
	}
	if strings.ReplaceAll(typed, " ", "") != l.Number {
		return cli.Refusef("nothing was deleted: %q is not %s", typed, l.Number)
	}
	return nil
}

// describeLoss is what goes, a line each.
func describeLoss(l client.Loss, keep bool) string {
	var b strings.Builder
	line := func(some int, format string, args ...any) {
		if some > 0 {
			fmt.Fprintf(&b, "  - "+format+"\n", args...)
		}
	}
	fmt.Fprintf(&b, "You are about to delete %s, for good:\n", l.Number)
	if !l.Deleted {
		line(1, "nobody can write to it any more; the number and the username can become somebody else's")
		line(l.Devices, "%s of yours cut off", number(l.Devices, "other device is", "other devices are"))
		line(l.Groups, "you stay in %s as somebody who does not answer, unless you leave before ('messenger group leave')", number(l.Groups, "group", "groups"))
		line(l.Queued, "%s not sent", number(l.Queued, "message that is queued is", "messages that are queued are"))
	}
	if keep {
		line(l.Messages, "%s can still be read here, and nothing can be sent", number(l.Messages, "message", "messages"))
	} else {
		line(l.Messages, "from this computer go %s in %s (--keep-history keeps what was said)", number(l.Messages, "message", "messages"), number(l.Conversations, "conversation", "conversations"))
	}
	return b.String()
}

// number is a count with its noun.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
