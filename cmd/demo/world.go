package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// world is the throw-away directory of one telling, and the programs that run in it.
type world struct {
	dir       string // everything is below it
	tool      string // the countersign program
	toolchain string // a Go distribution that the recipe's hash accepts, or "" for the one in use
	children  []*child
	held      map[string]net.Listener // addresses kept for programs that do not run yet
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// person is somebody in the story, with a home directory of their own.
type person struct{ name, organisation, jurisdiction string }

// short is a person's first name in lower case, used for files.
func (p person) short() string {
	first, _, _ := strings.Cut(p.name, " ")
	return strings.ToLower(first)
}

// environ is the environment of one person's commands: their own home, nothing of ours but the path.
func (w *world) environ(who string) []string {
	home := w.path("homes", who)
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GOENV=off", "GOTOOLCHAIN=local",
		"COUNTERSIGN_PASSPHRASE_FILE=" + w.path("keys", who+".passphrase"),
		"MESSENGER_HOME=" + filepath.Join(home, "programs")} // a server run by root would use /var/lib
	// The modules that this machine already has may be used; every one is checked against go.sum.
	for _, name := range []string{"GOMODCACHE", "GOPROXY", "SYSTEMROOT", "TMPDIR", "SSL_CERT_FILE"} {
		if v := w.goenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// goenv asks the go command, so that a proxy or a module cache set there is found from an empty home too.
func (w *world) goenv(name string) string {
	if !strings.HasPrefix(name, "GO") {
		return os.Getenv(name)
	}
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// result is what a finished command left.
type result struct {
	code int
	out  []byte
	err  string // standard error
}

// as runs a command as one person and shows its progress.
func (w *world) as(ctx context.Context, who, program string, args ...string) (result, error) {
	return w.run(ctx, who, &lines{prefix: "      " + who + ": "}, program, args...)
}

// quiet is as, without the progress.
func (w *world) quiet(ctx context.Context, who, program string, args ...string) (result, error) {
	return w.run(ctx, who, io.Discard, program, args...)
}

func (w *world) run(ctx context.Context, who string, progress io.Writer, program string, args ...string) (result, error) {
	if err := os.MkdirAll(w.path("homes", who), 0o700); err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = w.environ(who)
	cmd.Dir = w.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = io.MultiWriter(&errs, progress)
	err := cmd.Run()
	r := result{out: out.Bytes(), err: errs.String(), code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return r, ctx.Err()
}

// must runs a countersign command that has to succeed, and decodes its JSON into v when v is not nil.
func (w *world) must(ctx context.Context, who string, v any, args ...string) error {
	if v != nil {
		args = append(args, "--json")
	}
	r, err := w.as(ctx, who, w.tool, args...)
	if err != nil {
		return err
	}
	if r.code != 0 {
		return fmt.Errorf("countersign %s: exit code %d\n%s", strings.Join(args, " "), r.code, tail(r.err, 12))
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(r.out, v); err != nil {
		return fmt.Errorf("countersign %s: %v in %q", strings.Join(args, " "), err, r.out)
	}
	return nil
}

// tail returns the last n lines of a text.
func tail(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// lines prints what is written to it line by line behind a prefix.
type lines struct {
	prefix string
	rest   []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		i := bytes.IndexAny(l.rest, "\r\n")
		if i < 0 {
			return len(b), nil
		}
		if line := bytes.TrimSpace(l.rest[:i]); len(line) > 0 {
			fmt.Printf("%s%s\n", l.prefix, line)
		}
		l.rest = l.rest[i+1:]
	}
}

// reserve has the system choose a loopback address, and keeps it until the program it is for is started:
// some addresses are signed into the distribution long before anybody listens there.
func (w *world) reserve() (string, error) { return w.keep("127.0.0.1:0") }

// keep holds an address against all others. Whoever asks there finds that nobody answers.
func (w *world) keep(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	w.held[l.Addr().String()] = l
	return l.Addr().String(), nil
}

// yieldTo gives up an address to a program that is about to listen there.
func (w *world) yieldTo(address string) {
	if l := w.held[address]; l != nil {
		l.Close()
		delete(w.held, address)
	}
}

// patience ends a story that would otherwise wait for ever: what takes seconds here may take minutes on a slow and busy machine.
const patience = 5 * time.Minute

// until asks again and again until the answer is yes, an error, or patience is at its end.
func until(ctx context.Context, what string, ask func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		ok, err := ask()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v still not: %s", patience, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}
