//go:build linux

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/keyring"
	"github.com/countersign-project/countersign/messenger/store"
)

// privateBus is a session bus that starts no services: none of the machine's answers here.
const privateBus = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=%DIR%</listen>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// desktop is where somebody is logged in: a session bus, and a keyring on it, as Debian has them.
type desktop struct {
	*town
	bus string
}

func (w *town) newDesktop() *desktop {
	w.Helper()
	for _, program := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				w.Fatal(err)
			}
			w.Skipf("%s is not installed: no real keyring has opened an account (apt-get install dbus-daemon gnome-keyring)", program)
		}
	}
	conf := filepath.Join(w.dir, "bus.conf")
	if err := os.WriteFile(conf, []byte(strings.Replace(privateBus, "%DIR%", w.dir, 1)), 0o600); err != nil {
		w.Fatal(err)
	}
	bus := w.private("dbus-daemon", "--config-file="+conf, "--nofork", "--print-address=1")
	out, err := bus.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	w.begin(bus)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		w.Fatal("the bus tells no address", lines.Err())
	}
	d := &desktop{w, lines.Text()}
	w.env = []string{"DBUS_SESSION_BUS_ADDRESS=" + d.bus, "MESSENGER_PASSPHRASE="}
	return d
}

// private is a program of the system's that sees a home of its own.
func (w *town) private(name string, args ...string) *exec.Cmd {
	cmd := w.program("", "", args...)
	path, err := exec.LookPath(name)
	if err != nil {
		w.Fatal(err)
	}
	cmd.Path, cmd.Args[0] = path, name
	home := filepath.Join(w.dir, "desktop")
	if err := os.MkdirAll(home, 0o700); err != nil {
		w.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_DATA_HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home)
	return cmd
}

// logIn starts the keyring, which opens with the person's own password.
func (d *desktop) logIn() *exec.Cmd {
	d.Helper()
	ring := d.private("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	ring.Stdin = strings.NewReader("the password one logs in with")
	d.begin(ring)
	return ring
}

// eventually runs a command until the keyring answers it.
func (d *desktop) eventually(who string, args ...string) string {
	d.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		cmd := d.program("messenger", who, args...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return string(out)
		}
		if !strings.Contains(string(out), "no keyring answers here") {
			d.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	d.Fatal("the keyring does not come up")
	return ""
}

// A real keyring opens the account: for commands and the daemon, after the next log-in too, beside the passphrase or alone. Where there is none, nothing
// is made that nobody could open.
func TestAKeyringOpensTheAccount(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	d := w.newDesktop()
	dir := filepath.Join(w.dir, "alice", "messenger", "data", "accounts", "default")
	invite, _ := w.run("server", 0, "invite")
	register := []string{"register", "--keyring", "--server", w.url, "--invite", strings.TrimSpace(invite)}
	_, errs := w.run("alice", 3, register...)
	if !strings.Contains(errs, "messenger: error: no keyring answers here: ") || !strings.Contains(errs, "→ over ssh, and in services that start before you log in, there is none: use a passphrase there") {
		t.Error(errs)
	}
	if store.Exists(dir) {
		t.Fatal("an account was made that nothing opens")
	}
	ring := d.logIn()
	d.eventually("alice", register...)
	const alone = "The keyring opens the account, and nothing else does: keep a backup.\n"
	w.says("alice", alone, "account", "keyring", "status")
	w.says("alice", "device 1", "status")
	daemon := w.daemon("alice")
	w.says("alice", alone, "account", "keyring", "status")
	w.kill(daemon)

	// The next day.
	w.kill(ring)
	_, errs = w.run("alice", 3, "account", "keyring", "status")
	if !strings.Contains(errs, "no keyring answers here") {
		t.Error(errs)
	}
	w.run("alice", 3, "status")
	ring = d.logIn()
	d.eventually("alice", "account", "keyring", "status")
	w.says("alice", "device 1", "status")

	// A passphrase instead of it.
	secret := filepath.Join(w.dir, "secret")
	if err := os.WriteFile(secret, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs = w.run("alice", 1, "account", "passphrase", "--new-passphrase-file", secret)
	if !strings.Contains(errs, "refused: this account has no passphrase: the keyring opens it\n  → messenger account keyring off gives it one") {
		t.Error(errs)
	}
	w.run("alice", 2, "status", "--passphrase-file", secret)
	w.run("alice", 2, "account", "keyring", "off") // nobody is there to choose one
	w.says("alice", alone, "account", "keyring", "status")
	w.run("alice", 1, "account", "keyring", "on", "--keep-passphrase")
	w.says("alice", "ExecStart=", "daemon", "--unit")
	w.says("alice", "The passphrase opens the account; the keyring does not.", "account", "keyring", "off", "--new-passphrase-file", secret)
	w.run("alice", 2, "status")
	w.run("alice", 2, "daemon", "--unit")
	w.says("alice", "device 1", "status", "--passphrase-file", secret)

	// Both.
	w.says("alice", "The keyring opens the account, and so does the passphrase.", "account", "keyring", "on", "--keep-passphrase", "--passphrase-file", secret)
	locks, err := store.ReadLocks(t.Context(), dir)
	if err != nil || locks.Keyring == "" {
		t.Fatal(locks, err)
	}
	w.says("alice", "device 1", "status")
	w.kill(ring)
	w.says("alice", "device 1", "status", "--passphrase-file", secret)
	_, errs = w.run("alice", 2, "status") // nobody is there to type it
	if !strings.Contains(errs, "the keyring does not open the account (no keyring answers here: ") {
		t.Error(errs)
	}
	d.logIn()
	d.eventually("alice", "account", "keyring", "status")

	// The account goes, and its key with it.
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", d.bus)
	system := keyring.System{Getenv: os.Getenv, Patience: patience}
	if _, err := system.Get(t.Context(), locks.Keyring); err != nil {
		t.Error(err)
	}
	w.run("alice", 0, "account", "delete", "--yes")
	if _, err := system.Get(t.Context(), locks.Keyring); !errors.Is(err, keyring.ErrNone) {
		t.Error("the key of a deleted account:", err)
	}
}
