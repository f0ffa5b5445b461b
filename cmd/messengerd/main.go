// Command messengerd is the server of the messenger.
package main

import (
	"os"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
)

func main() {
	app := cli.NewApp("messengerd")
	host := updatecmd.Start(app, "serve", true)
	os.Exit(host.Run(newRoot(app, host), os.Args[1:]))
}
