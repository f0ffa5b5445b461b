//go:build unix

package launch

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// stopSignals are passed on to the child and then end the service. One that whoever started us has
// switched off (nohup, a shell's background job) stays off.
func stopSignals() []os.Signal {
	return slices.DeleteFunc([]os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP}, signal.Ignored)
}

// inherit hands two pipe ends to a child, besides the standard files, and tells their numbers there.
func inherit(health, life *os.File) (attr *os.ProcAttr, healthNo, lifeNo uintptr) {
	return &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, health, life}}, 3, 4
}

func closeOnExec(fd uintptr) { syscall.CloseOnExec(int(fd)) }

// keepOnExec lets a file survive exec and tells its number. Not File.Fd, which would also make it block.
func keepOnExec(f *os.File) (fd uintptr, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := raw.Control(func(n uintptr) {
		fd = n
		_, err = unix.FcntlInt(n, unix.F_SETFD, 0)
	})
	return fd, errors.Join(err, cerr)
}

// exitCode is a process's exit code, as a shell would give it.
func exitCode(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// signal passes a signal on.
func (c *child) signal(sig os.Signal) { _ = c.process.Signal(sig) }

// become turns this process into the version of its child, which stays its child: pid and pipes are
// handed over. It returns only when that is impossible; then everything is as before.
func (s *supervisor) become(c *child, path string) error {
	select {
	case <-c.exited:
		return errors.New("its child has ended")
	default:
	}
	version := c.version
	if version == "" {
		version = "-"
	}
	healthNo, err := keepOnExec(c.health)
	if err != nil {
		return err
	}
	defer closeOnExec(healthNo)
	lifeNo, err := keepOnExec(c.life)
	if err != nil {
		return err
	}
	defer closeOnExec(lifeNo)
	// A signal that arrived in the channel would be lost with this process. From here on it ends the
	// process instead, which is what it asks for: the child sees the life pipe close and stops as well.
	signal.Stop(s.signals)
	defer signal.Notify(s.signals, stopSignals()...)
	if len(s.signals) > 0 {
		return errors.New("it was asked to stop")
	}
	env := set(s.started.environ(), s.started.Program.variable("ADOPT"), note(s.started.world.Pid, c.process.Pid, healthNo, lifeNo, version))
	return replace(path, append([]string{path}, s.started.world.Args[1:]...), env)
}

// adopt takes over the child of the version this process was before, or returns nil when there is none.
func (s *supervisor) adopt(w World) (*child, error) {
	f, ok := w.readNote(s.started.Program.variable("ADOPT"), 4)
	if !ok {
		return nil, nil
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a number", s.started.Program.variable("ADOPT"), f[i])
		}
		numbers[i] = n
	}
	process, err := os.FindProcess(numbers[0])
	if err != nil {
		return nil, err
	}
	c := &child{
		version: strings.TrimSuffix(f[3], "-"), process: process, ready: true, healthy: true,
		health: inherited(uintptr(numbers[1]), "health"), life: inherited(uintptr(numbers[2]), "life"),
	}
	c.follow()
	return c, nil
}
