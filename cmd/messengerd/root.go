package main

import (
	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/release/anchor"
)

func newRoot(app *cli.App, host *updatecmd.Host) *cobra.Command {
	root := &cobra.Command{
		Use:     "messengerd",
		Short:   "The messenger's server, which keeps itself at the newest version the auditors countersigned",
		Long:    "The messenger's server, which keeps itself at the newest version the auditors countersigned.\n\n" + cli.ExitHelp,
		Version: anchor.Version(),
	}
	app.Prepare(root)
	host.Register(root)
	root.AddCommand(newServeCommand(app, host), newInviteCommand(app, host), newPeerCommand(app, host), newBackupCommand(app, host), newDoctorCommand(app, host), newUnitCommand(app))
	return root
}
