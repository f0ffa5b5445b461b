package update

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// ProbeTime is how long a new program may take to answer `probe --json`. Ours take milliseconds; a
// loaded small machine may take seconds.
const ProbeTime = 30 * time.Second

// readWithin is how long after the end of a probed program its answer may take to be read: no time at all, unless this machine is
// very busy. It ends the wait for what such a program left running with its output in hand.
const readWithin = 10 * time.Second

// maxAnswer bounds what a probed program may print, in bytes.
const maxAnswer = 64 << 10

// Answer is what a program of ours prints when it is asked `probe --json`.
type Answer struct {
	Program string `json:"program"`
	Version string `json:"version"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Probed is the program's side: it shows that the program starts, finds its home and can read its state.
func Probed(h home.Home, version, goos, goarch string) (Answer, error) {
	answer := Answer{h.Program, version, goos, goarch}
	if _, err := h.Load(); err != nil {
		return answer, err
	}
	if err := h.Private(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return answer, err
	}
	return answer, nil
}

// probe runs a staged program once, in a clean environment, before anything depends on it. One that
// crashes, hangs or says it is something else is not switched to.
func (u *Updater) probe(ctx context.Context, o offer, path string) error {
	u.report(StepProbe, o.version, "starting it once to see whether it works here")
	within := u.ProbeWithin
	if within == 0 {
		within = ProbeTime
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	out, err := u.runProbe(ctx, path)
	if err != nil {
		return brokenError{o.version, err}
	}
	var got Answer
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		return brokenError{o.version, fmt.Errorf("its answer is not readable: %v", err)}
	}
	if want := (Answer{u.Home.Program, o.version, u.Running.OS, u.Running.Arch}); got != want {
		return brokenError{o.version, fmt.Errorf("it says it is %s %s for %s/%s", got.Program, got.Version, got.OS, got.Arch)}
	}
	return nil
}

// brokenError is a genuine program that does not work on this machine.
type brokenError struct {
	version string
	why     error
}

func (e brokenError) Error() string {
	return fmt.Sprintf("version %s does not work here: %v", e.version, e.why)
}

// Refused is true: it was checked and found not to work.
func (e brokenError) Refused() bool { return true }

func (u *Updater) runProbe(ctx context.Context, path string) ([]byte, error) {
	var out, errs capped
	// A process forked elsewhere in this program may hold the file open for writing until it execs; the
	// kernel then says "text file busy" for a moment.
	for {
		out, errs = capped{}, capped{}
		cmd := exec.CommandContext(ctx, path, "probe", "--json")
		cmd.Env = u.probeEnviron()
		cmd.Dir = filepath.Dir(path)
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.WaitDelay = readWithin
		ownGroup(cmd)
		err := cmd.Run()
		switch {
		case errors.Is(err, syscall.ETXTBSY) && Sleep(ctx, 20*time.Millisecond) == nil:
			continue
		case ctx.Err() == context.DeadlineExceeded:
			return nil, errors.New("it did not answer in time")
		case err != nil:
			return nil, fmt.Errorf("%v%s", err, lastLine(errs.b))
		case out.over:
			return nil, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
		}
		return out.b, nil
	}
}

// probeEnviron tells the program where its home is, that it is not to become another version, and
// nothing else; Windows programs do not start without SystemRoot.
func (u *Updater) probeEnviron() []string {
	env := []string{
		u.Variable + "=" + filepath.Dir(u.Home.Dir),
		fmt.Sprintf("%s_LAUNCHED=1 %d %s %s", strings.ToUpper(u.Home.Program), os.Getpid(), u.Running.Base, u.Running.BasePath),
	}
	if root := os.Getenv("SystemRoot"); root != "" {
		env = append(env, "SystemRoot="+root)
	}
	return env
}

// capped keeps the first maxAnswer bytes written to it.
type capped struct {
	b    []byte
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), maxAnswer-len(c.b))
	c.b = append(c.b, p[:n]...)
	c.over = c.over || n < len(p)
	return len(p), nil
}

// lastLine is the last thing a failing program said, for the error's text.
func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return fmt.Sprintf(": %.200q", last)
	}
	return ""
}
