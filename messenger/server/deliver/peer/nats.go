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
	URL     string // for clients
	cluster string // for other servers
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
	config := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nping_interval: \"2s\"\nwrite_deadline: \"2s\"\nports_file_dir: %q\ncluster { name: test, listen: \"127.0.0.1:-1\", routes: [%s] }\n%s\n",
		dir, routes, extra)
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &NATS{Process: &Process{Name: "nats-server", t: t, make: func() *exec.Cmd { return exec.Command(program, "-c", file) }}}
	n.Process.Start()
	t.Cleanup(func() { n.Stop(syscall.SIGKILL) })
	n.readPorts(dir)
	return n
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
	n.await("does not answer", func() error {
		c, err := net.DialTimeout("tcp", client.Host, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
