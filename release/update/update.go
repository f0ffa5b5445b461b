// Package update keeps one program of this project up to date, and only with what the auditors
// countersigned: check → judge → fetch → stage → probe → switch, one file a step. The steps after the
// switch (watch, and keep or return) belong to whoever starts the new version: package launch.
//
// Its world. A repository, mirrored by people we need not trust (tuf/fetch). The anchor compiled into
// this program. The home, a directory with the versions side by side (package home). The bytes of a
// program are believed only when release/genuine says "genuine" about them, twice: before they are
// fetched, about what the signed metadata names, and after, about the open file that is then installed.
//
// The worst anybody can do from outside is to keep the program at its version, and then `about` says
// since when nobody has vouched for it. Whatever is refused, missing or broken, the version that runs is
// not touched: every step before the switch works beside it, and the switch is one rename of one file.
//
// Nobody can be singled out: what is asked of a mirror depends only on what is installed, and when it is
// asked is chosen here (Loop), never by a server.
package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Courier brings bytes nobody has judged; *fetch.Courier is one.
type Courier interface {
	client.Courier
	evidence.Courier
	// Download brings a file of exactly this length and SHA-256 into the file partial, continuing what is
	// there. Wrong bytes never stay.
	Download(ctx context.Context, path string, length int64, sum [32]byte, partial string, progress func(done, total int64)) error
}

// Running is the program that asks.
type Running struct {
	Version   string // of this build
	Installed string // its name in the home, or "" when it is the base
	Base      string // version of the base
	BasePath  string // file of the base
	OS, Arch  string // as in GOOS and GOARCH
	Path      string // its own executable, to be hashed
}

// Updater is one round of asking and installing for one program. Its fields are set once.
type Updater struct {
	Home    home.Home
	Anchor  anchor.Anchor
	Running Running
	Courier Courier
	Now     func() time.Time
	Report  func(Event) // told what happens, one at a time; may be nil

	Variable    string                          // environment variable that gives a program its home
	Free        func(dir string) (int64, error) // bytes this user may still write there; nil: ask the system
	ProbeWithin time.Duration                   // a new program must answer within this; 0: ProbeTime
	AcceptStale bool                            // expired metadata will do (a bundle on a machine without network)
}

// Step names the part of an update an Event belongs to.
type Step string

// The steps, in their order.
const (
	StepCheck  Step = "check"
	StepJudge  Step = "judge"
	StepFetch  Step = "fetch"
	StepStage  Step = "stage"
	StepProbe  Step = "probe"
	StepSwitch Step = "switch"
)

// Event tells people and programs how an update goes. Total is 0 except while bytes arrive.
type Event struct {
	Step    Step   `json:"step"`
	Version string `json:"version,omitempty"`
	Text    string `json:"text"`
	Done    int64  `json:"done,omitempty"`
	Total   int64  `json:"total,omitempty"`
}

func (u *Updater) report(step Step, version, format string, args ...any) {
	if u.Report != nil {
		u.Report(Event{Step: step, Version: version, Text: fmt.Sprintf(format, args...)})
	}
}

// ErrBusy says that another process updates this program now.
var ErrBusy = errors.New("another update is running")

// How often, and at which distance, the lock is tried: whoever only tidies up holds it for milliseconds, on a busy machine with a slow
// disk for seconds.
const (
	lockTries = 300
	lockPause = 50 * time.Millisecond
)

// lock keeps other updaters away.
func (u *Updater) lock(ctx context.Context) (unlock func() error, err error) {
	if err := u.Home.Prepare(); err != nil {
		return nil, err
	}
	for range lockTries {
		unlock, err = u.Home.LockUpdate()
		if !errors.Is(err, durable.ErrLocked) {
			return unlock, err
		}
		if err := Sleep(ctx, lockPause); err != nil {
			return nil, err
		}
	}
	return nil, ErrBusy
}

// tidy removes old versions and what interrupted updates left. What stays is only in the way of room.
func (u *Updater) tidy() {
	if err := u.Home.Sweep(u.Running.Installed); err != nil {
		u.report(StepCheck, "", "could not tidy up: %v", err)
	}
}

// Self is the subject of a program's question about itself: its own file, by its bytes.
func (r Running) Self(program, channel string) (genuine.Subject, error) {
	s := genuine.Subject{Channel: channel, Program: program, OS: r.OS, Arch: r.Arch}
	path := r.Path
	if runtime.GOOS == "linux" {
		// What was really started, even if the file under that name is another one by now.
		if own, err := os.Executable(); err == nil && own == path {
			path = "/proc/self/exe"
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	s.Length, s.SHA256, err = sum(f)
	return s, err
}

// sum hashes all that is left to read.
func sum(r io.Reader) (int64, genuine.Digest, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return n, genuine.Digest(h.Sum(nil)), err
}

// seen turns what the client remembers into what the judge asks for.
func seen(s client.Seen) genuine.Seen {
	return evidence.Seen(s)
}
