package tui_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// Two people talk, each at a screen, over a real server.
func TestTwoPeopleTalk(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("Alice"), w.person("Bob")
	a := alice.screen("", 110, 24)
	a.shows("go to:", alice.number)
	a.enters(bob.number)
	a.shows("> write here", "unverified")
	a.enters("hello Bob")
	a.shows("you: hello Bob  (sent)") // a stranger is not told more
	b := bob.screen("", 110, 24)
	a.beside, b.beside = b, a
	b.shows("request (1)")
	b.press("down", "up", "enter")
	b.shows("Alice: hello Bob", "REQUEST: /accept or /block")
	b.enters("/accept")
	b.hides("REQUEST")
	a.enters("still there?")
	a.shows("still there?  (read)")
	b.types("so")
	a.shows(bob.number + " is writing…") // his name comes with what he writes
	b.enters(" it works")
	a.shows("Bob: so it works")
	a.hides("is writing")
	b.shows("so it works  (read)")
	// An answer, a reaction, another text, and nothing of it after all.
	a.enters("/reply it does")
	b.shows("Alice: ↳ to you: “so it works”", "it does")
	b.enters("/react +1")
	a.shows("👍 Bob")
	b.shows("👍 you") // or else he would only say it again
	b.enters("/react +1")
	a.hides("👍")
	a.enters("/edit")
	a.shows("changing what you wrote", "> it does")
	a.enters(", really")
	b.shows("it does, really  (edited)")
	a.enters("/delete")
	a.shows("[e] take it back from everybody")
	a.types("e")
	b.shows("Alice: (deleted)")
	a.shows("you: (deleted)")
	// A file goes there and is saved.
	dir := t.TempDir()
	path := filepath.Join(dir, "note.txt")
	if err := os.WriteFile(path, []byte("remember"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.enters("/file " + path)
	b.shows("note.txt, 8 bytes")
	b.enters("/save " + filepath.Join(dir, "nowhere"))
	b.shows("no such file or directory")
	saved := filepath.Join(dir, "saved")
	if err := os.Mkdir(saved, 0o700); err != nil {
		t.Fatal(err)
	}
	b.enters("/save " + saved)
	b.shows("saved as")
	if got, err := os.ReadFile(filepath.Join(saved, "note.txt")); err != nil || string(got) != "remember" {
		t.Error(string(got), err)
	}
	// Messages disappear from now on, and both are told.
	a.enters("/timer 1h")
	a.shows("disappears after 1 hour")
	b.shows("disappears after 1 hour")
	a.enters("soon gone")
	b.shows("soon gone")
	a.enters("/search hello")
	a.shows("1 found")
	a.press("enter")
	a.shows("▌ ")
	// They compare.
	digits := alice.digits(bob.number)
	a.enters("/verify")
	a.shows("safety number with Bob", digits[:23])
	a.enters("/verify " + digits)
	a.shows("Bob · verified")
	for _, s := range []*screen{a, b} {
		s.tame()
		if s.quit {
			t.Error("it has ended before anybody said so")
		}
		s.enters("/quit")
		s.until("it ends", func() bool { return s.quit })
	}
}

func (p *person) digits(of string) string {
	p.Helper()
	var list []struct{ SafetyNumber string }
	p.does("listIdentities", map[string]any{"recipient": of}, &list)
	return list[0].SafetyNumber
}

// The daemon becomes another version: what is written meanwhile goes out once, what was said meanwhile is there.
func TestTheDaemonRestarts(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("Alice"), w.person("Bob")
	a := alice.screen(bob.number, 110, 24)
	a.enters("before")
	a.shows("before  (sent)")
	bob.does("send", map[string]any{"recipient": alice.number, "message": "yes?"}, nil)
	a.shows("Bob: yes?")
	alice.stop()
	a.shows("the daemon has ended the connection; waiting for it to come back")
	a.enters("meanwhile")
	a.shows("meanwhile  (not handed to the daemon yet)")
	bob.does("send", map[string]any{"recipient": alice.number, "message": "are you there?"}, nil)
	alice.again("1.5.0")
	a.shows("the daemon is back, and is version 1.5.0 now", "meanwhile  (delivered)", "are you there?")
	a.hides("not handed")
	a.enters("after")
	a.shows("after  (delivered)")
	bob.does("send", map[string]any{"recipient": alice.number, "message": "good"}, nil)
	a.shows("Bob: good")
	var list []*history.Message
	bob.does("listMessages", map[string]any{"recipient": alice.number}, &list)
	n := 0
	for _, m := range list {
		if m.Body == "meanwhile" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("Bob has it %d times", n)
	}
}
