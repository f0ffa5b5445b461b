package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a long-running program of the story.
type child struct {
	name string
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  []string
	done chan struct{}
}

// start runs a program until the story ends.
func (w *world) start(ctx context.Context, who, name, program string, args ...string) (*child, error) {
	if err := os.MkdirAll(w.path("homes", who), 0o700); err != nil {
		return nil, err
	}
	for _, a := range args {
		w.yieldTo(a)
	}
	c := &child{name: name, done: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, program, args...)
	c.cmd.Env = w.environ(who)
	c.cmd.Dir = w.dir
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 15 * time.Second
	pipe, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout, c.cmd.Stderr = writer, writer
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	writer.Close()
	go c.read(pipe, w.path("logs", name+".log"))
	go func() { c.cmd.Wait(); close(c.done) }()
	w.children = append(w.children, c)
	return c, nil
}

func (c *child) read(pipe io.ReadCloser, path string) {
	defer pipe.Close()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) // a witness comes and goes
	if err == nil {
		defer file.Close()
	}
	scan := bufio.NewScanner(pipe)
	for scan.Scan() {
		c.mu.Lock()
		c.log = append(c.log, scan.Text())
		c.mu.Unlock()
		if file != nil {
			fmt.Fprintln(file, scan.Text())
		}
	}
}

// said reports whether a program has printed a text since it printed the first from lines, and the line.
func (c *child) said(from int, text string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.log[min(from, len(c.log)):] {
		if strings.Contains(line, text) {
			return strings.TrimSpace(line), true
		}
	}
	return "", false
}

// lines is how many lines a program has printed.
func (c *child) lines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.log)
}

// last returns the newest lines a program printed.
func (c *child) last(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.log[max(0, len(c.log)-n):], "\n")
}

// running reports whether the program is still there.
func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// stop ends all long-running programs, the newest first, and gives up what was reserved.
func (w *world) stop() {
	for i := len(w.children) - 1; i >= 0; i-- {
		w.children[i].end()
	}
	for a := range w.held {
		w.yieldTo(a)
	}
}

// dismiss ends a program before the story does: nobody expects it to be there any more.
func (w *world) dismiss(c *child) {
	c.end()
	w.children = slices.DeleteFunc(w.children, func(o *child) bool { return o == c })
}

func (c *child) end() {
	if c.running() {
		_ = c.cmd.Process.Signal(stopSignal())
	}
	select {
	case <-c.done:
	case <-time.After(15 * time.Second):
		_ = c.cmd.Process.Kill()
	}
}

func stopSignal() os.Signal {
	if runtime.GOOS == "windows" {
		return os.Kill
	}
	return syscall.SIGTERM
}
