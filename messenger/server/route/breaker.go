package route

import (
	"sync"
	"time"
)

// Breaker keeps a node that does not answer from slowing the others: while it is open for a node, nothing is sent
// there and envelopes go to the queue at once.
//
// A delivery that timed out does not say whose fault it was: the device may be on a train. So a timeout only makes
// the breaker ask the node itself; if that fails too, it opens, and asks again every pause until the node answers.
type Breaker struct {
	now   func() time.Time
	pause time.Duration
	probe func(node string) bool // asks a node; may take a while

	mu    sync.Mutex
	nodes map[string]*nodeState
}

type nodeState struct {
	open    bool
	probing bool
	asked   time.Time
}

// NewBreaker returns a breaker that asks nodes with probe, at most once per pause.
func NewBreaker(now func() time.Time, pause time.Duration, probe func(node string) bool) *Breaker {
	return &Breaker{now: now, pause: pause, probe: probe, nodes: map[string]*nodeState{}}
}

// Open says whether to leave the node alone. Asking is also what gets an open breaker to try again.
func (b *Breaker) Open(node string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[node]
	if n == nil || !n.open {
		return false
	}
	b.ask(node, n)
	return true
}

// TimedOut notes that something sent to the node had no answer in time.
func (b *Breaker) TimedOut(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[node]
	if n == nil {
		n = &nodeState{}
		b.nodes[node] = n
	}
	b.ask(node, n)
}

// Answered notes a sign of life.
func (b *Breaker) Answered(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.nodes[node]; n != nil && !n.probing {
		delete(b.nodes, node)
	}
}

// ask starts a probe unless one runs or ran a moment ago. The caller holds the lock.
func (b *Breaker) ask(node string, n *nodeState) {
	if n.probing || b.now().Sub(n.asked) < b.pause {
		return
	}
	n.probing, n.asked = true, b.now()
	go func() {
		alive := b.probe(node)
		b.mu.Lock()
		defer b.mu.Unlock()
		n.probing, n.open = false, !alive
		if alive {
			delete(b.nodes, node)
		}
	}()
}

// places remembers on which node keys were last seen. It forgets: at most two generations of `many` keys.
type places struct {
	mu        sync.Mutex
	many      int
	young, up map[Key]string
}

func newPlaces(many int) *places {
	return &places{many: many, young: map[Key]string{}}
}

func (p *places) learn(key Key, node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.young[key] == node {
		return
	}
	if len(p.young) >= p.many {
		p.young, p.up = map[Key]string{}, p.young
	}
	p.young[key] = node
}

func (p *places) where(key Key) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if node, ok := p.young[key]; ok {
		return node
	}
	return p.up[key]
}

func (p *places) forget(key Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.young, key)
	delete(p.up, key)
}
