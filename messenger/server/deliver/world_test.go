package deliver

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
)

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// memory is a queue without a disk, for tests that turn the clock. Ids start at 1.
type memory struct {
	store.Queue // nil: what is not below is not used

	mu     sync.Mutex
	next   int64
	queues map[store.DeviceKey][]store.Envelope
	down   bool
	writes int
}

func newMemory() *memory { return &memory{queues: map[store.DeviceKey][]store.Envelope{}} }

func (m *memory) Enqueue(_ context.Context, envelopes []store.Envelope, now time.Time) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := make([]error, len(envelopes))
	for i, e := range envelopes {
		if m.down {
			errs[i] = store.ErrUnavailable
			continue
		}
		m.next++
		m.writes++
		e.ID, e.Stored = m.next, now.UnixMilli()
		m.queues[e.Device] = append(m.queues[e.Device], e)
	}
	return errs
}

func (m *memory) Page(_ context.Context, d store.DeviceKey, after int64, limit int) ([]store.Envelope, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, store.ErrUnavailable
	}
	var page []store.Envelope
	for _, e := range m.queues[d] {
		if e.ID > after && len(page) < limit {
			page = append(page, e)
		}
	}
	return page, nil
}

func (m *memory) Ack(_ context.Context, d store.DeviceKey, ids []int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.queues[d])
	m.queues[d] = slices.DeleteFunc(m.queues[d], func(e store.Envelope) bool { return slices.Contains(ids, e.ID) })
	return before - len(m.queues[d]), nil
}

func (m *memory) Failed(_ context.Context, d store.DeviceKey, ids []int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.queues[d])
	m.queues[d] = slices.DeleteFunc(m.queues[d], func(e store.Envelope) bool { return slices.Contains(ids, e.ID) && e.Tries+1 >= store.MaxTries })
	for i := range m.queues[d] {
		if slices.Contains(ids, m.queues[d][i].ID) {
			m.queues[d][i].Tries++
		}
	}
	return before - len(m.queues[d]), nil
}

func (m *memory) depth(d store.DeviceKey) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queues[d])
}

func (m *memory) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// node is one server: a sender and a hub.
type node struct {
	*Sender
	*Hub
	queue store.Queue
}

func newNode(q store.Queue, p Presence, r route.Router, o Options) *node {
	return &node{
		Sender: &Sender{Queue: q, Presence: p, Router: r, Now: time.Now},
		Hub:    NewHub(q, p, r, time.Now, o), queue: q,
	}
}

// alone is a single server over a memory queue.
func alone() (*node, *memory) {
	q := newMemory()
	return newNode(q, &Alone{}, route.NewLocal("one", 0), Options{Poll: -1}), q
}

// phone is a connection that acknowledges, unless told otherwise, and remembers.
type phone struct {
	mu        sync.Mutex
	got       []string
	empties   []int // how many it had got when Empty was called
	displaced int
	hold      bool // neither acknowledge nor refuse: see release
	refuse    func(body string) bool
	held      []func(bool)
}

func (p *phone) Push(e Pushed, done func(bool)) {
	p.mu.Lock()
	if p.hold {
		p.held = append(p.held, done)
		p.got = append(p.got, string(e.Body))
		p.mu.Unlock()
		return
	}
	refused := p.refuse != nil && p.refuse(string(e.Body))
	if !refused {
		p.got = append(p.got, string(e.Body))
	}
	p.mu.Unlock()
	done(!refused)
}

// release answers everything held.
func (p *phone) release(acked bool) {
	p.mu.Lock()
	held := p.held
	p.hold, p.held = false, nil
	p.mu.Unlock()
	for _, done := range held {
		done(acked)
	}
}

func (p *phone) Empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empties = append(p.empties, len(p.got))
}

func (p *phone) Displace() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.displaced++
}

// gone is how often it was displaced.
func (p *phone) gone() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.displaced
}

func (p *phone) have() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

func guid(n int) (g store.GUID) {
	binary.BigEndian.PutUint64(g[8:], uint64(n)+1)
	return g
}

// guids numbers the envelopes of send.
var guids atomic.Int64

// send sends one text to each device, in one call.
func send(t testing.TB, n *node, text string, devices ...store.DeviceKey) []Result {
	t.Helper()
	var messages []Message
	for _, d := range devices {
		messages = append(messages, Message{Device: d, GUID: guid(int(guids.Add(1))), Body: []byte(text)})
	}
	return n.Send(t.Context(), messages)
}

func attach(t testing.TB, n *node, d store.DeviceKey, c Connection) *Attachment {
	t.Helper()
	return must[*Attachment](t)(n.Attach(t.Context(), d, c))
}

// hanging is how long what never ends may take.
const hanging = 2 * time.Minute

// eventually waits for something that must happen; the bound is only for when it does not.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(hanging); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// openSQLite opens a store with some devices.
func openSQLite(t testing.TB, devices int) (store.Store, []store.DeviceKey) {
	t.Helper()
	s := must[store.Store](t)(engine.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), engine.Options{}))
	t.Cleanup(func() { _ = s.Close() })
	return s, registerDevices(t, s, devices)
}

func registerDevices(t testing.TB, s store.Store, n int) (keys []store.DeviceKey) {
	t.Helper()
	errs := make([]error, n)
	keys = make([]store.DeviceKey, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			a, _, err := s.Register(context.Background(), store.Registration{Name: "+1555" + string(KeyOf(store.DeviceKey(i))), Secret: []byte("x"), Now: time.Now()})
			if errs[i] = err; err == nil {
				keys[i] = a.Devices[0].Key
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return keys
}
