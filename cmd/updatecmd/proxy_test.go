//go:build linux

package updatecmd_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/remote/sockstest"
)

// trap is a place where nobody is to go: it counts those who come.
type trap struct {
	net.Listener
	came atomic.Int32
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &trap{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.came.Add(1)
			_ = c.Close()
		}
	}()
	return p
}

// What the command does while it cannot know how to go: it says so, and fetches nothing.
func TestNoUpdateWithoutAWay(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the real programs")
	}
	m := newMachine(t)
	server, base := m.build("messengerd", "1.0.0"), m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, base)
	m.begin("server.log", nil, m.environ(), server, "serve", "--listen", "127.0.0.1:0")
	serverLog := filepath.Join(m.dir, "server.log")
	m.until(serverLog, "the server works", func() bool { return m.health(serverLog) == "1.0.0" })
	b, err := os.ReadFile(serverLog)
	if err != nil {
		t.Fatal(err)
	}
	proxy := sockstest.New(t, string(listening.FindSubmatch(b)[1]))
	proxy.Lead("mirror.invalid:80", strings.TrimPrefix(m.mirror.URL, "http://"))
	invite := strings.TrimSpace(m.does(m.environ(), server, "invite", "--quiet"))
	m.does(m.person("bob"), base, "register", "--server", "http://countersign.onion", "--proxy", "socks5://bob:geheim@"+proxy.Address(), "--invite", invite)
	note := filepath.Join(m.dir, "bob", "messenger", "data", "accounts", "default", "account.db.route")
	if b, err := os.ReadFile(note); err != nil || string(b) != "sealed" {
		t.Errorf("the note says %q, %v", b, err)
	}
	proxy.Take()
	check := func(code int, want string, more ...string) {
		t.Helper()
		m.home = filepath.Join(m.dir, "bob")
		out, errs, got := m.run(base, append([]string{"update", "--check", "--repository", "http://mirror.invalid"}, more...)...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("update --check %s: exit code %d, want %d and %q\n%s%s", strings.Join(more, " "), got, code, want, out, errs)
		}
	}
	check(3, `updates go the way the account "default" goes: the account's proxy wants a password, which is sealed with the account`)
	if err := os.Remove(note); err != nil { // as if an older program had made the account
		t.Fatal(err)
	}
	check(3, `updates go the way the account "default" goes: how this account goes to the network is not known before it was opened once`)
	check(2, `--proxy: want socks5://host:port, or "none"`, "--proxy", "127.0.0.1:9050")
	if got := proxy.Take(); len(got) > 0 {
		t.Errorf("the proxy was asked for %v", got)
	}
	m.does(m.person("bob"), base, "status")
	check(3, "which is sealed with the account")
	check(0, "version 1.0.0 is the newest there is", "--proxy", "socks5://bob:geheim@"+proxy.Address())
}

// Somebody reaches his server only through a proxy. So do his updates: those of the command, with the account sealed, and those of the daemon, which becomes
// the new version. Neither a name is looked up nor anything else asked, not the proxy that the environment names, also not when the account's is gone.
func TestUpdatesGoTheWayTheAccountGoes(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the real programs three times")
	}
	sockstest.Strace(t)
	m := newMachine(t)
	server, base := m.build("messengerd", "1.0.0"), m.build("messenger", "1.0.0")
	m.publish("1.0.0", nil, base)
	m.begin("server.log", nil, m.environ(), server, "serve", "--listen", "127.0.0.1:0")
	serverLog, log := filepath.Join(m.dir, "server.log"), filepath.Join(m.dir, "alice.log")
	m.until(serverLog, "the server works", func() bool { return m.health(serverLog) == "1.0.0" })
	b, err := os.ReadFile(serverLog)
	if err != nil {
		t.Fatal(err)
	}
	const home, mirror = "countersign.onion:80", "mirror.invalid:80"
	proxy, other := sockstest.New(t, "127.0.0.1:1"), newTrap(t)
	proxy.Lead(home, string(listening.FindSubmatch(b)[1]))
	proxy.Lead(mirror, strings.TrimPrefix(m.mirror.URL, "http://"))
	through := []string{proxy.Port()}
	sealed := append(m.person("alice")[:3], "HTTP_PROXY=http://"+other.Addr().String(), "HTTPS_PROXY=http://"+other.Addr().String()) // without the passphrase
	alice := append(slices.Clone(sealed), "MESSENGER_PASSPHRASE=correct horse")
	invite := strings.TrimSpace(m.does(m.environ(), server, "invite", "--quiet"))
	m.does(alice, base, "register", "--server", "http://"+strings.TrimSuffix(home, ":80"), "--proxy", proxy.URL(), "--invite", invite)
	check := func(code int, want string, more ...string) (ports []string) {
		t.Helper()
		cmd := exec.Command(base, append([]string{"update", "--check", "--repository", "http://mirror.invalid"}, more...)...)
		cmd.Env = sealed
		out, ports, err := sockstest.Watch(t, cmd)
		if cmd.ProcessState.ExitCode() != code || !strings.Contains(out, want) {
			t.Errorf("update --check %s: %v, want exit code %d and %q\n%s", strings.Join(more, " "), err, code, want, out)
		}
		return ports
	}

	proxy.Take()
	if ports := check(0, "version 1.0.0 is the newest there is"); !slices.Equal(ports, through) {
		t.Errorf("the command connects to the ports %v, want %v", ports, through)
	}
	if got := proxy.Ways(); !slices.Equal(got, []string{mirror}) {
		t.Errorf("for the command the proxy was asked for %v", got)
	}

	m.begin("alice.log", nil, alice, base, "daemon", "--check-every", "1s", "--repository", "http://mirror.invalid")
	m.until(log, "1.0.0 works", func() bool { return m.answers("alice") == "1.0.0" })
	m.publish("1.1.0", nil, m.build("messenger", "1.1.0"))
	m.until(log, "1.1.0 works", func() bool { return m.answers("alice") == "1.1.0" })
	if got := proxy.Ways(); !slices.Equal(got, []string{home, mirror}) {
		t.Errorf("the proxy was asked for %v", got)
	}

	proxy.Shut()
	if ports := check(3, "connection refused"); !slices.Equal(ports, through) {
		t.Errorf("without the proxy the command connects to the ports %v, want %v", ports, through)
	}
	if n := other.came.Load(); n != 0 {
		t.Errorf("%d connections went where the environment says", n)
	}
	check(3, "EOF", "--proxy", "none")
	if other.came.Load() == 0 {
		t.Error("nothing went where the environment says, though a person wanted it so")
	}
}
