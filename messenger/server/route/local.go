package route

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Patience is how long Deliver waits for a device by default: longer than a phone on a bad link needs to
// acknowledge, shorter than a sender likes to wait.
const Patience = 1500 * time.Millisecond

// Local routes inside this process. The zero value is not usable; see NewLocal.
type Local struct {
	table
	node     string
	patience time.Duration
}

// NewLocal returns a router for a single server. patience is for Deliver; 0 means Patience.
func NewLocal(node string, patience time.Duration) *Local {
	if patience == 0 {
		patience = Patience
	}
	l := &Local{node: node, patience: patience}
	l.table.init()
	return l
}

// Node implements Router.
func (l *Local) Node() string { return l.node }

// Register implements Router.
func (l *Local) Register(key Key, epoch int64, live Live) (func(), error) {
	if err := ValidName(string(key)); err != nil {
		return nil, err
	}
	e := l.put(key, &entry{epoch, live})
	return func() { l.remove(key, e) }, nil
}

// Deliver implements Router.
func (l *Local) Deliver(ctx context.Context, key Key, f Frame) Outcome {
	if len(f.Body) > MaxBody {
		return Unknown
	}
	e, ok := l.get(key)
	if !ok {
		return Absent
	}
	return offer(ctx, e.live, f, l.patience)
}

// offer waits for one connection's answer.
func offer(ctx context.Context, live Live, f Frame, patience time.Duration) Outcome {
	answer := make(chan bool, 1)
	live.Offer(f, func(acked bool) { answer <- acked })
	select { // often the answer is there already, and then no timer is needed
	case acked := <-answer:
		return outcomeOf(acked)
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case acked := <-answer:
		return outcomeOf(acked)
	case <-timer.C:
	case <-ctx.Done():
	}
	return Unknown
}

func outcomeOf(acked bool) Outcome {
	if acked {
		return Acked
	}
	return Unknown
}

// Wake implements Router.
func (l *Local) Wake(_ context.Context, node string, key Key) bool {
	return node == l.node && l.wake(key)
}

// Displace implements Router.
func (l *Local) Displace(_ context.Context, node string, key Key, epoch int64) {
	if node == l.node {
		l.displace(key, epoch)
	}
}

// Learn implements Router; there is only one node.
func (l *Local) Learn(Key, string) {}

// Close implements Router.
func (l *Local) Close() error {
	l.init()
	return nil
}

// entry is a registered connection.
type entry struct {
	epoch int64
	live  Live
}

// table is the connections of this process, in parts so that cores do not wait for each other.
type table struct {
	parts [64]struct {
		sync.RWMutex
		lives map[Key]*entry
	}
}

func (t *table) init() {
	for i := range t.parts {
		p := &t.parts[i]
		p.Lock()
		p.lives = map[Key]*entry{}
		p.Unlock()
	}
}

// part spreads keys by FNV-1a.
func (t *table) part(key Key) int {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int(h % uint32(len(t.parts)))
}

func (t *table) get(key Key) (*entry, bool) {
	p := &t.parts[t.part(key)]
	p.RLock()
	defer p.RUnlock()
	e, ok := p.lives[key]
	return e, ok
}

// entries returns the connections of one part.
func (t *table) entries(part int) []*entry {
	p := &t.parts[part]
	p.RLock()
	defer p.RUnlock()
	return slices.Collect(maps.Values(p.lives))
}

// put registers and displaces whoever was there.
func (t *table) put(key Key, e *entry) *entry {
	p := &t.parts[t.part(key)]
	p.Lock()
	old, had := p.lives[key]
	p.lives[key] = e
	p.Unlock()
	if had {
		old.live.Displace()
	}
	return e
}

// remove unregisters e, unless another has taken its place.
func (t *table) remove(key Key, e *entry) {
	p := &t.parts[t.part(key)]
	p.Lock()
	defer p.Unlock()
	if p.lives[key] == e {
		delete(p.lives, key)
	}
}

func (t *table) wake(key Key) bool {
	e, ok := t.get(key)
	if ok {
		e.live.Wake()
	}
	return ok
}

func (t *table) displace(key Key, epoch int64) bool {
	e, ok := t.get(key)
	if !ok || e.epoch != epoch {
		return false
	}
	e.live.Displace()
	return true
}
