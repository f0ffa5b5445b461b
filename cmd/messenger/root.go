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

Begin with 'messenger register', or 'messenger link' on a second computer. 'messenger daemon' stays connected; the
other commands use it if it runs, and otherwise connect for as long as they take.

` + cli.ExitHelp,
		Version: anchor.Version(),
	}
	app.Prepare(root)
	host.Way = (&place{app: app, host: host}).commonWay
	host.Register(root)
	at := func() *place { return &place{app: app, host: host, ring: newRing(app)} }
	root.AddCommand(
		newRegisterCommand(at()), newLinkCommand(at()), newDeviceCommand(at()),
		newSendCommand(at()), newReceiveCommand(at()), newChatCommand(at()), newMessagesCommand(at(), false), newMessagesCommand(at(), true),
		newReactCommand(at()), newDeleteCommand(at()), newSaveCommand(at()),
		newContactsCommand(at()), newGroupCommand(at()), newVerifyCommand(at()), newIntroduceCommand(at()), newProfileCommand(at()), newStatusCommand(at()), newNetworkCommand(at()),
		newAccountCommand(at()), newBackupCommand(at()), newRPCCommand(at()), newDaemonCommand(host, at()), newOpenCommand(host, at()),
	)
	return root
}
