// Command messenger is the messenger for people.
package main

import (
	"os"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
)

func main() {
	app := cli.NewApp("messenger")
	host := updatecmd.Start(app, false, "daemon", "open")
	host.Libraries = pageLibraries
	os.Exit(host.Run(newRoot(app, host), os.Args[1:]))
}
