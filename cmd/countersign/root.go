package main

import (
	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
)

// The groups under which help lists commands: one for each kind of user.
const (
	groupPublisher   = "publisher"
	groupAuditor     = "auditor"
	groupDistributor = "distributor"
	groupAnyone      = "anyone"
)

func newRoot(app *cli.App) *cobra.Command {
	root := &cobra.Command{
		Use:     "countersign",
		Short:   "Release programs that independent auditors rebuilt and countersigned",
		Long:    "Release programs that independent auditors rebuilt and countersigned.\n\n" + cli.ExitHelp,
		Version: anchor.Version(),
	}
	root.AddGroup(
		&cobra.Group{ID: groupPublisher, Title: "For the publisher:"},
		&cobra.Group{ID: groupAuditor, Title: "For auditors:"},
		&cobra.Group{ID: groupDistributor, Title: "For distributors (mirrors):"},
		&cobra.Group{ID: groupAnyone, Title: "For anyone:"},
	)
	app.Prepare(root)
	root.AddCommand(newBuildCommand(app))
	root.AddCommand(newKeyCommand(app))
	root.AddCommand(newInitCommand(app))
	root.AddCommand(newStageCommand(app))
	root.AddCommand(newPublishCommand(app))
	root.AddCommand(newServeCommand(app))
	root.AddCommand(newMirrorCommand(app))
	root.AddCommand(newAuditCommand(app))
	root.AddCommand(newWitnessCommand(app))
	root.AddCommand(newVerifyCommand(app))
	root.AddCommand(newLogCommand(app))
	root.AddCommand(newPolicyCommand(app))
	root.AddCommand(newSiteCommand(app))
	root.AddCommand(newMonitorCommand(app))
	return root
}
