//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// glass is a terminal with a program in it.
type glass struct {
	*town
	cmd    *exec.Cmd
	person *os.File // where keys go in
	mu     sync.Mutex
	shown  strings.Builder // mu; all that was drawn
}

// terminal starts a program of somebody's in a terminal of 100 columns and 30 lines.
func (w *town) terminal(who string, env []string, args ...string) *glass {
	w.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		w.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		w.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		w.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.Fatal(err)
	}
	defer program.Close()
	g := &glass{town: w, cmd: w.program("messenger", who, args...), person: person}
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = program, program, program
	g.cmd.Env = append(append(g.cmd.Env, "TERM=xterm-256color", "NO_COLOR="), env...)
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	w.begin(g.cmd)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			g.mu.Lock()
			g.shown.Write(b[:n])
			g.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return g
}

func (g *glass) drawn() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown.String()
}

// end is the end of it.
func (g *glass) end() string {
	all := g.drawn()
	return all[max(0, len(all)-6000):]
}

// shows waits until a word was drawn. Only what changes on the screen is drawn, perhaps a part of the word: so everything is asked for now and then.
func (g *glass) shows(word string) {
	g.Helper()
	end := time.Now().Add(patience)
	for i := 1; !strings.Contains(g.drawn(), word); i++ {
		if time.Now().After(end) {
			g.Fatalf("%q is not shown:\n%q", word, g.end())
		}
		if i%100 == 0 {
			_, _ = g.person.WriteString("\x0c") // of a program that has ended: its last words are there
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (g *glass) types(keys string) {
	g.Helper()
	if _, err := g.person.WriteString(keys); err != nil {
		g.Fatal(err)
	}
}

// ends waits for the program to end well, and wants the terminal back as it was.
func (g *glass) ends() {
	g.Helper()
	stuck := time.AfterFunc(patience, func() { _ = g.cmd.Process.Signal(syscall.SIGQUIT) }) // which shows what it does
	err := g.cmd.Wait()
	if stuck.Stop(); err != nil {
		g.Fatalf("%v\n%q", err, g.end())
	}
	g.shows("\x1b[?1049l") // the screen from before
}

// Two people talk in two terminals, one with a daemon and one without.
func TestTalkingInTerminals(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	w.register("alice")
	bob := w.register("bob")
	w.run("alice", 0, "profile", "username", "alice")
	w.run("bob", 0, "profile", "name", "Bob")
	daemon := w.daemon("alice")
	a := w.terminal("alice", nil, "chat")
	a.shows("go to:")
	b := w.terminal("bob", []string{"NO_COLOR=1"}, "chat", "alice")
	b.shows("unverified")
	b.types("evening\r")
	a.shows("request")
	a.types(bob + "\r")
	a.shows("evening")
	a.types("welcome\r")
	b.shows("welcome")
	b.types("\x1b[200~pasted\nlines\x1b[201~\r")
	a.shows("pasted")
	a.shows("lines")
	w.run("alice", 0, "send", bob, "title\x1b]0;evil\x07here")
	b.shows("title]0;evilhere")
	w.kill(daemon)
	a.shows("waiting")
	a.types("patience\r") // is handed over when there is a daemon
	w.daemon("alice")
	b.shows("patience")
	// The window becomes small: one of the two panes is shown.
	if err := unix.IoctlSetWinsize(int(a.person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 40}); err != nil {
		t.Fatal(err)
	}
	a.types("/members\r")
	a.shows(bob)
	b.types("/quit\r")
	b.ends()
	a.types("\x03")
	a.ends()
	if found := regexp.MustCompile(`\x1b\[[0-9;:]*[34]8[;:]`).FindString(b.drawn()); found != "" {
		t.Errorf("with NO_COLOR %q is drawn", found)
	}
	if !regexp.MustCompile(`\x1b\[[0-9;:]*38[;:]`).MatchString(a.drawn()) {
		t.Error("no colours are drawn")
	}
	if strings.Contains(b.drawn(), "\x1b]0;evil") {
		t.Error("a title was set")
	}
	// Through a pipe it goes line by line, and needs somebody.
	w.says("bob", "welcome", "chat", "alice")
	w.run("bob", 2, "chat")
}
