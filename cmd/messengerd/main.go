// Command messengerd is the server of the messenger.
package main

import (
	"io"
	"log"
	"os"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
)

func main() {
	log.SetOutput(io.Discard) // net/http writes there, and only there, what a peer says out of turn
	app := cli.NewApp("messengerd")
	host := updatecmd.Start(app, true, "serve")
	os.Exit(host.Run(newRoot(app, host), os.Args[1:]))
}
