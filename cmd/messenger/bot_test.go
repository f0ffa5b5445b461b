//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The bot of the README is taken from there and run, without a daemon and with one.
func TestBotOfTheREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("python3 is not installed: nobody tries the bot here")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	bots := regexp.MustCompile("(?s)```python\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(bots) != 1 {
		t.Fatalf("%d bots in the README, want one", len(bots))
	}
	if lines := strings.Count(string(bots[0][1]), "\n"); lines > 10 {
		t.Errorf("a bot of %d lines, want ten", lines)
	}
	w := newTown(t)
	file := filepath.Join(w.dir, "bot.py")
	if err := os.WriteFile(file, bots[0][1], 0o600); err != nil {
		t.Fatal(err)
	}
	w.register("alice")
	bot := w.register("bot")
	w.daemon("alice")
	for _, text := range []string{"alone", "with a daemon"} {
		if text != "alone" {
			w.daemon("bot")
		}
		cmd := w.program("messenger", "bot", "rpc") // for its environment
		cmd.Path, cmd.Args = python, []string{python, file}
		cmd.Env = append(cmd.Env, "PATH="+w.dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
		var said strings.Builder
		cmd.Stderr = &said
		t.Cleanup(func() { // after it has ended
			if t.Failed() {
				t.Logf("the bot: %s", &said)
			}
		})
		w.begin(cmd)
		w.await("the bot's answer", func() bool { // a bot is not told of what came before it
			w.says("alice", "sent to "+bot, "send", bot, text)
			out, _ := w.run("alice", 0, "messages", bot)
			return strings.Contains(out, "you said: "+text)
		})
		w.kill(cmd)
	}
}

// The manual of 'messenger rpc' names every method there is.
func TestManualOfMethods(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	w.register("alice")
	for _, daemon := range []bool{false, true} {
		if daemon {
			w.daemon("alice")
		}
		cmd := w.program("messenger", "alice", "rpc")
		cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":"list","method":"methods"}` + "\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			ID     string
			Result []string
		}
		for line := range strings.Lines(string(out)) {
			if json.Unmarshal([]byte(line), &answer) == nil && answer.ID == "list" {
				break
			}
		}
		if len(answer.Result) < 40 {
			t.Errorf("only %d methods: %s", len(answer.Result), out)
		}
		for _, name := range answer.Result {
			if !regexp.MustCompile(`\b` + name + `\b`).MatchString(rpcHelp) {
				t.Errorf("the manual does not name %s", name)
			}
		}
	}
}
