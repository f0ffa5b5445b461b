//go:build linux

package main

import (
	"strings"
	"testing"
)

// A number of one's own: its operator vouches for it with a code, and again when it changes. Two accounts live on one computer, and one goes.
func TestANumberOfOnesOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	const number, next = "+14155550100", "+14155550101"
	w := newTown(t)
	code := func(number string) string {
		out, _ := w.run("server", 0, "invite", "--number", number)
		return strings.TrimSpace(out)
	}
	right := code(number)
	_, errs := w.run("alice", 1, "register", "--server", w.url, "--number", number, "--code", "000000")
	if want := "messenger: refused: the server says: wrong code, or one that has expired (403)\n"; errs != want {
		t.Errorf("got %swant %s", errs, want)
	}
	w.says("alice", "You are "+number+".", "register", "--server", w.url, "--number", number, "--code", right)
	_, errs = w.run("alice", 1, "register", "--server", w.url, "--number", next, "--code", code(next))
	if !strings.Contains(errs, `there is an account "default" on this computer already`) || !strings.Contains(errs, "--account NAME makes another one beside it") {
		t.Error(errs)
	}
	bob := w.register("bob")
	w.says("bob", "sent to "+number, "send", number, "before")
	w.says("alice", "before", "receive")
	w.says("alice", "sent to "+bob, "send", bob, "I am Alice")
	w.says("bob", "I am Alice", "receive")
	w.run("bob", 0, "contacts", "name", number, "Alice")
	w.says("bob", "sent to "+number, "send", "Alice", "waiting for you")
	daemon := w.daemon("alice") // it need not be stopped
	w.run("alice", 1, "account", "number", next, "--code", "000000")
	w.says("alice", number+", device 1", "status")
	w.says("alice", "You are "+next+" now.", "account", "number", next, "--code", code(next))
	w.says("alice", next+", device 1", "status")
	w.await("everybody is told", func() bool { out, _ := w.run("alice", 0, "status"); return strings.Contains(out, " 0 queued") })
	w.await("what waited has come", func() bool {
		out, _ := w.run("alice", 0, "messages", bob)
		return strings.Contains(out, "waiting for you")
	})
	w.kill(daemon)
	w.says("alice", "waiting for you", "messages", bob)
	// Bob's messenger knows the key, and goes on with Alice under the new number.
	w.run("bob", 0, "receive")
	w.says("bob", "Alice has another number now: "+next+" instead of "+number+". The key is the same.", "messages", next)
	w.says("bob", "sent to "+next, "send", "Alice", "after")
	w.says("alice", "after", "receive")
	w.says("bob", "waiting for you", "messages", next)
	// The old number is free: it is another account's, beside the first.
	w.says("alice", "You are "+number+".", "register", "--account", "second", "--server", w.url, "--number", number, "--code", code(number))
	w.says("alice", number+" is deleted.", "account", "delete", "--account", "second", "--yes")
	w.says("alice", next+", device 1", "status")
	// Somebody who registers another's number has another key, which Bob is told where he reads what is written to him.
	const carol = "+14155550102"
	w.says("carol", carol, "register", "--server", w.url, "--number", carol, "--code", code(carol))
	w.says("carol", "sent to "+bob, "send", bob, "it is me")
	w.says("bob", "it is me", "receive")
	w.says("mallory", carol, "register", "--server", w.url, "--number", carol, "--code", code(carol))
	w.says("mallory", "sent to "+bob, "send", bob, "it is me again")
	out, _ := w.run("bob", 0, "receive")
	told := strings.Index(out, "["+carol+"] ")
	if changed := strings.Index(out, "-- The safety number has changed: a new device, or somebody in between.\n"); told < 0 || changed < told || strings.Index(out, "it is me again") < changed {
		t.Errorf("%s", out)
	}
	if out, _ = w.run("bob", 0, "receive"); out != "" {
		t.Errorf("told twice: %s", out)
	}
}
