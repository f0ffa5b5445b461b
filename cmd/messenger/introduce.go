package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

func newIntroduceCommand(shared *place) *cobra.Command {
	p := *shared
	cmd := &cobra.Command{
		Use:   "introduce WHO WHOM",
		Short: "Vouch to two contacts for each other's keys",
		Long: `Vouch to two contacts for each other's keys.

Both are told, encrypted and with your signature, which key the other has: the keys with which you have verified them. If
they have verified you, each sees "introduced by" you with the other's key, which is less than comparing safety numbers
themselves; and if the server shows one of them another key, it is noticed before anything is sent.

Nothing else is told: not the names you gave them, and no conversation is begun.

` + cli.ExitHelp,
		Example: "  messenger introduce bob carol",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				if err := c.Call(ctx, "introduce", map[string]any{"recipient": args}, nil); err != nil {
					if cli.Code(err) == cli.ExitRefused {
						return cli.Hint(err, "messenger verify NAME compares safety numbers with somebody")
					}
					return err
				}
				text := fmt.Sprintf("%s and %s are told each other's keys, with your signature.", safe(args[0]), safe(args[1]))
				return errors.Join(c.Call(ctx, "flush", nil, nil), p.app.Print(map[string]bool{"done": true}, text))
			})
		},
	}
	p.flags(cmd)
	return cmd
}

// introducedBy says on whose word a key is believed; nothing where on nobody's.
func introducedBy(i *client.IntroducedBy) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("introduced by %s on %s", safe(i.Name), time.UnixMilli(i.When).Local().Format(time.DateOnly))
}
