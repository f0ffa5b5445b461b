package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/rpc"
)

type openOptions struct {
	*place
	print, socket bool
}

func newOpenCommand(host *updatecmd.Host, p *place) *cobra.Command {
	o := &openOptions{place: p}
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Show the messenger as a page in your browser",
		Long: `Show the messenger as a page in your browser.

If a daemon runs, it shows the page; otherwise this command stays, as a daemon of its own, until it is interrupted. The
page is served on this computer only, to this browser only: its address works once, within two minutes.

--socket opens no port: the page is served on a unix socket that only you can use. From another computer:

  ssh -L 8000:SOCKET HOST

and then the browser there at http://127.0.0.1:8000/#KEY, with the SOCKET and KEY that are printed. There is no other
way to the page from outside, and none is meant.

` + cli.ExitHelp,
		Example: "  messenger open\n  messenger open --print\n  messenger open --socket",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), host) },
	}
	p.flags(cmd)
	p.runs(cmd, p.work)
	cmd.Flags().BoolVar(&o.print, "print", false, "print the address and start no browser")
	cmd.Flags().BoolVar(&o.socket, "socket", false, "serve it on a unix socket instead of a port")
	return cmd
}

func (o *openOptions) run(ctx context.Context, host *updatecmd.Host) error {
	dir, err := o.dir()
	if err != nil {
		return err
	}
	if !host.Serving() {
		if c, err := rpc.Dial(ctx, dir); err == nil {
			defer c.Close()
			return o.show(ctx, c.Call)
		}
	}
	o.first = o.show
	return host.Serve(ctx, *o.service)
}

// caller is rpc.Client.Call, or what does the same in this process.
type caller func(ctx context.Context, method string, params, out any) error

// comeWithin is how long a browser may take before the person is told what else to do.
const comeWithin = 20 * time.Second

// show opens the page, and returns when a browser has it.
func (o *openOptions) show(ctx context.Context, call caller) error {
	var at opening
	if err := call(ctx, "openPage", map[string]bool{"socket": o.socket}, &at); err != nil {
		return err
	}
	switch {
	case o.socket:
		return o.app.Print(at, fmt.Sprintf("The page is at the socket %s\nFrom another computer: ssh -L 8000:%s HOST, and there, once, within two minutes:\n\n  http://127.0.0.1:8000/#%s\n", at.Socket, at.Socket, at.Key))
	case o.print:
		return o.app.Print(at, "Open this in a browser on this computer, once, within two minutes:\n\n  "+at.URL)
	}
	file, err := redirect(o.dir, at.URL)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	o.app.Say("Opening your browser…")
	failed, err := browse(file)
	if err != nil {
		return cli.Hint(fmt.Errorf("no browser could be started: %w", err), printHint)
	}
	waiting, cancel := context.WithTimeout(ctx, comeWithin)
	defer cancel()
	come := make(chan error, 1)
	go func() { come <- call(waiting, "awaitPage", map[string]string{"id": at.ID}, nil) }()
	select {
	case err := <-failed:
		return cli.Hint(fmt.Errorf("the browser did not start: %w", err), printHint)
	case err := <-come:
		if errors.Is(err, context.DeadlineExceeded) {
			return cli.Hint(errors.New("the browser has not come: some may not read the file that leads them here"), printHint)
		}
		return err
	}
}

const printHint = "messenger open --print shows the address to open yourself"

// redirect writes a file that only this user can read and that leads a browser to the address: other users of the computer can read what programs
// are started with, and would be at the address first.
func redirect(dir func() (string, error), url string) (string, error) {
	at, err := dir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(at, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(at, "open-*.html") // mode 0600
	if err != nil {
		return "", err
	}
	link := html.EscapeString(url)
	_, err = fmt.Fprintf(f, "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<meta http-equiv=\"refresh\" content=\"0; url=%s\">\n<title>Messenger</title>\n<p><a href=\"%s\">Open the messenger</a></p>\n", link, link)
	return f.Name(), errors.Join(err, f.Close())
}

// browse starts what this system opens files with. It may stay for as long as the browser does; failed tells if it ends badly.
func browse(file string) (failed <-chan error, err error) {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", file)
	case "darwin":
		cmd = exec.Command("open", file)
	default:
		cmd = exec.Command("xdg-open", file)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		if err := cmd.Wait(); err != nil {
			ended <- err
		}
	}()
	return ended, nil
}
