package hermetic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Isolation says what keeps a process in the box off the network.
type Isolation string

// The two degrees of isolation.
const (
	OwnNetwork   Isolation = "own network namespace without interfaces"
	SettingsOnly Isolation = "settings only"
)

// Isolation returns the degree that this system allows.
func (b *Box) Isolation() Isolation { return b.isolation }

// GoError is a go command that ended badly; Output is the end of what it complained.
type GoError struct {
	Args   []string
	Output string
	Err    error
}

func (e *GoError) Error() string {
	return fmt.Sprintf("go %s: %v\n%s", e.Args[0], e.Err, strings.TrimSpace(e.Output))
}

func (e *GoError) Unwrap() error { return e.Err }

// Refused reports whether the go command found something wrong, as opposed to being unable to go on: a
// module that is not what go.sum says, or a go.sum that does not cover all modules.
func (e *GoError) Refused() bool {
	for _, sign := range []string{"checksum mismatch", "SECURITY ERROR", "missing go.sum entry", "updates to go.mod needed", "updates to go.sum needed"} {
		if strings.Contains(e.Output, sign) {
			return true
		}
	}
	return false
}

// ErrDiskFull says that a build ended because there was no room for its files.
var ErrDiskFull = errors.New("no room left on the disk")

// maxOutput is how much of a process's complaints is kept: the end of it, where the cause is.
const maxOutput = 16 << 10

// tail keeps the last bytes written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - maxOutput; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// Go runs the go command in dir for one target and returns its standard output. When ctx ends, the
// command and all it started are killed.
func (b *Box) Go(ctx context.Context, dir, goos, goarch string, args ...string) ([]byte, error) {
	cmd := b.command(ctx, b.program(), args...)
	cmd.Dir = dir
	cmd.Env = b.environment(goos, goarch)
	isolate(cmd, b.isolation)
	return output(ctx, cmd, args)
}

// GoOnline is Go with the network, for the one step that fetches: settings ("NAME=value") say where
// modules come from, and of the ambient environment comes what reaching a server takes. Everything else
// is as pinned, go.sum's word above all.
func (b *Box) GoOnline(ctx context.Context, dir, goos, goarch string, settings, ambient []string, args ...string) ([]byte, error) {
	env := append(b.environment(goos, goarch), settings...)
	for _, kv := range ambient {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(online, strings.ToUpper(name)) {
			env = append(env, kv)
		}
	}
	return b.GoWith(ctx, dir, env, args...)
}

// online are the ambient variables a fetch may use: proxies, certificates, and the credentials and tools
// of whoever gets modules straight from version control.
var online = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME", "USERPROFILE", "NETRC", "PATH", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND",
}

// GoWith runs the go command in dir with the given environment and with the network.
func (b *Box) GoWith(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := b.command(ctx, b.program(), args...)
	cmd.Dir = dir
	cmd.Env = env
	return output(ctx, cmd, args)
}

func output(ctx context.Context, cmd *exec.Cmd, args []string) ([]byte, error) {
	var stdout bytes.Buffer
	var stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bytes.Contains(stderr.b, []byte("no space left on device")) || bytes.Contains(stderr.b, []byte("not enough space on the disk")):
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], ErrDiskFull, strings.TrimSpace(string(stderr.b)))
	}
	return nil, &GoError{args, string(stderr.b), err}
}

// command makes a process with no environment that dies with all its children when ctx ends.
func (b *Box) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{}
	cmd.WaitDelay = 10 * time.Second
	ownGroup(cmd)
	return cmd
}

// probe finds the strongest isolation with which the go command starts.
func (b *Box) probe(ctx context.Context) error {
	var err error
	for _, b.isolation = range []Isolation{OwnNetwork, SettingsOnly} {
		if b.isolation == OwnNetwork && !canIsolate {
			continue
		}
		if _, err = b.Go(ctx, b.root, "linux", "amd64", "version"); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("toolchain %s: %w", b.goroot, err)
}
