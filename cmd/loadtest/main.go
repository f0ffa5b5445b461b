// Command loadtest measures our server beside others: the same work, one server after another on the same machine, with clients of the same
// kind, and what each server has cost by its own processes' time and memory (/proc). It is for ourselves and for whoever doubts our figures.
//
// The peers are Debian's ejabberd and prosody (apt-get install ejabberd prosody mosquitto; they need not run, and are not touched by what the tool
// does). Mosquitto and a bare websocket echo are no peers but bounds: they do less. A peer that is missing is said to be.
//
// How it compares. Everybody listens on loopback without TLS. A message is 1 KiB of random bytes; XMPP and our protocol carry it as base64, as they
// carry ciphertext. It has arrived when the sender knows that the recipient has it: by our server's answer, which waits for the
// recipient's acknowledgement, and by a receipt of the recipient (XEP-0184) with XMPP. Throughput on a machine that does other things
// means little; processor time for a message moves far less, and rounds of all systems alternate, so that what disturbs one disturbs all.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
)

func main() {
	app := cli.NewApp("loadtest")
	os.Exit(app.Run(newRoot(app), os.Args[1:]))
}

func newRoot(app *cli.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "loadtest",
		Short: "Measure messengerd beside ejabberd, prosody and mosquitto",
		Long: `Measure messengerd beside ejabberd, prosody and mosquitto: messages per second of processor time, latency, memory
of an idle connection, cost of a backlog. Servers are started by the tool, one at a time, in throw-away
directories. Peers come from Debian: apt-get install --no-install-recommends ejabberd prosody mosquitto

` + cli.ExitHelp,
		Example: "  go run ./cmd/loadtest all\n" +
			"  go run ./cmd/loadtest compare --systems messengerd,ejabberd --rounds 5 --json\n" +
			"  go run ./cmd/loadtest growth --plot growth.svg\n" +
			"  go run ./cmd/loadtest table monday.json tuesday.json",
	}
	app.Prepare(root)
	root.AddCommand(newAllCommand(app), newCompareCommand(app), newGrowthCommand(app), newTableCommand(app), newEchoServerCommand(), newHoldCommand())
	return root
}
