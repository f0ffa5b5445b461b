//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/tuf/durable/killtest"
)

// patience ends a test that would otherwise wait for ever.
const patience = 2 * time.Minute

// town is the real programs, a server that runs, and people with homes of their own.
type town struct {
	*testing.T
	dir, url string
	env      []string // of the programs, besides the usual
	shown    heard    // on the server's standard output
}

// heard is what a program has said so far.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// newTown starts a server with these flags.
func newTown(t *testing.T, flags ...string) *town {
	t.Helper()
	dir, err := os.MkdirTemp("", "town") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &town{T: t, dir: dir}
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), ".", "../messengerd")
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := w.program("messengerd", "server", append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)
	logs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout = &w.shown
	w.begin(server)
	found := make(chan string, 1)
	go func() {
		address := regexp.MustCompile(`msg=listening address=(\S+)`)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				found <- "http://" + m[1]
			}
		}
	}()
	select {
	case w.url = <-found:
	case <-time.After(patience):
		t.Fatal("the server does not listen")
	}
	return w
}

func (w *town) program(name, home string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(w.dir, name), args...)
	cmd.Env = append(os.Environ(), "MESSENGER_HOME="+filepath.Join(w.dir, home), "MESSENGER_CONFIG=", "MESSENGER_PASSPHRASE=correct horse")
	cmd.Env = append(cmd.Env, w.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// begin starts a program that is ended, with all its children, at the end of the test.
func (w *town) begin(cmd *exec.Cmd) {
	w.Helper()
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.kill(cmd) })
}

// kill ends a program and its children at once, and returns when they are gone: a child is nobody's to wait for.
func (w *town) kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	for end := time.Now().Add(patience); killtest.GroupLives(cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatal("it does not die")
		}
	}
}

// run runs a command of somebody's to its end.
func (w *town) run(who string, code int, args ...string) (stdout, stderr string) {
	w.Helper()
	name := "messenger"
	if who == "server" {
		name = "messengerd"
	}
	cmd := w.program(name, who, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		w.Fatalf("%s: messenger %s: %v, want exit code %d\n%s%s", who, strings.Join(args, " "), err, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// says wants a command to print something.
func (w *town) says(who, want string, args ...string) {
	w.Helper()
	out, errs := w.run(who, 0, args...)
	if args[0] == "send" && strings.Contains(out, "queued for ") { // a busy machine: it was answered before the server had it
		w.await(who+" has sent all", func() bool { status, _ := w.run(who, 0, "status"); return strings.Contains(status, " 0 queued") })
		out = strings.ReplaceAll(out, "queued for ", "sent to ")
	}
	if !strings.Contains(out, want) {
		w.Errorf("%s: messenger %s\n got %s%swant %s", who, strings.Join(args, " "), out, errs, want)
	}
}

// hears waits until somebody has received something, and reads it. With a daemon that may be a while after it was sent: the server answers a sender who has
// waited long enough for the recipient's device.
func (w *town) hears(who, want string) {
	w.Helper()
	all := ""
	w.await(who+" hears "+want, func() bool {
		out, _ := w.run(who, 0, "receive")
		all += out
		return strings.Contains(all, want)
	})
}

// register makes somebody's account and returns the number.
func (w *town) register(who string) string {
	w.Helper()
	invite, _ := w.run("server", 0, "invite")
	var r registered
	out, _ := w.run(who, 0, "register", "--json", "--server", w.url, "--invite", strings.TrimSpace(invite))
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Device != 1 {
		w.Fatal(out, err)
	}
	return r.Number
}

// daemon starts somebody's daemon and waits until it is connected.
func (w *town) daemon(who string) *exec.Cmd {
	w.Helper()
	cmd := w.program("messenger", who, "daemon")
	w.begin(cmd)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		c, err := rpc.Dial(w.Context(), filepath.Join(w.dir, who, "messenger", "data", "accounts", "default"))
		if err != nil {
			continue
		}
		var status rpc.Status
		err = c.Call(w.Context(), "status", nil, &status)
		_ = c.Close()
		if err == nil && status.Connected {
			return cmd
		}
	}
	w.Fatal(who, "gets no connection")
	return nil
}

// A walk as a new user would take it: two people on one machine, with and without a daemon.
func TestTwoPeopleOnOneMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	_, errs := w.run("alice", 3, "status")
	if want := "messenger: error: there is no account \"default\" on this computer yet\n  → messenger register makes one\n  → messenger link adds this computer to one you have\n"; errs != want {
		t.Errorf("%s", errs)
	}
	alice, bob := w.register("alice"), w.register("bob")
	w.run("alice", 0, "profile", "username", "alice")
	// Of a number that nobody has the error says so, and nothing of safety numbers.
	out, errs := w.run("bob", 1, "send", "+999000000000001", "hello?")
	if !strings.Contains(out, "NOT sent to +999000000000001: not registered with the server, or gone") || !strings.Contains(errs, "look at the number again") || strings.Contains(errs, "verify") {
		t.Errorf("%s%s", out, errs)
	}
	w.says("bob", "sent to "+alice, "send", "alice", "hello", "there")
	w.says("alice", bob+": hello there  (a request: 'messenger contacts accept "+bob+"' or block)", "receive")
	w.run("alice", 0, "contacts", "name", bob, "Bob")
	daemon := w.daemon("alice")
	w.says("alice", "sent to "+bob, "send", "Bob", "hello yourself")
	w.says("bob", "alice: hello yourself", "receive")
	// Both compare the number, and both programs show the same one.
	digits := regexp.MustCompile(`(?m)^  ([0-9 ]+)$`)
	of := func(who, whom string) string {
		out, _ := w.run(who, 0, "verify", whom)
		return fmt.Sprint(digits.FindAllString(out, -1))
	}
	if a, b := of("alice", "Bob"), of("bob", "alice"); a != b || len(a) < 60 {
		t.Error(a, b)
	}
	w.says("alice", "Done.", "verify", "Bob", "--digits", of("bob", "alice"))
	_, errs = w.run("alice", 1, "verify", "Bob", "--digits", strings.Repeat("0", 60))
	if !strings.Contains(errs, "safety numbers differ: ") || !strings.Contains(errs, "somebody may be in between") {
		t.Error(errs)
	}
	w.says("alice", "Verified, since", "verify", "Bob")
	// The daemon is killed at its hardest; what it had said was sent is there.
	w.says("bob", "sent to", "send", alice, "while you are away")
	w.kill(daemon)
	w.says("bob", "sent to", "send", alice, "and while you are gone")
	w.says("alice", "and while you are gone", "receive")
	w.says("alice", "[Bob] ", "search", "AWAY")
	w.says("alice", "while you are away", "search", "AWAY")
	// A second process is told plainly, and a second daemon.
	daemon = w.daemon("alice")
	_, errs = w.run("alice", 3, "account", "passphrase")
	if !strings.Contains(errs, "another messenger process has this account open") {
		t.Error(errs)
	}
	_, errs = w.run("alice", 3, "daemon")
	if !strings.Contains(errs, `a daemon runs for the account "default" already`) {
		t.Error(errs)
	}
	out, _ = w.run("bob", 0, "group", "create", "My choir", "alice")
	w.says("bob", "sent to", "send", strings.TrimSpace(out), "sing!") // what it prints is a name for it
	w.says("bob", "sing!", "messages", "My choir")
	w.hears("alice", "[My choir]")
	// Bob's computer burns; with the file and the words he is back on another.
	file := filepath.Join(w.dir, "backup")
	out, _ = w.run("bob", 0, "backup", "create", file)
	words := regexp.MustCompile(`(?m)^  ((?:[a-z]{5} ?){9})$`).FindStringSubmatch(out)
	if words == nil {
		t.Fatal(out)
	}
	restore := w.program("messenger", "bob2", "backup", "restore", file)
	restore.Stdin = strings.NewReader(words[1] + "\n")
	if out, err := restore.CombinedOutput(); err != nil || !strings.Contains(string(out), "You are "+bob+" again") {
		t.Fatalf("%s, %v", out, err)
	}
	w.says("bob2", "alice: hello yourself", "messages", "alice")
	w.says("bob2", "sent to", "send", "alice", "I am back")
	w.hears("alice", "Bob: I am back")
	// Alice has a second account beside the first, which knows nothing of it.
	invite, _ := w.run("server", 0, "invite")
	w.run("alice", 0, "register", "--account", "work", "--server", w.url, "--invite", strings.TrimSpace(invite))
	w.says("alice", "sent to", "send", "--account", "work", alice, "a note from work")
	w.hears("alice", "a note from work")
	if out, _ := w.run("alice", 0, "contacts", "list", "--account", "work"); strings.Contains(out, "Bob") {
		t.Error(out)
	}
	_, errs = w.run("alice", 3, "status", "--account", "hobby")
	if want := "messenger: error: there is no account \"hobby\" on this computer yet\n  → --account chooses another; here are: default, work\n  → messenger register makes one\n"; !strings.HasPrefix(errs, want) {
		t.Error(errs)
	}
	w.kill(daemon)
	w.deletes(alice)
}

// deletes walks through the end of Alice's account.
func (w *town) deletes(alice string) {
	w.Helper()
	_, errs := w.run("alice", 2, "account", "delete") // nobody types anything
	for _, want := range []string{"You are about to delete " + alice + ", for good:\n", "\n  - you stay in 1 group as somebody", "\n  - from this computer go ", "nothing was deleted: "} {
		if !strings.Contains(errs, want) {
			w.Errorf("%s\nwant %s", errs, want)
		}
	}
	typed := func(text string, code int, want string, args ...string) {
		w.Helper()
		cmd := w.program("messenger", "alice", append([]string{"account", "delete"}, args...)...)
		cmd.Stdin = strings.NewReader(text + "\n")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != code || !strings.Contains(string(out), want) {
			w.Errorf("%v, %q typed: %d, want %d, %s\n%s", args, text, cmd.ProcessState.ExitCode(), code, want, out)
		}
	}
	typed("yes", 1, `nothing was deleted: "yes" is not `+alice)
	w.says("alice", "connected", "status")
	typed(alice, 0, alice+" is deleted. 'messenger messages' and", "--keep-history")
	w.says("alice", "while you are away", "search", "AWAY")
	out, errs := w.run("alice", 0, "status")
	if want := "the account " + alice + " is deleted: what was said can be read, and nothing can be sent"; !strings.Contains(out+errs, want) {
		w.Errorf("%s%swant %s", out, errs, want)
	}
	_, errs = w.run("alice", 1, "send", "Bob", "hello?")
	if !strings.Contains(errs, "nothing can be sent") {
		w.Error(errs)
	}
	typed("", 1, "is deleted already, and what was said is kept", "--keep-history")
	typed(alice, 0, alice+" is deleted.")
	w.run("alice", 3, "status")
}

// A laptop is linked from what its screen shows.
func TestLinkingALaptop(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	number := w.register("phone")
	link := w.program("messenger", "laptop", "link", "--server", w.url, "--name", "laptop")
	link.Stdin = strings.NewReader("yes\n")
	screen, err := link.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.begin(link)
	code, digits := "", make(chan string, 1)
	lines := bufio.NewScanner(screen)
	for lines.Scan() && code == "" {
		if m := regexp.MustCompile(`device add '(.*)'`).FindStringSubmatch(lines.Text()); m != nil {
			code = m[1]
		}
	}
	go func() {
		for lines.Scan() {
			if m := regexp.MustCompile(`must show (\d{3} \d{3})\.`).FindStringSubmatch(lines.Text()); m != nil {
				digits <- m[1]
			}
		}
	}()
	out, errs := w.run("phone", 0, "device", "add", code, "--yes")
	if !strings.Contains(out, "Device 2 is yours now.") {
		t.Error(out)
	}
	if six := <-digits; !strings.Contains(errs, "The new device must show "+six+".") {
		t.Errorf("the laptop shows %s, the phone %s", six, errs)
	}
	if err := link.Wait(); err != nil {
		t.Fatal(err)
	}
	w.says("laptop", number+", device 2", "status")
	w.says("phone", "laptop", "device", "list")
	w.run("phone", 0, "send", "me", "a note")
	w.await("the note has left", func() bool { out, _ := w.run("phone", 0, "status"); return strings.Contains(out, " 0 queued") })
	w.run("laptop", 0, "receive")
	w.says("laptop", "a note", "messages", "me")
}

// A laptop is linked and gets the history, because the person has said nothing against it.
func TestLinkingALaptopWithTheHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	bob := w.register("bob")
	number := w.register("phone")
	w.says("phone", "sent to "+bob, "send", bob, "said long ago")
	link := w.program("messenger", "laptop", "link", "--server", w.url, "--name", "laptop", "--json")
	link.Stdin = strings.NewReader("yes\n")
	var out strings.Builder
	link.Stdout = &out
	screen, err := link.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.begin(link)
	code, said := "", make(chan string, 1)
	lines := bufio.NewScanner(screen)
	for lines.Scan() && code == "" {
		if m := regexp.MustCompile(`device add '(.*)'`).FindStringSubmatch(lines.Text()); m != nil {
			code = m[1]
		}
	}
	go func() {
		var all strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&all, lines.Text())
		}
		said <- all.String()
	}()
	add := w.program("messenger", "phone", "device", "add", code)
	add.Stdin = strings.NewReader("\nyes\n")
	shown, err := add.CombinedOutput()
	if err != nil || !strings.Contains(string(shown), "Give it the history, too: 1 messages, about 0.0 MB? [Yes/no] ") || !strings.HasSuffix(string(shown), "Device 2 is yours now.\n") {
		t.Fatalf("%s%v", shown, err)
	}
	all := <-said
	if err := link.Wait(); err != nil || !strings.Contains(all, "The history comes from the first device.") {
		t.Fatalf("%s%v", all, err)
	}
	var r registered
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil || r.Device != 2 || r.Number != number {
		t.Errorf("%s%v", out.String(), err)
	}
	w.says("laptop", "you: said long ago", "messages", bob)
	w.says("phone", "The history is on its way.", "device", "history", "2")
	if _, errs := w.run("phone", 2, "device", "history", "9"); !strings.Contains(errs, "there is no device 9 that you have signed for") {
		t.Error(errs)
	}
	if _, errs := w.run("laptop", 2, "device", "history", "2"); !strings.Contains(errs, "this is device 2: the history comes from the account's first device") {
		t.Error(errs)
	}
}

// A daemon that was started too early takes the account up as soon as there is one. Who follows what arrives outlives the daemon's restart.
func TestDaemonBeforeItsAccount(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	daemon := w.logged("alice")
	w.await("the daemon waits", func() bool {
		log, _ := os.ReadFile(filepath.Join(w.dir, "alice.log"))
		return strings.Contains(string(log), "no account here yet")
	})
	number := w.register("alice")
	w.connected("alice").Close()
	w.await("the daemon has the account", func() bool {
		out, _ := w.run("alice", 0, "status")
		return strings.Contains(out, number+", device 1, at "+w.url+": connected, 0 queued")
	})

	w.register("bob")
	follow := w.program("messenger", "alice", "receive", "--follow")
	path := filepath.Join(w.dir, "followed")
	shown, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	follow.Stdout, follow.Stderr = shown, shown
	w.begin(follow)
	shows := func(what string) {
		t.Helper()
		w.await(what, func() bool { b, _ := os.ReadFile(path); return strings.Count(string(b), what) == 1 })
	}
	w.run("bob", 0, "send", number, "before")
	shows(": before")
	w.kill(daemon)
	shows("the daemon has ended the connection; waiting for it to come back")
	w.run("bob", 0, "send", number, "meanwhile")
	w.logged("alice")
	shows(": meanwhile")
	w.run("bob", 0, "send", number, "after")
	shows(": after")
}
