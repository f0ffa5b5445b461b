package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
)

// growthSizes are the points at which growth is measured, each list ascending.
type growthSizes struct {
	connections, queued, accounts []int
	cluster                       clusterOptions
}

// Works of growth. Connections in their rows are the size that grows.
const (
	growIdle     = "idle connections"
	growQueue    = "envelopes waiting"
	growAccounts = "accounts"
)

// Measures of growth besides those of the works.
const (
	databaseMiB = "database MiB"
	startMillis = "start ms"
)

// growth measures our server at all sizes.
func (b *bench) growth(ctx context.Context, m *messengerd, sizes growthSizes) (rows []row, err error) {
	add := func(work string, size int, v map[string]float64) {
		rows = append(rows, row{Work: work, System: m.name(), Connections: size, Round: 1, Values: v})
		b.app.Say("%d %s: %s", size, work, valuesText(v))
	}
	for _, grow := range []func(func(string, int, map[string]float64)) error{
		func(add func(string, int, map[string]float64)) error {
			return b.growConnections(ctx, m, sizes.connections, add)
		},
		func(add func(string, int, map[string]float64)) error {
			return b.growCluster(ctx, m, sizes.cluster, add)
		},
		func(add func(string, int, map[string]float64)) error { return b.growQueue(ctx, m, sizes.queued, add) },
		func(add func(string, int, map[string]float64)) error {
			return b.growAccounts(ctx, m, sizes.accounts, add)
		},
	} {
		if err := grow(add); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// growConnections adds idle connections to one server.
func (b *bench) growConnections(ctx context.Context, m *messengerd, sizes []int, add func(string, int, map[string]float64)) error {
	if len(sizes) == 0 {
		return nil
	}
	r, err := b.begin(ctx, m, sizes[len(sizes)-1])
	if err != nil {
		return err
	}
	defer r.end()
	if err := r.visit(ctx, m, 0, min(visitors, sizes[0])); err != nil {
		return err
	}
	before, err := r.usage()
	if err != nil {
		return err
	}
	have := 0
	for _, n := range sizes {
		v, err := b.idleOver(ctx, m, r, have, n)
		if err != nil {
			if ctx.Err() == nil {
				b.app.Say("%d connections: not on this machine: %v", n, err)
				return nil
			}
			return err
		}
		v[perIdle] = (v[residentMiB]*1024 - float64(before.rss)/1024) / float64(n)
		add(growIdle, n, v)
		have = n
	}
	return nil
}

// The server under growing queues and accounts does this much work.
const (
	growUsers     = 1000 // connected, of whom half send
	queueUsers    = 2000 // of whom half send to the other half, who are not there
	growRecipient = 1000 // envelopes a device has waiting
)

// growQueue measures sending to absent devices while more and more waits for others, and what one backlog costs then.
func (b *bench) growQueue(ctx context.Context, m *messengerd, sizes []int, add func(string, int, map[string]float64)) error {
	if len(sizes) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(b.dir, "queue")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, owners := filepath.Join(dir, "messengerd.db"), sizes[len(sizes)-1]/growRecipient
	if err := fill(ctx, path, queueUsers+owners); err != nil {
		return err
	}
	for _, n := range sizes {
		if err := b.enqueue(ctx, path, n); err != nil {
			return err
		}
		v, err := b.growRun(ctx, m, dir, queueUsers, func(r *running) (map[string]float64, error) {
			v, err := b.absentOver(ctx, m, r, queueUsers)
			if err != nil || n < growRecipient {
				return v, err
			}
			return v, b.takeOne(ctx, m, queueUsers, v)
		})
		if err != nil {
			return err
		}
		add(growQueue, n, v)
	}
	return nil
}

// takeOne connects one device for which a thousand envelopes wait.
func (b *bench) takeOne(ctx context.Context, m *messengerd, user int, v map[string]float64) error {
	got := make(chan struct{}, growRecipient)
	start := time.Now()
	c, err := m.dial(ctx, user, func() { got <- struct{}{} })
	if err != nil {
		return err
	}
	defer c.close()
	for n := range growRecipient {
		select {
		case <-got:
		case <-time.After(patience):
			return fmt.Errorf("%d of %d envelopes came", n, growRecipient)
		}
	}
	v[backlogWall] = millis(time.Since(start))
	time.Sleep(500 * time.Millisecond) // the last acknowledgements
	return nil
}

// enqueue makes so many envelopes wait, a thousand for each of the devices behind the users.
func (b *bench) enqueue(ctx context.Context, path string, want int) (err error) {
	s, err := engine.Open(ctx, path, engine.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	devices := make([]store.DeviceKey, (want+growRecipient-1)/growRecipient)
	for i := range devices {
		a, err := s.Account(ctx, number(queueUsers+i))
		if err != nil {
			return err
		}
		devices[i] = a.Devices[0].Key
	}
	body := make([]byte, b.payload+100)
	_, _ = rand.Read(body) // never fails
	depth := make([]int, len(devices))
	for i, d := range devices {
		if depth[i], _, err = s.Depth(ctx, d); err != nil {
			return err
		}
	}
	return inParallel(len(devices), 64, func(i int) error {
		for range min(growRecipient, want-i*growRecipient) - depth[i] {
			e := store.Envelope{Device: devices[i], Body: body}
			_, _ = rand.Read(e.GUID[:])
			if err := s.Enqueue(ctx, []store.Envelope{e}, time.Now())[0]; err != nil {
				return err
			}
		}
		return nil
	})
}

// growAccounts measures 1:1 messages among a thousand users of more and more.
func (b *bench) growAccounts(ctx context.Context, m *messengerd, sizes []int, add func(string, int, map[string]float64)) error {
	if len(sizes) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(b.dir, "accounts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	have := 0
	for _, n := range sizes {
		if err := b.addAccounts(ctx, filepath.Join(dir, "messengerd.db"), have, n); err != nil {
			return err
		}
		have, m.every = n, n/growUsers
		v, err := b.growRun(ctx, m, dir, growUsers, func(r *running) (map[string]float64, error) {
			return b.pairsOver(ctx, m, r, growUsers, 0)
		})
		if err != nil {
			return err
		}
		add(growAccounts, n, v)
	}
	return nil
}

func (b *bench) addAccounts(ctx context.Context, path string, have, want int) (err error) {
	s, err := engine.Open(ctx, path, engine.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return register(ctx, s, have, want)
}

// growRun starts the server over a directory that is kept, and works.
func (b *bench) growRun(ctx context.Context, m *messengerd, dir string, users int, work func(*running) (map[string]float64, error)) (map[string]float64, error) {
	start := time.Now()
	p, err := m.run(ctx, dir)
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	r := b.over(p, "", users)
	defer r.stop()
	v, err := work(r)
	r.disconnect(0, users)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(filepath.Join(dir, "messengerd.db"))
	if err != nil {
		return nil, err
	}
	v[startMillis], v[databaseMiB] = millis(took), float64(info.Size())/(1<<20)
	return v, nil
}

// growthPlot draws what grows.
func growthPlot(rows []row) []byte {
	line := func(work, measure string) series {
		s := series{name: measure}
		for _, r := range rows {
			if v, ok := r.Values[measure]; ok && r.Work == work {
				s.points = append(s.points, point{float64(r.Connections), v})
			}
		}
		return s
	}
	return plot([]panel{
		{title: "Memory of idle connections", x: growIdle, series: []series{line(growIdle, perIdle), line(growCluster, perIdle).named("of a cluster")}},
		{title: "Sending to absent devices", x: growQueue, series: []series{line(growQueue, cpuMicros), line(growQueue, backlogWall)}},
		{title: "1:1 among ever more people", x: growAccounts, series: []series{line(growAccounts, cpuMicros)}},
	})
}

// growthTable is the same in Markdown.
func growthTable(rows []row) string {
	t := &strings.Builder{}
	fmt.Fprintf(t, "| what grows | size | measures |\n|---|---|---|\n")
	for _, r := range rows {
		v := maps.Clone(r.Values)
		delete(v, clientMicros)
		fmt.Fprintf(t, "| %s | %d | %s |\n", r.Work, r.Connections, valuesText(v))
	}
	return t.String()
}
