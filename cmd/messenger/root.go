package main

import (
	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/release/anchor"
)

func newRoot(app *cli.App, host *updatecmd.Host) *cobra.Command {
	root := &cobra.Command{
		Use:   "messenger",
		Short: "A messenger that keeps itself at the newest version the auditors countersigned",
		Long: `A messenger that keeps itself at the newest version the auditors countersigned.

In this version it can say who vouches for it and keep itself updated. Conversations arrive with the
client, as an update.

` + cli.ExitHelp,
		Version: anchor.Version(),
	}
	app.Prepare(root)
	host.Register(root)
	root.AddCommand(newDaemonCommand(host))
	return root
}
