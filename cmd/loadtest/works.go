package main

import (
	"context"
	"fmt"
	"time"
)

// Names of works, as flags and the JSON have them.
const (
	workPairs   = "pairs"
	workRate    = "rate"
	workGroups  = "groups"
	workAbsent  = "absent"
	workBacklog = "backlog"
	workIdle    = "idle"
)

// workNames are all works, in the order of the table.
func workNames() []string {
	return []string{workPairs, workRate, workGroups, workAbsent, workBacklog, workIdle}
}

// heard waits until a user has got a message.
func (r *running) heard(user int) error {
	if _, err := await(r.signals[user], nil); err != nil {
		return fmt.Errorf("user %d got no message: %w", user, err)
	}
	return nil
}

// pairs: half of the connections send to the other half, one message of a pair at a time. A message is done when the sender knows it, and the
// recipient has it.
func (b *bench) pairs(ctx context.Context, s system, connections int, rate float64) (map[string]float64, error) {
	r, err := b.begin(ctx, s, connections)
	if err != nil {
		return nil, err
	}
	defer r.end()
	return b.pairsOver(ctx, s, r, connections, rate)
}

func (b *bench) pairsOver(ctx context.Context, s system, r *running, connections int, rate float64) (map[string]float64, error) {
	if err := r.connect(ctx, s, 0, connections); err != nil {
		return nil, err
	}
	p, half := newPayload(b.payload), connections/2
	_, alone := s.(*echo) // the sender is the recipient
	l := &loop{senders: half, rate: rate, send: func(i int) error {
		if err := r.clients[i].send(half+i, p); err != nil || alone {
			return err
		}
		return r.heard(half + i)
	}}
	return l.run(ctx, b, r)
}

// groups: one member of each group sends to the nineteen others. A message is done when the server says so and all have it; what is counted
// are deliveries.
func (b *bench) groups(ctx context.Context, s system, connections int) (map[string]float64, error) {
	connections -= connections % groupSize
	r, err := b.begin(ctx, s, connections)
	if err != nil {
		return nil, err
	}
	defer r.end()
	if err := r.connect(ctx, s, 0, connections); err != nil {
		return nil, err
	}
	if err := inParallel(connections, connectAtOnce, func(u int) error { return r.clients[u].join() }); err != nil {
		return nil, err
	}
	p := newPayload(b.payload)
	l := &loop{senders: connections / groupSize, send: func(i int) error {
		if err := r.clients[i*groupSize].sendGroup(p); err != nil {
			return err
		}
		for u := i*groupSize + 1; u < (i+1)*groupSize; u++ {
			if err := r.heard(u); err != nil {
				return err
			}
		}
		return nil
	}}
	v, err := l.run(ctx, b, r)
	for _, name := range []string{perSecond, perCPUSecond} {
		if _, ok := v[name]; ok {
			v[name] *= groupSize - 1
		}
	}
	for _, name := range []string{cpuMicros, clientMicros, writtenBytes} {
		if _, ok := v[name]; ok {
			v[name] /= groupSize - 1
		}
	}
	return v, err
}

// absent: half of the users send to the other half, who were here once and have gone.
func (b *bench) absent(ctx context.Context, s system, connections int) (map[string]float64, error) {
	r, err := b.begin(ctx, s, connections)
	if err != nil {
		return nil, err
	}
	defer r.end()
	return b.absentOver(ctx, s, r, connections)
}

func (b *bench) absentOver(ctx context.Context, s system, r *running, connections int) (map[string]float64, error) {
	half := connections / 2
	if err := r.visit(ctx, s, half, connections); err != nil {
		return nil, err
	}
	if err := r.connect(ctx, s, 0, half); err != nil {
		return nil, err
	}
	p := newPayload(b.payload)
	l := &loop{senders: half, send: func(i int) error { return r.clients[i].sendAbsent(half+i, p) }}
	return l.run(ctx, b, r)
}

// visit connects users for a moment, so that the server knows them.
func (r *running) visit(ctx context.Context, s system, first, end int) error {
	if err := r.connect(ctx, s, first, end); err != nil {
		return err
	}
	r.disconnect(first, end)
	time.Sleep(time.Second) // until the server has noticed
	return nil
}

// The backlog: so many messages for each of so many recipients.
const (
	backlogLength     = 1000
	backlogRecipients = 20
)

// Measures of the backlog.
const (
	storeMicros   = "to store: server CPU µs/message"
	deliverMicros = "to deliver: server CPU µs/message"
	backlogWall   = "to deliver 1,000: ms"
)

// backlog: recipients are away while a thousand messages come for each; then they connect, one after another, and take them all.
func (b *bench) backlog(ctx context.Context, s system) (map[string]float64, error) {
	users := 2 * backlogRecipients
	r, err := b.begin(ctx, s, users)
	if err != nil {
		return nil, err
	}
	defer r.end()
	if err := r.visit(ctx, s, backlogRecipients, users); err != nil {
		return nil, err
	}
	if err := r.connect(ctx, s, 0, backlogRecipients); err != nil {
		return nil, err
	}
	p := newPayload(b.payload)
	count := func() int64 { return backlogLength * backlogRecipients }
	stored, err := r.during(count, func() error {
		return inParallel(backlogRecipients, backlogRecipients, func(i int) error {
			for range backlogLength {
				if err := r.clients[i].sendAbsent(backlogRecipients+i, p); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	taken, err := r.during(count, func() error {
		for u := backlogRecipients; u < users; u++ {
			start := time.Now()
			if err := r.connect(ctx, s, u, u+1); err != nil {
				return err
			}
			if err := r.heardAll(u, backlogLength); err != nil {
				return err
			}
			times = append(times, time.Since(start))
		}
		time.Sleep(500 * time.Millisecond) // the last acknowledgements
		return nil
	})
	if err != nil {
		return nil, err
	}
	n := float64(count())
	return map[string]float64{storeMicros: micros(stored.server) / n, deliverMicros: micros(taken.server) / n, backlogWall: millis(percentile(times, 50))}, nil
}

// heardAll waits until a user has got so many messages.
func (r *running) heardAll(user int, want int64) error {
	for r.arrived[user].Load() < want {
		if err := r.heard(user); err != nil {
			return fmt.Errorf("%w; %d of %d came", err, r.arrived[user].Load(), want)
		}
	}
	return nil
}

// visitors are who connects and leaves before memory is read for the first time, so that it is not what a server needs for its very first client.
const visitors = 200

// idle: what a connection costs that does nothing. The server's memory is read before and after, when it has come to rest.
func (b *bench) idle(ctx context.Context, s system, connections int) (map[string]float64, error) {
	r, err := b.begin(ctx, s, connections)
	if err != nil {
		return nil, err
	}
	defer r.end()
	if err := r.visit(ctx, s, 0, min(visitors, connections)); err != nil {
		return nil, err
	}
	return b.idleOver(ctx, s, r, 0, connections)
}

func (b *bench) idleOver(ctx context.Context, s system, r *running, have, connections int) (map[string]float64, error) {
	before, err := r.usage()
	if err != nil {
		return nil, err
	}
	if err := r.connect(ctx, s, have, connections); err != nil {
		return nil, err
	}
	select {
	case <-time.After(b.settle):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := r.usage()
	if err != nil {
		return nil, err
	}
	return map[string]float64{perIdle: float64(after.rss-before.rss) / 1024 / float64(connections-have), residentMiB: float64(after.rss) / (1 << 20)}, nil
}
