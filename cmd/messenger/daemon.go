package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/release/anchor"
)

func newDaemonCommand(host *updatecmd.Host, p *place) *cobra.Command {
	var service updatecmd.Service
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Stay connected, and keep this messenger updated",
		Long: `Stay connected, and keep this messenger updated.

The daemon owns the account while it runs: it receives, sends what is queued, and answers all other commands, and
programs, over a socket in the account's directory that only you can open: see 'messenger rpc'. Without an account it
keeps the program updated and does nothing else.

The process that was started is a small parent that stays the same while versions change below it. A new version that
does not come up is stopped, and the last good one is back by itself.

` + cli.ExitHelp,
		Example: "  messenger daemon\n  MESSENGER_PASSPHRASE=… messenger daemon",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service.Work = p.work
			service.Check = p.answers
			return host.Serve(cmd.Context(), service)
		},
	}
	p.flags(cmd)
	service.Flags(cmd)
	return cmd
}

// work is the daemon, once it is the right version.
func (p *place) work(ctx context.Context, log *slog.Logger, ready func()) (err error) {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	if !store.Exists(dir) {
		log.Info("no account here yet: only keeping this program updated", "account", p.account)
		ready()
		<-ctx.Done()
		return nil
	}
	a, err := p.open(ctx, log, daemonWait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	debug.FreeOSMemory() // the passphrase took 64 MiB, which is not needed again
	l, err := rpc.Listen(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- (&rpc.Server{Account: a, Version: anchor.Version(), Log: log}).ServeSocket(ctx, l)
		cancel()
	}()
	ready() // without a server in reach it still answers
	ran := a.Run(ctx, func() { log.Info("connected") })
	cancel()
	if ended := <-served; ended != nil {
		return fmt.Errorf("socket for programs: %w", ended)
	}
	if errors.Is(ran, context.Canceled) {
		return nil
	}
	return ran
}

// answers tries the daemon as its users would.
func (p *place) answers(ctx context.Context) error {
	dir, err := p.dir()
	if err != nil || !store.Exists(dir) {
		return err
	}
	c, err := rpc.Dial(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Call(ctx, "version", nil, nil)
}
