// Package launch decides which version of a program a process becomes, and keeps a long-running program
// alive across updates.
//
// Its world. A person or a service manager starts one file, the base. Installed versions lie in the home
// (package home), and state.json names the one to run. Start, called first in main, reads it and becomes
// that version: by exec on Unix, and on Windows by starting it and passing on its exit code. Whatever is
// wrong with the home, the program starts: at worst as the base, with a notice.
//
// A version that was just switched to is on trial. A command that ends in an orderly way confirms it. A
// long-running mode is confirmed by a small parent, the Supervisor: the process that the person or
// systemd started starts the working process below itself, hears from it through a pipe, and changes it
// for another version without ending. A version that exits, hangs or crashes before it was healthy is
// held, with the reason, and the last good one is back at once. When a new version proved healthy the
// parent becomes that version too, so that no old code stays (not on Windows, which has no exec: there
// the parent is replaced at the next start of the service).
//
// The formats between versions, which must stay readable for older and newer ones (NAME is the
// program's name in capitals; each value is invalid in any process but the one it was meant for, since
// it names the pid of the process that set it, which is this process or its parent):
//
//	NAME_LAUNCHED=1 <pid> <version of the base> <path of the base>
//	NAME_SUPERVISED=1 <pid> <health pipe> <life pipe>
//	NAME_ADOPT=1 <pid> <pid of the child> <health pipe> <life pipe> <version or ->
//
// The health pipe carries one word a line from child to parent: ready, healthy, restart; unknown words
// are ignored. The life pipe carries nothing: when it closes, the child stops.
//
// Who may do what: whoever can write to the home or to this process's environment is the user. What the
// hash check at start answers is accident and decay, and other users where the home is badly protected.
package launch

import (
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// Program is what a program's main knows about itself.
type Program struct {
	Name     string // "messenger"
	Version  string // of this file
	Server   bool   // keeps its home in /var/lib when root
	Variable string // environment variable with the directory shared by all programs: "MESSENGER_HOME"
	// Serves reports whether these arguments (without the program's name) ask for a long-running mode.
	// nil when the program has none.
	Serves func(args []string) bool
}

// World is what a start reads from outside.
type World struct {
	Args       []string // os.Args
	Environ    []string // os.Environ()
	Executable string   // os.Executable()
	Pid, Ppid  int
	Now        func() time.Time
	Notice     func(string) // tells people, at once, what was wrong with the home
}

// Started is what this process turned out to be.
type Started struct {
	Program     Program
	Home        home.Home
	Base        string // path of the file the person started
	BaseVersion string
	Executable  string // path of the file that runs
	Installed   string // the version's name in the home, or "" when the base runs
	world       World  // as found, but for our notes in the environment
	serving     bool   // this is a long-running mode, or its parent: its end confirms nothing
}

// Confirm is called when a command ends in an orderly way: if this version is on trial, it has now shown
// that it works. Errors are returned for a log only; an unconfirmed version is merely tried again.
func (s *Started) Confirm() error {
	if s.Installed == "" || s.serving {
		return nil
	}
	st, err := s.Home.Load()
	if err != nil || st.Trial == nil || st.Trial.Version != s.Installed {
		return err
	}
	_, err = s.Home.Change(func(st *home.State) error {
		st.Confirm(s.Installed)
		return nil
	})
	return err
}
