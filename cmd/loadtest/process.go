package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a server that was started for a measurement, with all processes below it.
type process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// launch starts a program whose output goes to a file in dir.
func launch(dir, name string, env []string, program string, args ...string) (*process, error) {
	p := &process{log: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
	f, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	return p, nil
}

// wait asks again and again until the server is ready, has ended, or a minute has passed.
func (p *process) wait(ctx context.Context, ready func() bool) error {
	return p.waitFor(ctx, time.Minute, ready)
}

// waitFor is wait with another patience.
func (p *process) waitFor(ctx context.Context, limit time.Duration, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ready() {
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended at once; see %s:\n%s", p.cmd.Path, p.log, p.output())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; see %s", p.cmd.Path, ctx.Err(), p.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// output returns what the server has said so far.
func (p *process) output() string {
	b, _ := os.ReadFile(p.log) // for people only
	return string(b)
}

// usage is that of the server with all its processes.
func (p *process) usage() (usage, error) {
	proc := os.DirFS("/proc")
	all, err := tree(proc, p.cmd.Process.Pid)
	return sum(proc, all, int64(os.Getpagesize())), err
}

// stop asks the server to end, and after ten seconds insists.
func (p *process) stop() {
	proc := os.DirFS("/proc")
	all, _ := tree(proc, p.cmd.Process.Pid) // none when it has ended
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
	}
	for pid, was := range all { // what does not end with its parent; the start time tells whether an id has come to mean another process
		q, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if is, err := statOf(proc, pid); err == nil && is.started == was.started {
			_ = q.Kill()
		}
	}
	<-p.exited
}

// own is what this program itself, the clients, has used.
func own() (usage, error) {
	proc := os.DirFS("/proc")
	s, err := statOf(proc, os.Getpid())
	return sum(proc, map[int]stat{os.Getpid(): s}, int64(os.Getpagesize())), err
}

// freePort finds a port for a server that cannot choose one itself.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// listens tells whether somebody accepts connections there.
func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// errMissing says that a peer is not installed.
var errMissing = errors.New("not installed")

// find returns the path of a program, which Debian may keep out of the PATH of people.
func find(name string) (string, error) {
	for _, at := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name} {
		if p, err := exec.LookPath(at); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, errMissing)
}
