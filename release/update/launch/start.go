package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// Real returns the world of this process.
func Real() World {
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	return World{
		Args: os.Args, Environ: os.Environ(), Executable: exe, Pid: os.Getpid(), Ppid: os.Getppid(), Now: time.Now,
		Notice: func(text string) { fmt.Fprintf(os.Stderr, "notice: %s\n", text) },
	}
}

// Start is called first in main. Where the home says that another version is to run, it becomes that
// version and does not return (on Windows it returns never but exits with that version's code). In the
// process that is to do the work it returns; it never fails, since a program must start whatever became
// of its home.
func Start(p Program, w World) *Started {
	s := &Started{Program: p, Base: w.Executable, BaseVersion: p.Version, Executable: w.Executable, world: w}
	s.world.Environ = p.clean(w.Environ)
	base := homeFlag(w.Args[1:])
	if base == "" {
		var err error
		if base, err = home.Default(p.Variable, p.Server, func(k string) string { return get(w.Environ, k) }); err != nil {
			w.Notice(err.Error())
			return s
		}
	}
	if abs, err := filepath.Abs(base); err == nil {
		base = abs
	}
	s.Home = home.At(base, p.Name)
	if f, ok := w.readNote(p.variable("LAUNCHED"), 2); ok {
		s.BaseVersion, s.Base = f[0], f[1]
		s.Installed = s.installed()
		return s
	}
	s.become()
	return s
}

// installed tells which version's directory this file lies in, or "".
func (s *Started) installed() string {
	if s.Home.Executable(s.Program.Version) == s.Executable {
		return s.Program.Version
	}
	return ""
}

// become starts versions until one takes the process over, or the base remains.
func (s *Started) become() {
	w := s.world
	pick := picker{home: s.Home, self: s.BaseVersion, now: w.Now, notice: w.Notice,
		parent: s.Program.Serves != nil && s.Program.Serves(w.Args[1:])}
	for {
		version := pick.next()
		if version == "" {
			return
		}
		path := s.Home.Executable(version)
		err := replace(path, append([]string{path}, w.Args[1:]...), s.environ())
		// Still here: the file could not be started at all, although it is the one that was installed.
		pick.hold(version, fmt.Sprintf("it could not be started: %v", err))
	}
}

// environ is the environment in which another version is started by this process.
func (s *Started) environ() []string {
	return set(s.world.Environ, s.Program.variable("LAUNCHED"), note(s.world.Pid, s.BaseVersion, s.Base))
}
