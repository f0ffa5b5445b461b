//go:build linux

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A daemon whose device is not known any more says so, and goes on showing what it has.
func TestADaemonWithoutAnAccount(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	alice := w.register("alice")
	w.says("alice", "", "send", "me", "remember the milk")
	file := filepath.Join(w.dir, "backup")
	out, _ := w.run("alice", 0, "backup", "create", file)
	words := regexp.MustCompile(`(?m)^  ((?:[a-z]{5} ?){9})$`).FindStringSubmatch(out)
	if words == nil {
		t.Fatal(out)
	}
	daemon := w.daemon("alice")
	restore := w.program("messenger", "alice2", "backup", "restore", file)
	restore.Stdin = strings.NewReader(words[1] + "\n")
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	w.says("alice2", alice+" is deleted.", "account", "delete", "--yes")
	told := ""
	for end := time.Now().Add(patience); !strings.Contains(told, "registered anew on another device, or the account was deleted"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it says: %s", told)
		}
		told, _ = w.run("alice", 0, "status")
	}
	if !strings.Contains(told, "not connected") || !strings.Contains(told, "to be saved with a backup.") {
		t.Error(told)
	}
	w.says("alice", "remember the milk", "messages", "me")
	w.says("alice", "the server does not know this device any more", "messages", "me")
	w.kill(daemon)
}
