// Package peer starts the foreign servers that tests need, PostgreSQL, nats-server and an S3-compatible store, as children on private
// sockets and ports, in directories that go away with the test. Only tests import it.
package peer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a child that can be stopped, frozen and started again.
type Process struct {
	Name string
	t    testing.TB
	make func() *exec.Cmd

	mu  sync.Mutex
	cmd *exec.Cmd
	log output
}

// output is what a child says, written by the goroutines that read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Missing says for a person what is not installed: a skip, or with CI=true a failure.
func Missing(t testing.TB, program, debian string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: apt-get install %s", program, debian)
	}
	t.Skipf("skipped: %s is not installed: apt-get install %s", program, debian)
}

// Start runs the child again after Stop or Kill.
func (p *Process) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := p.make()
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("%s: %v", p.Name, err)
	}
	p.cmd = cmd
}

// Signal sends a signal, if the child runs.
func (p *Process) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may have ended by itself
	}
}

// Stop ends the child with that signal and waits until it has ended.
func (p *Process) Stop(s syscall.Signal) {
	p.Signal(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	late := time.AfterFunc(2*time.Minute, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait() // how it ended is what we asked for
	late.Stop()
	p.cmd = nil
}

// Pid of the child.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// await tries until try succeeds; the deadline is only for a peer that never comes up.
func (p *Process) await(what string, try func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s: %s: %v\n%s", p.Name, what, err, p.log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// shortDir is a directory with a path short enough for a unix socket, owned by the account the peer runs under.
func shortDir(t testing.TB, o owner) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := o.give(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newest returns the last of the files that match, by name.
func newest(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no file %s", pattern)
	}
	return found[len(found)-1], nil
}
