package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
)

// bench is what all measurements share.
type bench struct {
	app     *cli.App
	dir     string        // work happens below it
	payload int           // bytes of a message
	rest    time.Duration // between connecting and the load: some servers still write down who has registered
	warm    time.Duration
	lasts   time.Duration // of a measurement
	settle  time.Duration // of idle connections before their memory is read
}

// row is one figure of one system in one round.
type row struct {
	Work        string             `json:"work"`
	System      string             `json:"system"`
	Connections int                `json:"connections"` // or the size that grows
	Round       int                `json:"round"`
	Values      map[string]float64 `json:"values"` // by the names of measures, units in them
}

// running is a started system with its clients.
type running struct {
	*process
	dir     string
	clients []client
	arrived []atomic.Int64 // messages, by user
	signals []chan struct{}
}

// begin starts a system in an empty directory.
func (b *bench) begin(ctx context.Context, s system, users int) (*running, error) {
	dir, err := os.MkdirTemp(b.dir, "run")
	if err != nil {
		return nil, err
	}
	p, err := s.start(ctx, dir, users)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.name(), err), os.RemoveAll(dir))
	}
	return b.over(p, dir, users), nil
}

func (b *bench) over(p *process, dir string, users int) *running {
	r := &running{process: p, dir: dir, clients: make([]client, users), arrived: make([]atomic.Int64, users), signals: make([]chan struct{}, users)}
	for i := range r.signals {
		r.signals[i] = make(chan struct{}, 1)
	}
	return r
}

// connectAtOnce is how many clients log in at the same time.
const connectAtOnce = 32

// connect connects the users from first up to, not including, end.
func (r *running) connect(ctx context.Context, s system, first, end int) error {
	return inParallel(end-first, connectAtOnce, func(i int) (err error) {
		u := first + i
		r.clients[u], err = s.dial(ctx, u, func() {
			r.arrived[u].Add(1)
			select {
			case r.signals[u] <- struct{}{}:
			default:
			}
		})
		return err
	})
}

// disconnect closes the connections of users.
func (r *running) disconnect(first, end int) {
	for u := first; u < end; u++ {
		if r.clients[u] != nil {
			r.clients[u].close()
			r.clients[u] = nil
		}
	}
}

// end stops everything and removes the directory.
func (r *running) end() {
	r.disconnect(0, len(r.clients))
	r.stop()
	_ = os.RemoveAll(r.dir) // below the tool's own directory, which goes too
}

// stretch is what happened between two moments.
type stretch struct {
	wall           time.Duration
	server, client time.Duration // processor time
	count          int64
	rss            int64 // at its end
	written        int64 // bytes to disks; -1: not known
}

// during measures f. count is how far the work has come.
func (r *running) during(count func() int64, f func() error) (s stretch, err error) {
	server, err := r.usage()
	if err != nil {
		return s, err
	}
	clients, err := own()
	if err != nil {
		return s, err
	}
	start, done := time.Now(), count()
	if err := f(); err != nil {
		return s, err
	}
	s.wall, s.count = time.Since(start), count()-done
	serverEnd, err := r.usage()
	if err != nil {
		return s, err
	}
	clientsEnd, err := own()
	s.server, s.client, s.rss = serverEnd.cpu-server.cpu, clientsEnd.cpu-clients.cpu, serverEnd.rss
	if s.written = -1; server.written >= 0 && serverEnd.written >= 0 {
		s.written = serverEnd.written - server.written
	}
	return s, err
}

// Names of measures.
const (
	perSecond    = "messages/s"
	perCPUSecond = "messages/CPU-second"
	cpuMicros    = "server CPU µs/message"
	clientMicros = "client CPU µs/message"
	p50          = "p50 ms"
	p99          = "p99 ms"
	residentMiB  = "resident MiB"
	perIdle      = "KiB/idle connection"
	writtenBytes = "bytes to disk/message"
)

// values are the measures of a stretch.
func (s stretch) values() map[string]float64 {
	n := float64(max(s.count, 1))
	v := map[string]float64{
		perSecond: float64(s.count) / s.wall.Seconds(), cpuMicros: micros(s.server) / n, clientMicros: micros(s.client) / n, residentMiB: float64(s.rss) / (1 << 20),
	}
	if s.server > 0 {
		v[perCPUSecond] = float64(s.count) / s.server.Seconds()
	}
	if s.written >= 0 {
		v[writtenBytes] = float64(s.written) / n
	}
	return v
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
