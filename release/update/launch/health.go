package launch

import (
	"io"
	"os"
	"strconv"
	"sync"
)

// The words a working process says to its parent.
const (
	wordReady   = "ready"   // it has begun its work
	wordHealthy = "healthy" // it has worked for a while and checked itself
	wordRestart = "restart" // another version was switched to
	wordHand    = "hand"    // with a space and "NAME=value" in Go's quotes: the versions to come get this variable
)

// Parent is what a working process knows of the Supervisor above it.
type Parent struct {
	mu     sync.Mutex
	health io.WriteCloser
	gone   chan struct{}
}

// Connect returns the parent of this process, or nil when nobody supervises it.
func (s *Started) Connect(w World) *Parent {
	f, ok := w.readNote(s.Program.variable("SUPERVISED"), 2)
	if !ok {
		return nil
	}
	health, err1 := strconv.ParseUint(f[0], 10, 64)
	life, err2 := strconv.ParseUint(f[1], 10, 64)
	if err1 != nil || err2 != nil {
		return nil
	}
	s.serving = true
	p := &Parent{health: inherited(uintptr(health), "health"), gone: make(chan struct{})}
	lifeline := inherited(uintptr(life), "life")
	go func() {
		_, _ = io.Copy(io.Discard, lifeline) // ends when the parent closes it or dies
		close(p.gone)
	}()
	return p
}

// Serving tells whether this process is of a long-running mode that goes on already: its working process, or a parent that has just become another
// version. It must go on with it, and not look around as a command would that was just typed.
func (s *Started) Serving(w World) bool {
	_, working := w.readNote(s.Program.variable("SUPERVISED"), 2)
	_, adopting := w.readNote(s.Program.variable("ADOPT"), 4)
	return working || adopting
}

// inherited wraps a pipe end that was handed down, and keeps it from being handed down further.
func inherited(fd uintptr, name string) *os.File {
	closeOnExec(fd)
	return os.NewFile(fd, name)
}

// Ready says that the work has begun: sockets listen, stores are open.
func (p *Parent) Ready() { p.say(wordReady) }

// Healthy says that the process has worked for a while; it ends a new version's trial.
func (p *Parent) Healthy() { p.say(wordHealthy) }

// Restart asks to be stopped and started as the version that is current now.
func (p *Parent) Restart() { p.say(wordRestart) }

// Hand gives the versions to come one more variable, whose name begins with the program's: see Started.Hand. Best effort: one that is too long for a word is
// not handed, and a parent of before there was this word does not know it.
func (p *Parent) Hand(variable, value string) {
	if word := handWord(variable, value); len(word) < maxWord {
		p.say(word)
	}
}

// say is best effort: a parent that is gone shows in Gone.
func (p *Parent) say(word string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.health, word+"\n")
}

// Gone is closed when the parent wants this process to stop, or is no more. For a nil Parent it is nil
// and blocks for ever.
func (p *Parent) Gone() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.gone
}
