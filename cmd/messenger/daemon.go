package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
)

func newDaemonCommand(host *updatecmd.Host) *cobra.Command {
	var service updatecmd.Service
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Stay running and keep this messenger updated",
		Long: `Stay running and keep this messenger updated. In this version that is all it does: conversations
arrive with the client, as an update.

The process that was started is a small parent that stays the same while versions change below it. A new
version that does not come up is stopped, and the last good one is back by itself.

` + cli.ExitHelp,
		Example: "  messenger daemon",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service.Work = func(ctx context.Context, _ *slog.Logger, ready func()) error {
				ready()
				<-ctx.Done()
				return nil
			}
			service.Check = func(context.Context) error { return nil }
			return host.Serve(cmd.Context(), service)
		},
	}
	service.Flags(cmd)
	return cmd
}
