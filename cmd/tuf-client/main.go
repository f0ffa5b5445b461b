// Command tuf-client speaks the command line that the public tuf-conformance
// suite drives clients under test with. It is for that suite and for people who
// want to look at other TUF repositories; the product's own programs link
// package tuf/client directly and are stricter (trust.Strict).
//
//	tuf-client --metadata-dir DIR init ROOTFILE
//	tuf-client --metadata-dir DIR --metadata-url URL refresh
//	tuf-client --metadata-dir DIR --metadata-url URL --target-name PATH…
//	           --target-base-url URL --target-dir DIR download
//
// Trusted metadata is kept in the metadata directory under unversioned names,
// byte for byte as served. The directory belongs to whoever runs this; servers
// are not trusted with anything.
//
// The suite moves the clock with faketime(1), whose library does not reach a
// program without libc. faketime tells its children of itself in the variable
// FAKETIME; when that is set the time is asked of date(1), which it does reach.
//
// Exit codes: 0 done, 1 not done, whatever the reason. That is the suite's
// rule and differs from the other programs here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	clock := func() (time.Time, error) { return now(ctx, os.Getenv) }
	os.Exit(run(ctx, os.Args[1:], clock, os.Stdout, os.Stderr))
}

// options are the flags of the suite's protocol.
type options struct {
	metadataDir string
	metadataURL string
	targetNames []string
	targetURL   string
	targetDir   string
	now         time.Time
}

func run(ctx context.Context, args []string, clock func() (time.Time, error), out, errout io.Writer) int {
	var o options
	flags := flag.NewFlagSet("tuf-client", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are printed once, below; help goes to out
	flags.StringVar(&o.metadataDir, "metadata-dir", "", "`directory` of trusted metadata")
	flags.StringVar(&o.metadataURL, "metadata-url", "", "`URL` of the repository's metadata")
	flags.Func("target-name", "target `path` to download; may be repeated", func(s string) error {
		o.targetNames = append(o.targetNames, s)
		return nil
	})
	flags.StringVar(&o.targetURL, "target-base-url", "", "`URL` of the repository's targets")
	flags.StringVar(&o.targetDir, "target-dir", "", "`directory` for downloaded targets")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: tuf-client [flags] init ROOTFILE | refresh | download")
		flags.PrintDefaults()
	}
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		flags.Usage()
		return 0
	}
	if err == nil {
		o.now, err = clock()
	}
	if err == nil {
		err = o.do(ctx, flags.Args(), out)
	}
	if err != nil {
		fmt.Fprintln(errout, "tuf-client:", err)
		return 1
	}
	return 0
}

func (o options) do(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case o.metadataDir == "":
		return errors.New("--metadata-dir is missing")
	case len(args) == 2 && args[0] == "init":
		return o.init(args[1])
	case len(args) != 1 || args[0] != "refresh" && args[0] != "download":
		return fmt.Errorf("want init ROOTFILE, refresh or download, got %q", args)
	case o.metadataURL == "":
		return errors.New("--metadata-url is missing")
	case args[0] == "refresh":
		_, err := o.refresh(ctx)
		return err
	case len(o.targetNames) == 0 || o.targetURL == "" || o.targetDir == "":
		return errors.New("download needs --target-name, --target-base-url and --target-dir")
	}
	return o.download(ctx, out)
}

// now is the time of the clock, or of date(1) under faketime(1).
func now(ctx context.Context, getenv func(string) string) (time.Time, error) {
	if getenv("FAKETIME") == "" {
		return time.Now(), nil
	}
	b, err := exec.CommandContext(ctx, "date", "-u", "+%s").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("date: %v", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("date: %v", err)
	}
	return time.Unix(seconds, 0), nil
}
