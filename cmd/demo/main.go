// Command demo tells the whole story of Countersign on this very repository, with real programs: it
// releases it, has auditors rebuild and countersign it, mirrors it, and watches a messenger and a server
// update themselves, and refuse what was not countersigned. It needs Go and git, and works in a
// throw-away directory.
//
// Everything honest is done by the commands that people use, in processes of their own. Only what the
// dishonest do (publish too early, serve old metadata, swap bytes) is done by this program itself, since
// no command of ours will do it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run())
}

func run() int {
	var o options
	flag.StringVar(&o.dir, "dir", "", "work in this directory (made if it is not there) and keep it")
	flag.BoolVar(&o.keep, "keep", false, "keep the working directory")
	flag.StringVar(&o.repo, "source", ".", "the checkout to release; its last commit is used")
	flag.StringVar(&o.report, "report", "", "write the report to this file (default: report.json in the working directory, which is kept only with --keep)")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "Usage: make demo [DEMO='--keep --report report.json']\n\n"+
			"Releases this repository, countersigns it, and watches two programs update themselves.\n"+
			"Exit codes: 0 every step held, 1 a step did not hold, 2 wrong usage, 3 could not tell.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return tell(ctx, o)
}
