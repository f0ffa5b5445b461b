//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Files between two people, as scripts send and save them, with a daemon and without.
func TestFilesByCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	alice, bob := w.register("alice"), w.register("bob")
	film, content := filepath.Join(w.dir, "film.bin"), bytes.Repeat([]byte("film"), 3<<20)
	if err := os.WriteFile(film, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, daemon := range []bool{false, true} {
		if daemon {
			w.daemon("alice")
			w.daemon("bob")
		}
		out, errs := w.run("alice", 0, "send", bob, "look", "--file", film, "--json")
		var sent struct{ Results []struct{ Type string } }
		if err := json.Unmarshal([]byte(out), &sent); err != nil || len(sent.Results) != 1 || sent.Results[0].Type != "SUCCESS" || errs != "" {
			t.Errorf("%s%s%v", out, errs, err)
		}
		w.hears("bob", ": look")
		id := w.newestFile("bob", alice)
		dir := filepath.Join(w.dir, "downloads")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if !daemon { // with no room for it
			save := w.program("messenger", "bob", "save", id, "--dir", dir)
			limited := exec.Command("sh", "-c", `ulimit -f 8192; exec "$@"`, "sh", save.Path, "save", id, "--dir", dir)
			limited.Env = save.Env
			out, err := limited.CombinedOutput()
			if limited.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "there is no room left on the disk; make some, and do it again: ") {
				t.Errorf("%s%v", out, err)
			}
			if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
				t.Errorf("left behind: %v, %v", left, err)
			}
		}
		out, errs = w.run("bob", 0, "save", id, "--dir", dir, "--json")
		var saved struct{ Path string }
		if err := json.Unmarshal([]byte(out), &saved); err != nil || errs != "" {
			t.Errorf("%s%s%v", out, errs, err)
		}
		if b, err := os.ReadFile(saved.Path); err != nil || !bytes.Equal(b, content) {
			t.Errorf("saved another file: %v", err)
		}
		// A note to herself holds it, too.
		w.says("alice", "noted: nobody else gets it", "send", "me", "--file", film)
		out, _ = w.run("alice", 0, "save", w.newestFile("alice", "me"), "--dir", dir)
		if b, err := os.ReadFile(strings.TrimSpace(out)); err != nil || !bytes.Equal(b, content) {
			t.Errorf("the note has another file: %v", err)
		}
		// What cannot be sent is wrong usage, and nothing is.
		long := filepath.Join(w.dir, "long.bin")
		if err := os.WriteFile(long, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(long, 2<<30); err != nil {
			t.Fatal(err)
		}
		if _, errs := w.run("alice", 2, "send", bob, "--file", long); !strings.Contains(errs, long+" has 2147483648 bytes, want at most 104857600: ") {
			t.Error(errs)
		}
		w.run("alice", 2, "send", bob, "--file", filepath.Join(w.dir, "none"))
	}
}

// newestFile is the number of the newest file in a conversation.
func (w *town) newestFile(who, with string) string {
	w.Helper()
	out, _ := w.run(who, 0, "messages", with)
	const mark = "[file "
	at := strings.LastIndex(out, mark)
	if at < 0 {
		w.Fatal("no file: ", out)
	}
	id, _, _ := strings.Cut(out[at+len(mark):], " ")
	return id
}
