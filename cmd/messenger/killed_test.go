//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/tuf/durable/killtest"
)

// killed runs a command of somebody's that is killed (-9) at its n-th call of a kind, and says whether it was.
func (w *town) killed(k *killtest.Killer, call string, n int, who string, args ...string) bool {
	w.Helper()
	cmd := w.program("messenger", who, args...)
	_, killed := k.At(call, n, append(cmd.Env, "GOMAXPROCS=1"), cmd.Path, args...)
	return killed
}

// A change of number that is killed at a write of the store, or of the network, was done or was not: the messenger finds out which with the next
// connection, Bob's follows, and both go on talking.
func TestANumberChangeKilledAtItsWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	k := killtest.New(t)
	w := newTown(t, "--limit-factor", "0")
	number, made := "", 0
	invited := func() (next, code string) {
		made++
		next = fmt.Sprintf("+1415555%04d", made)
		out, _ := w.run("server", 0, "invite", "--number", next)
		return next, strings.TrimSpace(out)
	}
	number, code := invited()
	w.run("alice", 0, "register", "--server", w.url, "--number", number, "--code", code)
	bob := w.register("bob")
	w.run("alice", 0, "send", bob, "I am Alice")
	w.run("bob", 0, "receive")
	w.run("bob", 0, "contacts", "name", number, "Alice")
	w.run("bob", 0, "send", "Alice", "hello")
	w.run("alice", 0, "receive")
	kills, done := 0, 0
	for _, call := range []string{"pwrite64", "write"} {
		for n, killed := 1, true; killed; n += 1 + n/2 {
			next, code := invited()
			killed = w.killed(k, call, n, "alice", "account", "number", next, "--code", code)
			if killed {
				kills++
			}
			w.run("alice", 0, "receive")
			out, _ := w.run("alice", 0, "status")
			switch {
			case strings.Contains(out, next+", device 1"):
				done++
			case killed && strings.Contains(out, number+", device 1"): // the code is still good
				w.says("alice", "You are "+next+" now.", "account", "number", next, "--code", code)
			default:
				t.Fatalf("killed at %s %d: %v, neither %s nor %s:\n%s", call, n, killed, number, next, out)
			}
			number = next
			said := fmt.Sprintf("%s %d", call, n)
			w.says("alice", "sent to "+bob, "send", bob, said)
			w.says("bob", "Alice: "+said, "receive")
			w.says("bob", "sent to "+number, "send", "Alice", "answer to "+said)
			w.says("alice", "answer to "+said, "receive")
		}
	}
	if kills < 8 || done == 0 || done == made-1 {
		t.Errorf("%d kills, %d of %d changes were done at once: want kills before and after the change", kills, done, made-1)
	}
	w.says("bob", "hello", "messages", "Alice")
}

// links links a computer to the account of another, which gives it no history.
func (w *town) links(who, first string) {
	w.Helper()
	link := w.program("messenger", who, "link", "--server", w.url)
	link.Stdin = strings.NewReader("yes\n")
	screen, err := link.StderrPipe()
	if err != nil {
		w.Fatal(err)
	}
	w.begin(link)
	code := regexp.MustCompile(`device add '(.*)'`)
	for lines := bufio.NewScanner(screen); lines.Scan(); {
		if m := code.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, screen) }()
			w.says(first, "is yours now.", "device", "add", m[1], "--yes")
			break
		}
	}
	if err := link.Wait(); err != nil {
		w.Fatal(err)
	}
}

// The taking over of a history is killed again and again, each time a bit later; in the end all is there, once, in order, and files can be fetched.
func TestTakingOverAHistoryKilledAtItsWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	k := killtest.New(t)
	w := newTown(t, "--limit-factor", "0")
	w.register("phone")
	const notes = 900 // no more than one answer lists
	daemon := w.daemon("phone")
	c, err := rpc.Dial(t.Context(), w.account("phone"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range notes {
		if err := c.Call(t.Context(), "send", map[string]any{"noteToSelf": true, "message": fmt.Sprintf("note %04d", n), "noWait": true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	w.kill(daemon)
	file := filepath.Join(w.dir, "file.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("kept ", 50_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("phone", 0, "send", "me", "a file", "--file", file)
	w.links("laptop", "phone")
	w.run("phone", 0, "device", "history", "2")
	kills := 0
	for n, killed := 30, true; killed; n += 1 + n/8 {
		if killed = w.killed(k, "pwrite64", n, "laptop", "receive"); killed {
			kills++
		}
	}
	if kills < 4 {
		t.Errorf("killed %d times only", kills)
	}
	out, _ := w.run("laptop", 0, "messages", "me", "--limit", "1000")
	at := 0
	for n := range notes {
		text := fmt.Sprintf("note %04d", n)
		i := strings.Index(out[at:], text)
		if i < 0 || strings.Count(out, text) != 1 {
			t.Fatalf("%q is there %d times", text, strings.Count(out, text))
		}
		at += i
	}
}
