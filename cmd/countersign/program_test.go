package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
)

// patience ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

// TestAsProgram is the program itself, for tests that need a process of its own. It is not a test.
func TestAsProgram(t *testing.T) {
	text := os.Getenv("COUNTERSIGN_TEST_ARGUMENTS")
	if text == "" {
		t.Skip("run by other tests, as a process")
	}
	var args []string
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	app := cli.NewApp("countersign")
	os.Exit(app.Run(newRoot(app), args))
}

// program is countersign as a process.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	errs strings.Builder

	mu    sync.Mutex
	more  chan struct{} // closed and made anew with each line
	lines []string      // printed on standard output
}

// start runs countersign in a directory, with the passphrase "correct horse" in its environment.
func start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(os.Args[0], "-test.run=^TestAsProgram$"), more: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "COUNTERSIGN_TEST_ARGUMENTS="+string(text), "COUNTERSIGN_PASSPHRASE=correct horse", "COUNTERSIGN_CONFIG="+os.DevNull)
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, s.Text())
			close(p.more)
			p.more = make(chan struct{})
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-read
		_ = p.cmd.Wait()
	})
	return p
}

// line waits for a line that contains a text.
func (p *program) line(text string) string {
	p.t.Helper()
	end := time.After(patience)
	for {
		p.mu.Lock()
		more, lines := p.more, p.lines
		p.mu.Unlock()
		for _, l := range lines {
			if strings.Contains(l, text) {
				return l
			}
		}
		select {
		case <-more:
		case <-end:
			p.t.Fatalf("%q was not printed within %s; printed:\n%s", text, patience, strings.Join(lines, "\n"))
		}
	}
}

// kill ends the process as a power cut does.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

// interrupt asks the process to end, and returns its exit code.
func (p *program) interrupt() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}
