package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/release/anchor"
)

func newRPCCommand(shared *place) *cobra.Command {
	p := *shared
	cmd := &cobra.Command{
		Use:     "rpc",
		Short:   "Let a program drive the account, by JSON-RPC over standard input and output",
		Long:    rpcHelp + "\n\n" + cli.ExitHelp,
		Example: `  echo '{"jsonrpc":"2.0","id":1,"method":"send","params":{"recipient":["+999123456789012"],"message":"hello"}}' | messenger rpc`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.rpc(cmd.Context()) },
	}
	p.flags(cmd)
	return cmd
}

// stdio is standard input and output as one.
type stdio struct {
	io.Reader
	io.Writer
}

func (p *place) rpc(ctx context.Context) error {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	if c, err := rpc.DialRaw(ctx, dir); err == nil {
		carrier := rpc.Carrier{Program: stdio{p.app.In, p.app.Out}, Rand: rand.Reader, Redial: func(ctx context.Context) (net.Conn, error) { return p.redial(ctx, dir) }}
		return carrier.Carry(ctx, c)
	}
	if !store.Exists(dir) {
		return p.door(ctx, dir)
	}
	a, err := p.open(ctx, quiet(), commandWait, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx, nil) }()
	err = (&rpc.Server{Account: a, Version: anchor.Version(), Log: quiet(), More: p.methods(a)}).Serve(ctx, stdio{p.app.In, p.app.Out})
	cancel()
	<-ran
	return err
}

// redial connects to the daemon that comes after one that has gone.
func (p *place) redial(ctx context.Context, dir string) (net.Conn, error) {
	p.app.Say("%v; waiting for it to come back", rpc.ErrEnded)
	if !p.comesBack(ctx) {
		return nil, rpc.ErrEnded
	}
	return rpc.DialRaw(ctx, dir)
}

// door answers a program that is to make the account: it ends when there is one, and the next 'messenger rpc' has it.
func (p *place) door(ctx context.Context, dir string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	door := &rpc.Door{Options: client.Options{Dir: dir, World: p.world(), Log: quiet()}, Opened: func(a *client.Account) { err = a.Close() }}
	served := (&rpc.Server{Door: door, Version: anchor.Version(), Log: quiet(), More: p.methods(nil)}).Serve(ctx, stdio{p.app.In, p.app.Out})
	return errors.Join(served, err)
}

func newChatCommand(shared *place) *cobra.Command {
	p := *shared
	var plain bool
	cmd := &cobra.Command{
		Use:   "chat [WITH]",
		Short: "Talk with people, in the whole terminal or line by line",
		Long: `Talk with people. In a terminal the conversations stand at the left and one of them at the right: Enter sends what you
write, Alt+Enter begins a new line, PgUp and the mouse wheel go back, Ctrl+N and Ctrl+P go to other conversations, Ctrl+G
finds one, and /help says the rest. Without WITH it begins with the list. ` + strings.Replace(toHelp, "TO", "WITH", 1) + `

With --plain, or through a pipe, it goes line by line: what you type is sent, what arrives is shown. End of input ends it.

` + cli.ExitHelp,
		Example: "  messenger chat\n  messenger chat alice\n  messenger chat --plain 'My choir'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			screen := p.app.Interactive() && !plain && !p.app.JSON
			if len(args) == 0 && !screen {
				return cli.Usagef("chat: with whom? Only in a terminal it begins with the list of conversations")
			}
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				if screen {
					return p.screen(ctx, c, strings.Join(args, ""))
				}
				return p.chat(ctx, c, args[0])
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&plain, "plain", false, "line by line, in a terminal too")
	return cmd
}
