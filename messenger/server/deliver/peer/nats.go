package peer

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// NATS is a nats-server, without JetStream.
type NATS struct {
	*Process
	URL     string // for clients; the same after Start again
	cluster string // for other servers, likewise

	dir              string
	clients, servers *door
}

// StartNATS starts a server and, if others are given, joins them into one cluster. extra is appended to the
// configuration (for example a tls block).
func StartNATS(t testing.TB, extra string, others ...*NATS) *NATS {
	t.Helper()
	program, err := exec.LookPath("nats-server")
	if err != nil {
		if program, err = newest("/usr/sbin/nats-server"); err != nil {
			Missing(t, "nats-server", "nats-server")
		}
	}
	dir := shortDir(t, owner{})
	routes := ""
	for _, o := range others {
		routes += fmt.Sprintf("%q ", "nats-route://"+o.cluster)
	}
	n := &NATS{dir: dir, clients: newDoor(t), servers: newDoor(t)}
	n.URL, n.cluster = "nats://"+n.clients.Addr().String(), n.servers.Addr().String()
	file := filepath.Join(dir, "nats.conf")
	n.Process = &Process{Name: "nats-server", t: t, make: func() *exec.Cmd { return exec.Command(program, "-c", file) }}
	config := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nclient_advertise: %q\nping_interval: \"2s\"\nwrite_deadline: \"2s\"\nports_file_dir: %q\n"+
		"cluster { name: test, listen: \"127.0.0.1:-1\", advertise: %q, routes: [%s] }\n%s\n", n.clients.Addr(), dir, n.servers.Addr(), routes, extra)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(func() { n.Stop(syscall.SIGKILL) })
	return n
}

// Start starts the server and waits until it listens, on ports that are free now.
func (n *NATS) Start() {
	n.t.Helper()
	n.Process.Start()
	var ports struct{ Nats, Cluster []string }
	n.await("no ports file", func() error {
		text, err := os.ReadFile(filepath.Join(n.dir, fmt.Sprintf("nats-server_%d.ports", n.Pid())))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &ports)
	})
	for d, listens := range map[*door][]string{n.clients: ports.Nats, n.servers: ports.Cluster} {
		u, err := url.Parse(listens[0])
		if err != nil {
			n.t.Fatal(err)
		}
		n.await("does not answer", func() error {
			c, err := net.DialTimeout("tcp", u.Host, time.Second)
			if err != nil {
				return err
			}
			return c.Close()
		})
		d.lead("tcp", u.Host)
	}
}

// Stop ends the server with that signal and waits until it has ended.
func (n *NATS) Stop(s syscall.Signal) {
	n.clients.lead("", "")
	n.servers.lead("", "")
	n.Process.Stop(s)
}
