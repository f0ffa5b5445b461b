package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// tellTimeout bounds one delivery: a mail command that hangs must not stop the watching.
const tellTimeout = time.Minute

// readWithin is how long after the end of a command what it said may take to be read: no time at all, unless this machine is very busy. It
// ends the wait for what a command left running with its output in hand.
const readWithin = 10 * time.Second

// Text is a report in lines for people.
func (r Report) Text() string {
	var b strings.Builder
	for _, a := range r.New {
		fmt.Fprintf(&b, "ALARM %s: %s\n", a.Kind, a.Text)
	}
	for _, a := range r.Over {
		fmt.Fprintf(&b, "over %s: %s\n", a.Kind, a.Text)
	}
	for _, e := range r.Evidence {
		fmt.Fprintf(&b, "evidence: %s\n", e)
	}
	return b.String()
}

// Post sends the report as JSON to a URL. Anything but a 2xx answer is an error; a redirect is not
// followed, since the report would go to somebody who was not named.
func Post(ctx context.Context, url string, r Report) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, tellTimeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("webhook answered %s", resp.Status)
	}
	return nil
}

// Run hands the report's text to a command's standard input, by the system's shell. Nothing of the
// report is in the command line.
func Run(ctx context.Context, command string, r Report) error {
	ctx, stop := context.WithTimeout(ctx, tellTimeout)
	defer stop()
	shell, flag := "/bin/sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = os.Getenv("COMSPEC"), "/C"
	}
	cmd := exec.CommandContext(ctx, shell, flag, command)
	cmd.WaitDelay = readWithin
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(r.Text()), &said, &said
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("command %q: %w", command, err), fmt.Errorf("it said %q", said.String()))
	}
	return nil
}
