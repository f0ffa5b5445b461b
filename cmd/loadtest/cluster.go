package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
)

// clusterOptions say where several servers become one, and how many connections a process is to hold: a system lets a process have only so many
// files (ulimit -Hn), so more connections than that need several servers, and several processes of clients as well.
type clusterOptions struct {
	database, bus string
	perServer     int
	sizes         []int
}

func (o *clusterOptions) check() error {
	if (o.database == "") != (o.bus == "") {
		return cli.Usagef("--cluster-database and --cluster-bus: give both or none")
	}
	if o.perServer < 1 {
		return cli.Usagef("--per-server %d: want at least 1", o.perServer)
	}
	return nil
}

// growCluster is the work's name in tables.
const growCluster = "idle connections of a cluster"

// Measures of a cluster besides those of the works.
const (
	serverCount = "servers"
	crossP50    = "from one server to another: p50 ms"
)

// cluster are servers that act as one, with what their clients are.
type cluster struct {
	b       *bench
	nodes   []*messengerd
	servers []*process
	clients []*process
	dir     string
}

// growCluster adds idle connections, evenly, to as many servers as the largest number needs. Memory is that of our servers' processes together.
// Then a thousand messages go from a client of the first server to those of the last, one after another.
func (b *bench) growCluster(ctx context.Context, m *messengerd, o clusterOptions, add func(string, int, map[string]float64)) (err error) {
	if o.database == "" || len(o.sizes) == 0 {
		return nil
	}
	most := o.sizes[len(o.sizes)-1]
	c := &cluster{b: b}
	if c.dir, err = os.MkdirTemp(b.dir, "cluster"); err != nil {
		return err
	}
	defer c.stop()
	if err := c.start(ctx, m, o, most); err != nil {
		return err
	}
	if err := c.rest(ctx); err != nil {
		return err
	}
	before, err := c.resident()
	if err != nil {
		return err
	}
	have := 0
	for _, n := range o.sizes {
		if err := c.hold(ctx, have, n); err != nil {
			return err
		}
		if err := c.rest(ctx); err != nil {
			return err
		}
		after, err := c.resident()
		if err != nil {
			return err
		}
		latency, err := c.across(ctx, most, n, (n-have)/len(c.nodes))
		if err != nil {
			return err
		}
		add(growCluster, n, map[string]float64{perIdle: float64(after-before) / 1024 / float64(n), residentMiB: float64(after) / (1 << 20),
			serverCount: float64(len(c.nodes)), crossP50: millis(latency)})
		have = n
	}
	return nil
}

// start registers everybody and starts the servers. Each has had its first clients when this returns, and one more user is the sender of across.
func (c *cluster) start(ctx context.Context, m *messengerd, o clusterOptions, most int) error {
	s, err := engine.Open(ctx, o.database, engine.Options{})
	if err != nil {
		return cli.Hint(err, "--cluster-database wants the postgres:// URL of an empty database")
	}
	if err := errors.Join(register(ctx, s, 0, most+1), s.Close()); err != nil {
		return err
	}
	for i := range (most + o.perServer - 1) / o.perServer {
		node := *m
		node.flags = append([]string{"--database", o.database, "--cluster", o.bus, "--node", fmt.Sprintf("node%d", i)}, m.flags...)
		dir := filepath.Join(c.dir, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		p, err := node.run(ctx, dir)
		if err != nil {
			return err
		}
		c.nodes, c.servers = append(c.nodes, &node), append(c.servers, p)
	}
	for _, node := range c.nodes {
		r := c.b.over(nil, "", visitors)
		if err := r.connect(ctx, node, 0, min(visitors, most)); err != nil {
			return err
		}
		r.disconnect(0, visitors)
	}
	return nil
}

// hold connects the users from have up to, not including, want: an equal part of them to each server, by a process of its own.
func (c *cluster) hold(ctx context.Context, have, want int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	nodes := len(c.nodes)
	for i, node := range c.nodes {
		first, end := have+(want-have)*i/nodes, have+(want-have)*(i+1)/nodes
		p, err := launch(c.dir, fmt.Sprintf("clients%d-%d", i, want), nil, self, "hold", "--address", node.address, "--first", fmt.Sprint(first), "--end", fmt.Sprint(end))
		if err != nil {
			return err
		}
		c.clients = append(c.clients, p)
		if err := p.waitFor(ctx, 10*time.Minute, func() bool { return holding(p.output(), end-first) }); err != nil {
			return err
		}
		c.b.app.Say("%d to %d are connected to server %d of %d", first, end-1, i+1, nodes)
	}
	return nil
}

// rest waits until memory no longer needed has been given back.
func (c *cluster) rest(ctx context.Context) error {
	select {
	case <-time.After(c.b.settle):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resident is the memory of all servers.
func (c *cluster) resident() (sum int64, err error) {
	for _, p := range c.servers {
		u, err := p.usage()
		if err != nil {
			return 0, err
		}
		sum += u.rss
	}
	return sum, nil
}

// across sends from the first server to users who came last, who are at the last server, and returns the median time until the sender knows.
func (c *cluster) across(ctx context.Context, sender, connected, there int) (time.Duration, error) {
	from, err := c.nodes[0].dial(ctx, sender, func() {})
	if err != nil {
		return 0, err
	}
	defer from.close()
	var times []time.Duration
	p := newPayload(c.b.payload)
	for i := range min(1000, there) {
		start := time.Now()
		if err := from.send(connected-1-i, p); err != nil {
			return 0, fmt.Errorf("to user %d: %w", connected-1-i, err)
		}
		times = append(times, time.Since(start))
	}
	return percentile(times, 50), nil
}

func (c *cluster) stop() {
	for _, p := range append(c.clients, c.servers...) {
		p.stop()
	}
	_ = os.RemoveAll(c.dir) // below the tool's own directory, which goes too
}
