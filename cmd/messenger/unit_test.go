//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "messenger")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	unit := func(args ...string) (string, int) {
		cmd := exec.Command(program, append([]string{"daemon", "--unit"}, args...)...)
		cmd.Env = []string{"MESSENGER_HOME=" + filepath.Join(dir, "home"), "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	secret := filepath.Join(dir, "secret")
	text, code := unit("--account", "bot", "--passphrase-file", secret)
	if want := "\nExecStart=" + program + " daemon --account bot --passphrase-file " + secret + " --home " + filepath.Join(dir, "home") + "\n"; code != 0 || !strings.Contains(text, want) {
		t.Errorf("%d, want %s in\n%s", code, want, text)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--unit wants --passphrase-file"},
		{[]string{"--passphrase-file", "two words"}, "systemd would not take this path as it is"},
		{[]string{"--passphrase-file", secret, "--home", dir + "/100%"}, "systemd would not take this path as it is"},
	} {
		if out, code := unit(c.args...); code != 2 || !strings.Contains(out, c.want) {
			t.Errorf("%v: %d\n%s", c.args, code, out)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("systemd-analyze is not installed: nobody else has read the unit")
	}
	file := filepath.Join(dir, "messenger-test.service")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := exec.Command(analyze, "verify", "--user", "--man=no", file)
	verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	if out, err := verify.CombinedOutput(); err != nil || strings.Contains(string(out), "messenger-test") {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}
