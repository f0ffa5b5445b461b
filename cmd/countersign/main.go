// Command countersign is the tool of publishers, auditors and distributors.
package main

import (
	"os"

	"github.com/countersign-project/countersign/cmd/cli"
)

func main() {
	app := cli.NewApp("countersign")
	os.Exit(app.Run(newRoot(app), os.Args[1:]))
}
