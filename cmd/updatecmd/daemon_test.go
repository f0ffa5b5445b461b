//go:build linux

package updatecmd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// terminal is a terminal of its own: the end of a person, and the end of a program.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// begin starts a program that is ended, with its children, at the end of the test, and writes into a log.
func (m *machine) begin(name string, stdin *os.File, environ []string, program string, args ...string) *exec.Cmd {
	m.t.Helper()
	log, err := os.Create(filepath.Join(m.dir, name))
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, log, log
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		log.Close()
		if m.t.Failed() {
			b, _ := os.ReadFile(log.Name())
			m.t.Logf("%s:\n%s", name, b)
		}
	})
	return cmd
}

// person is somebody's environment, with a home and a passphrase.
func (m *machine) person(name string) []string {
	return []string{"MESSENGER_HOME=" + filepath.Join(m.dir, name), "HOME=" + m.dir, "PATH=" + os.Getenv("PATH"), "MESSENGER_PASSPHRASE=correct horse"}
}

// does runs a command of somebody's.
func (m *machine) does(environ []string, program string, args ...string) string {
	m.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = environ
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// register makes somebody's account.
func (m *machine) register(server, messenger, url, who string) (number string) {
	m.t.Helper()
	invite := strings.TrimSpace(m.does(m.environ(), server, "invite", "--quiet"))
	var r struct{ Number string }
	out := m.does(m.person(who), messenger, "register", "--json", "--server", url, "--invite", invite)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		m.t.Fatal(out, err)
	}
	return r.Number
}

// answers asks a daemon over its socket which version it is; "" when it does not answer.
func (m *machine) answers(who string) string {
	c, err := rpc.Dial(m.t.Context(), filepath.Join(m.dir, who, "messenger", "data", "accounts", "default"))
	if err != nil {
		return ""
	}
	defer c.Close()
	var s rpc.Status
	if c.Call(m.t.Context(), "status", nil, &s) != nil || !s.Connected {
		return ""
	}
	return s.Version
}

// TestDaemonUpdatesItself is the life of a messenger whose person typed the passphrase once. A new version comes, twice: one that works, and one that
// every auditor vouches for and that does not.
func TestDaemonUpdatesItself(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the real programs five times")
	}
	m := newMachine(t)
	server, base := m.build("messengerd", "1.0.0"), m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, server, base)
	m.staysAsItIs(server)
	m.begin("server.log", nil, m.environ(), server, "serve", "--listen", "127.0.0.1:0")
	serverLog, log := filepath.Join(m.dir, "server.log"), filepath.Join(m.dir, "alice.log")
	m.until(serverLog, "the server works", func() bool { return m.health(serverLog) == "1.0.0" })
	b, err := os.ReadFile(serverLog)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + string(listening.FindSubmatch(b)[1])
	alice, bob := m.register(server, base, url, "alice"), m.register(server, base, url, "bob")
	m.does(m.person("bob"), base, "send", alice, "are you there?")

	keys, screen := terminal(t)
	daemon := m.begin("alice.log", screen, m.person("alice")[:3], base, "daemon", "--check-every", "1s") // without the passphrase
	m.until(log, "the passphrase is asked for", func() bool { b, _ := os.ReadFile(log); return strings.Contains(string(b), "Passphrase: ") })
	if _, err := io.WriteString(keys, "correct horse\n"); err != nil {
		t.Fatal(err)
	}
	m.until(log, "1.0.0 works", func() bool { return m.answers("alice") == "1.0.0" })

	bot := m.bot(base, "alice")
	next := m.build("messenger", "1.1.0")
	m.publish("1.1.0", nil, next, m.build("messengerd", "1.1.0"))
	said := 0
	for end := time.Now().Add(patience); m.answers("alice") != "1.1.0"; { // all the time, before, during and after
		said++
		m.does(m.person("bob"), base, "send", alice, fmt.Sprintf("number %d.", said))
		if time.Now().After(end) {
			t.Fatal("1.1.0 does not work")
		}
	}
	said++
	m.does(m.person("bob"), base, "send", alice, fmt.Sprintf("number %d.", said))
	m.has(log, alice, bob, base, said)
	home := filepath.Join(m.dir, "alice", "messenger", "versions")
	m.until(log, "the parent is 1.1.0", func() bool {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", daemon.Process.Pid))
		return exe == filepath.Join(home, "1.1.0", "messenger")
	})
	const who = "genuine: countersigned by Ana Sousa (Tejo Labs, PT), Bernd Kraus (Spree Verein, DE), Carol Reed (Hudson Co-op, US)"
	if about := m.does(m.person("alice"), base, "about"); !strings.HasPrefix(about, "you are running messenger 1.1.0 (linux/") || !strings.Contains(about, who) {
		t.Error(about)
	}

	// Its probe is well, and it is what everybody signed; only the daemon does not come up.
	useless := m.broken("messenger", "1.2.0")
	m.publish("1.2.0", nil, useless, m.build("messengerd", "1.2.0"))
	m.until(log, "1.2.0 is given up", func() bool { b, _ := os.ReadFile(log); return strings.Contains(string(b), "returned to 1.1.0") })
	m.until(log, "1.1.0 is back", func() bool { return m.answers("alice") == "1.1.0" })
	about := m.does(m.person("alice"), base, "about")
	if !strings.HasPrefix(about, "you are running messenger 1.1.0 (linux/") || !strings.Contains(about, "1.2.0 is held: it ended with exit code 3 before it was healthy") {
		t.Errorf("want that 1.2.0 is held, and why:\n%s", about)
	}
	said++
	m.does(m.person("bob"), base, "send", alice, fmt.Sprintf("number %d.", said))
	m.has(log, alice, bob, base, said)
	bot.was(said)

	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Wait(); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(log); strings.Count(string(b), "Passphrase: ") != 1 {
		t.Error("the passphrase was asked for again")
	}
}

// bot is a program that was started once, before all updates: what it was told, and what it is answered.
type bot struct {
	m     *machine
	in    io.WriteCloser
	lines chan string
}

// bot starts 'messenger rpc' for somebody's program, and waits until it works.
func (m *machine) bot(program, who string) *bot {
	m.t.Helper()
	cmd := exec.Command(program, "rpc")
	cmd.Env = m.person(who)
	in, err := cmd.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	b := &bot{m, in, make(chan string, 100_000)}
	go func() {
		defer close(b.lines)
		for all := bufio.NewScanner(out); all.Scan(); {
			b.lines <- all.Text()
		}
	}()
	b.asks("version")
	return b
}

// asks waits for an answer, and returns what was told before it.
func (b *bot) asks(method string) (told, answer string) {
	b.m.t.Helper()
	if _, err := fmt.Fprintf(b.in, `{"jsonrpc":"2.0","id":"%s","method":"%[1]s"}`+"\n", method); err != nil {
		b.m.t.Fatal(err)
	}
	for line := range b.lines {
		if strings.Contains(line, `"id":"`+method+`"`) {
			return told, line
		}
		if strings.Contains(line, `"method":"receive"`) {
			told += line + "\n"
		}
	}
	b.m.t.Fatal("the program's pipe has ended")
	return "", ""
}

// was wants it to have been told of so many messages, each once, in order, and to be answered by the version that works now.
func (b *bot) was(n int) {
	b.m.t.Helper()
	told, answer := b.asks("version")
	for end := time.Now().Add(patience); !strings.Contains(told, fmt.Sprintf("number %d.", n)); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.m.t.Fatalf("the program was told %s", told)
		}
		more, _ := b.asks("status")
		told += more
	}
	for at, one := range regexp.MustCompile(`number (\d+)\.`).FindAllStringSubmatch(told, -1) {
		if one[1] != fmt.Sprint(at+1) {
			b.m.t.Fatalf("the program was told of message %s as the %dth", one[1], at+1)
		}
	}
	if !strings.Contains(answer, `"version":"1.1.0"`) {
		b.m.t.Error(answer)
	}
}

// has wants Alice to have every message of Bob's once, in order.
func (m *machine) has(log, alice, bob, messenger string, n int) {
	m.t.Helper()
	numbers := regexp.MustCompile(`number (\d+)\.`)
	var want, got string
	for i := range n {
		want += fmt.Sprintf("number %d. ", i+1)
	}
	m.until(log, fmt.Sprintf("%d messages, each once", n), func() bool {
		got = strings.Join(numbers.FindAllString(m.does(m.person("alice"), messenger, "messages", "--limit", "1000", bob), -1), " ") + " "
		return len(got) >= len(want)
	})
	if got != want {
		m.t.Errorf("Alice has %s", got)
	}
}

// broken builds a version whose daemon ends at once.
func (m *machine) broken(program, version string) string {
	m.t.Helper()
	source, err := filepath.Abs("../messenger/daemon.go")
	if err != nil {
		m.t.Fatal(err)
	}
	b, err := os.ReadFile(source)
	if err != nil {
		m.t.Fatal(err)
	}
	const works, not = "l, err := rpc.Listen(dir)", `l, err := rpc.Listen(dir + "/nowhere")`
	if strings.Count(string(b), works) != 1 {
		m.t.Fatalf("%s has no %q", source, works)
	}
	m.overlay[source] = m.write("broken.go", []byte(strings.Replace(string(b), works, not, 1)))
	defer delete(m.overlay, source)
	return m.build(program, version)
}
