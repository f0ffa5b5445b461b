//go:build linux

// Package killtest kills programs of a test at one of their system calls, with SIGKILL, by strace. It is for tests that promise to survive a crash at
// every write. Without strace, or where it may not trace, the test of a person is skipped; in CI it fails.
//
// strace counts a call by thread. So the caller sets GOMAXPROCS=1, which keeps most calls in one, and wants a number of kills that shows that it counts.
package killtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Killer kills programs.
type Killer struct {
	t      testing.TB
	strace string
}

// New looks for strace.
func New(t testing.TB) *Killer {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("strace is not installed: nothing is killed at every write here")
	}
	return &Killer{t, strace}
}

// At runs a program that is killed at its n-th call of a kind, in any of its threads. It returns what the program had said until then, and false if
// the program was through before.
func (k *Killer) At(call string, n int, environ []string, program string, args ...string) (said string, killed bool) {
	k.t.Helper()
	inject := fmt.Sprintf("inject=?%s:signal=SIGKILL:when=%d", call, n)
	cmd := exec.Command(k.strace, append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=?" + call, "-e", inject, program}, args...)...)
	cmd.Env = environ
	out, err := cmd.CombinedOutput()
	if err == nil {
		return string(out), false
	}
	// strace dies of what its child died of.
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			return string(out), true
		}
	}
	if strings.Contains(string(out), "ptrace") && os.Getenv("CI") != "true" {
		k.t.Skipf("strace may not trace here: %s", out)
	}
	k.t.Fatalf("%s, to be killed at %s %d: %v\n%s", program, call, n, err, out)
	return "", false
}
