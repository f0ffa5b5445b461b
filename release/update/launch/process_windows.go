package launch

import (
	"errors"
	"os"
	"syscall"
)

func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// inherit hands two pipe ends to a child by their handles, which keep their numbers there.
func inherit(health, life *os.File) (attr *os.ProcAttr, healthNo, lifeNo uintptr) {
	attr = &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{}}
	for _, f := range []*os.File{health, life} {
		h := syscall.Handle(f.Fd())
		_ = syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT)
		attr.Sys.AdditionalInheritedHandles = append(attr.Sys.AdditionalInheritedHandles, h)
	}
	return attr, health.Fd(), life.Fd()
}

func closeOnExec(fd uintptr) { syscall.CloseOnExec(syscall.Handle(fd)) }

func exitCode(state *os.ProcessState) int { return state.ExitCode() }

// signal asks the child to stop; Windows has no signals to pass on, and closing the life pipe says the
// same.
func (c *child) signal(os.Signal) { c.life.Close() }

var errNoExec = errors.New("this platform cannot replace a running process; the new version takes over at the next start of the service")

func (s *supervisor) become(*child, string) error { return errNoExec }

func (s *supervisor) adopt(World) (*child, error) { return nil, nil }
