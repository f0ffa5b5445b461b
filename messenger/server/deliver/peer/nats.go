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
	cluster string // for other servers

	file   string // configuration
	routes string
	extra  string
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
	file := filepath.Join(dir, "nats.conf")
	n := &NATS{Process: &Process{Name: "nats-server", t: t, make: func() *exec.Cmd { return exec.Command(program, "-c", file) }},
		file: file, routes: routes, extra: extra}
	n.configure("127.0.0.1:-1", "127.0.0.1:-1")
	n.Process.Start()
	t.Cleanup(func() { n.Stop(syscall.SIGKILL) })
	n.readPorts(dir)
	return n
}

// configure says where to listen; port -1 is any that is free.
func (n *NATS) configure(clients, cluster string) {
	n.t.Helper()
	config := fmt.Sprintf("listen: %q\nping_interval: \"2s\"\nwrite_deadline: \"2s\"\nports_file_dir: %q\ncluster { name: test, listen: %q, routes: [%s] }\n%s\n",
		clients, filepath.Dir(n.file), cluster, n.routes, n.extra)
	if err := os.WriteFile(n.file, []byte(config), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *NATS) readPorts(dir string) {
	n.t.Helper()
	var ports struct{ Nats, Cluster []string }
	n.await("no ports file", func() error {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("nats-server_%d.ports", n.Pid())))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &ports)
	})
	client, err := url.Parse(ports.Nats[0])
	if err != nil {
		n.t.Fatal(err)
	}
	cluster, err := url.Parse(ports.Cluster[0])
	if err != nil {
		n.t.Fatal(err)
	}
	n.URL, n.cluster = "nats://"+client.Host, cluster.Host
	n.configure(client.Host, cluster.Host) // those who know it find it there when it was stopped and started
	n.await("does not answer", func() error {
		c, err := net.DialTimeout("tcp", client.Host, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
