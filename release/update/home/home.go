// Package home is the directory in which one program keeps its own versions, and the one file that
// says which of them runs.
//
// Its world: the program's own processes (a daemon, its supervising parent, commands a person types),
// several at once, any of which may be killed at any instruction; and a disk that may be full or flip a
// bit. Below the home directory:
//
//	state.json               which version runs; replacing this file is the switch
//	state.lock               held for the moment of a change of state.json
//	update.lock              held for as long as an update is being fetched and installed
//	versions/1.4.0/messenger the program (messenger.exe on Windows), executable
//	versions/1.4.0/evidence.json  what it was judged by when it was installed
//	versions/1.4.0.tmp/      a version being put together; anybody who holds update.lock may delete it
//	download/                partial downloads, named by the sha256 they should have
//	tuf/                     what tuf/client remembers
//	policy.json, mirrors.json  the newest signed ones this device has seen
//	withdrawn.json, withdrawals.json, log.head  what must not be forgotten (evidence.Memory)
//	evidence.json            the same as in versions/, for the program file the person started
//
// A version directory appears under its name by one rename and is never changed afterwards. Versions are
// named in state.json with length and sha256 of the program, so a file that was changed later is noticed
// before it is started.
//
// The file the person started (from a package, or a download) is called the base. It is not in the home
// and is never written to; a state that names no version means "run the base".
//
// Who may change it: whoever may write to the directory, which is why it is refused when others than
// its owner can. The worst they can do is everything the user can do.
package home

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/tuf/durable"
)

// errNone: a user without a home directory can run a program, but not update it.
var errNone = errors.New("no home directory to keep versions in")

// Home is the directory of one program. It does nothing until a method is called.
type Home struct {
	Dir     string // absolute
	Program string // "messenger": also the name of the program file, without ".exe"
	OS      string // as GOOS; decides about ".exe"
}

// At returns the home of a program below the directory that all programs of a user share.
func At(base, program string) Home {
	return Home{Dir: filepath.Join(base, program), Program: program, OS: runtime.GOOS}
}

// Default returns the directory that the programs of this user share: the one in the environment
// variable, or else the place where the platform keeps such data. A server program that runs as root
// keeps it in /var/lib.
func Default(variable string, server bool, getenv func(string) string) (string, error) {
	if dir := getenv(variable); dir != "" {
		return filepath.Abs(dir)
	}
	if server && runtime.GOOS != "windows" && os.Geteuid() == 0 {
		return "/var/lib/countersign", nil
	}
	if runtime.GOOS == "windows" {
		if dir := getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "Countersign"), nil
		}
	}
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "countersign"), nil
	}
	user := getenv("HOME")
	switch {
	case !filepath.IsAbs(user):
		return "", fmt.Errorf("no home directory: set HOME or %s", variable)
	case runtime.GOOS == "darwin":
		return filepath.Join(user, "Library", "Application Support", "countersign"), nil
	}
	return filepath.Join(user, ".local", "share", "countersign"), nil
}

// Prepare creates the directories, for their owner only, and refuses a home that others can write to.
func (h Home) Prepare() error {
	if h.Dir == "" {
		return errNone
	}
	for _, dir := range []string{h.Dir, h.versions(), h.Downloads(), h.TUF()} {
		if err := durable.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return h.Private()
}

func (h Home) versions() string { return filepath.Join(h.Dir, "versions") }

// Downloads is the directory of partial downloads.
func (h Home) Downloads() string { return filepath.Join(h.Dir, "download") }

// TUF is the directory of tuf/client.
func (h Home) TUF() string { return filepath.Join(h.Dir, "tuf") }

// Policy is the newest signed policy this device has seen.
func (h Home) Policy() string { return filepath.Join(h.Dir, "policy.json") }

// Mirrors is the newest signed list of mirrors this device has seen.
func (h Home) Mirrors() string { return filepath.Join(h.Dir, "mirrors.json") }

// Memory is what this device must not forget about releases: withdrawals, and the head of the log.
func (h Home) Memory() evidence.Memory { return evidence.Memory{Dir: h.Dir} }

// Version is the directory of one installed version.
func (h Home) Version(version string) string { return filepath.Join(h.versions(), version) }

// Staging is where a version is put together before it gets its name.
func (h Home) Staging(version string) string { return h.Version(version) + ".tmp" }

// File is the name of the program file inside a version's directory.
func (h Home) File() string {
	if h.OS == "windows" {
		return h.Program + ".exe"
	}
	return h.Program
}

// Executable is the program file of an installed version.
func (h Home) Executable(version string) string { return filepath.Join(h.Version(version), h.File()) }

// Evidence is what a version was judged by; of the base when version is "".
func (h Home) Evidence(version string) string {
	if version == "" {
		return filepath.Join(h.Dir, "evidence.json")
	}
	return filepath.Join(h.Version(version), "evidence.json")
}

// LockUpdate keeps every other updater of this home away; durable.ErrLocked when one is at work.
func (h Home) LockUpdate() (unlock func() error, err error) {
	return durable.Lock(filepath.Join(h.Dir, "update.lock"))
}

// How long a change of state.json waits for others. Such a change takes milliseconds, on a busy machine with a slow disk a second;
// one that takes longer belongs to a process that was stopped with the lock in its hand.
const (
	stateLockTries = 1000
	stateLockPause = 20 * time.Millisecond
)

func (h Home) lockState() (unlock func() error, err error) {
	for range stateLockTries {
		unlock, err = durable.Lock(filepath.Join(h.Dir, "state.lock"))
		if !errors.Is(err, durable.ErrLocked) {
			return unlock, err
		}
		time.Sleep(stateLockPause)
	}
	return nil, err
}

// Sweep removes every version that is not current, not the last good one, not pinned and not named here,
// and all that interrupted updates left. The caller holds the update lock, so that nothing is installed
// meanwhile. The state forgets them first: it never names what is not there. Versions that cannot be
// removed (Windows, while one still runs) stay for the next time.
func (h Home) Sweep(running ...string) error {
	keep := map[string]bool{}
	_, err := h.Change(func(s *State) error {
		for _, v := range append(running, s.Current, s.LastGood, s.Pinned) {
			keep[v] = true
		}
		s.Versions = maps.Clone(s.Versions)
		maps.DeleteFunc(s.Versions, func(v string, _ File) bool { return !keep[v] })
		return nil
	})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(h.versions())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, durable.RemoveAll(h.Version(e.Name())))
		}
	}
	return errors.Join(err, h.sweepFiles())
}

// sweepFiles removes temporary files of interrupted writes of state.json, under its lock.
func (h Home) sweepFiles() error {
	unlock, err := h.lockState()
	if err != nil {
		return err
	}
	defer unlock()
	return durable.Sweep(h.Dir)
}
