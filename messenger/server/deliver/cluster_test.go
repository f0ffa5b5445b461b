package deliver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// lasting lets bus servers wait for each other, and for us, as long as a test: here nobody dies, and a link that is held up is no dead one.
const lasting = "ping_interval: \"10m\"\nwrite_deadline: \"2m\""

// patient is a router that does not give up on wakes because this machine is busy, nor, if patience is given, on devices.
func patient(t testing.TB, name string, bus *peer.NATS, patience time.Duration) *route.NATS {
	t.Helper()
	r := must[*route.NATS](t)(route.DialNATS(route.NATSOptions{URL: bus.URL, Node: name, Patience: patience, Probe: hanging}))
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// pair is two nodes of one cluster over one store. The belt is off: what is stranded stays stranded.
func pair(t testing.TB, s store.Store, busA, busB *peer.NATS, patience time.Duration) (a, b *node) {
	t.Helper()
	o := Options{Lease: time.Hour, Poll: -1}
	a, b = newNode(s, s, patient(t, "a", busA, patience), o), newNode(s, s, patient(t, "b", busB, patience), o)
	for _, n := range []*node{a, b} {
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	meet(t, a, b)
	return a, b
}

// meet waits until each node's subject is known to the other.
func meet(t testing.TB, a, b *node) {
	t.Helper()
	for i, two := range [][2]*node{{a, b}, {b, a}} {
		key := route.Key(fmt.Sprintf("meet%d", i))
		off := must[func()](t)(two[1].Router.Register(key, 1, &Attachment{hub: two[1].Hub, draining: true}))
		eventually(t, "the nodes meet", func() bool { return two[0].Router.Wake(t.Context(), two[1].Router.Node(), key) })
		off()
	}
}

// naive is the obvious design: subscribe, flush, drain; and on the other side: nobody there, so insert, and call out to
// whoever may be listening on the device's subject by now. Kept here to show what it does.
type naive struct {
	router route.Router
	queue  store.Queue
}

func (n naive) send(ctx context.Context, m Message) error {
	frame := route.Frame{GUID: m.GUID, Body: m.Body}
	if n.router.Deliver(ctx, KeyOf(m.Device), frame) == route.Acked {
		return nil
	}
	if err := n.queue.Enqueue(ctx, []store.Envelope{{Device: m.Device, GUID: m.GUID, Body: m.Body}}, time.Now())[0]; err != nil {
		return err
	}
	n.router.Deliver(ctx, KeyOf(m.Device), route.Frame{}) // empty: "look into your queue"
	return nil
}

type naivePhone struct {
	*phone
	drain func()
}

func (p naivePhone) Offer(f route.Frame, done func(bool)) {
	if len(f.Body) == 0 {
		p.drain()
		done(true)
		return
	}
	p.Push(Pushed{Body: f.Body}, done)
}
func (p naivePhone) Wake() {}

func (n naive) connect(t *testing.T, d store.DeviceKey) *phone {
	p := naivePhone{phone: &phone{}}
	p.drain = func() {
		for _, e := range must[[]store.Envelope](t)(n.queue.Page(t.Context(), d, 0, 100)) {
			p.Push(Pushed{Body: e.Body}, func(bool) {})
			must[int](t)(n.queue.Ack(t.Context(), d, []int64{e.ID}))
		}
	}
	must[func()](t)(n.router.Register(KeyOf(d), 1, p))
	p.drain()
	return p.phone
}

// The race, without chance: between two bus servers the news of a subscription is held up, and a sender on the
// other side takes "nobody here" for "offline".
func TestNaiveStrands(t *testing.T) {
	busA := peer.StartNATS(t, lasting)
	link := peer.NewLink(t, busA)
	busB := peer.StartNATS(t, lasting, link.Through())
	s, devices := openSQLite(t, 2)
	a, b := pair(t, s, busA, busB, hanging)

	t.Run("naive", func(t *testing.T) {
		link.Hold()
		p := naive{b.Router, s}.connect(t, devices[0])
		if err := (naive{a.Router, s}).send(t.Context(), Message{Device: devices[0], GUID: guid(1), Body: []byte("lost from sight")}); err != nil {
			t.Fatal(err)
		}
		link.Release()
		eventually(t, "the news arrives", func() bool {
			return a.Router.Deliver(t.Context(), KeyOf(devices[0]), route.Frame{GUID: guid(2), Body: []byte("later")}) == route.Acked
		})
		waiting, _, err := s.Depth(t.Context(), devices[0])
		if err != nil || waiting != 1 || len(p.have()) != 1 || p.have()[0] != "later" {
			t.Errorf("the naive design was to strand an envelope: %d wait, the connected device has %v, %v", waiting, p.have(), err)
		}
	})
	t.Run("handshake", func(t *testing.T) {
		link.Hold()
		defer link.Release()
		p := &phone{}
		defer attach(t, b, devices[1], p).Detach(t.Context())
		eventually(t, "drained", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.empties) == 1 })
		if r := send(t, a, "found", devices[1]); r[0] != (Result{Queued: true, Online: true}) {
			t.Errorf("the news was to be held up: %+v", r)
		}
		eventually(t, "the envelope arrives though the news has not", func() bool { return len(p.have()) == 1 })
		eventually(t, "and leaves the queue", func() bool { n, _, err := s.Depth(t.Context(), devices[1]); return err == nil && n == 0 })
	})
}

// hopper is a device that moves between nodes, and remembers what it got by GUID.
type hopper struct {
	device store.DeviceKey
	mu     sync.Mutex
	got    map[store.GUID]int
}

func (h *hopper) Push(e Pushed, done func(bool)) {
	h.mu.Lock()
	h.got[e.GUID]++
	h.mu.Unlock()
	done(true)
}
func (h *hopper) Empty()    {}
func (h *hopper) Displace() {}

// hop connects here and there, and stays at the last place. Half the time the new connection comes before the old one is gone.
func (h *hopper) hop(t testing.TB, r *rand.Rand, hops int, nodes ...*node) *Attachment {
	var old *Attachment
	for i := range hops {
		a, err := nodes[r.IntN(len(nodes))].Attach(context.Background(), h.device, h)
		if err != nil {
			t.Error(err)
			return old
		}
		if old != nil {
			old.Detach(context.Background())
		}
		if i == hops-1 {
			return a
		}
		time.Sleep(time.Duration(r.IntN(8000)) * time.Microsecond)
		if old = a; r.IntN(2) == 0 {
			a.Detach(context.Background())
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		}
	}
	return old
}

// hopping is what came of a run.
type hopping struct{ lost, live, queued, repeats int }

// runHops sends messages to hopping devices from both nodes, then waits until every envelope that was answered for is at its device,
// which stays connected, without a belt.
func runHops(t testing.TB, devices []store.DeviceKey, messages int, a, b *node) hopping {
	hoppers := make([]*hopper, len(devices))
	stays := make([]*Attachment, len(devices))
	var moving, sending sync.WaitGroup
	for i, d := range devices {
		hoppers[i] = &hopper{device: d, got: map[store.GUID]int{}}
		moving.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			stays[i] = hoppers[i].hop(t, r, 2+messages/len(devices)/8+r.IntN(8), a, b)
		})
	}
	const senders = 32
	answered := make([][]Message, senders)
	var mu sync.Mutex
	var out hopping
	for n := range senders {
		sending.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 2))
			from := []*node{a, b}[n%2]
			for i := n; i < messages; i += senders {
				m := Message{Device: devices[r.IntN(len(devices))], GUID: guid(i), Body: make([]byte, 256)}
				got := from.Send(context.Background(), []Message{m})[0]
				mu.Lock()
				switch {
				case got.Live:
					out.live++
				case got.Queued:
					out.queued++
				}
				mu.Unlock()
				if got.Err == nil {
					answered[n] = append(answered[n], m)
				} else if !errors.Is(got.Err, store.ErrQueueFull) {
					t.Errorf("message %d: %v", i, got.Err)
				}
			}
		})
	}
	sending.Wait()
	moving.Wait()
	at := map[store.DeviceKey]*hopper{}
	for _, h := range hoppers {
		at[h.device] = h
	}
	missing := func() (n int) {
		for _, list := range answered {
			for _, m := range list {
				h := at[m.Device]
				h.mu.Lock()
				if h.got[m.GUID] == 0 {
					n++
				}
				h.mu.Unlock()
			}
		}
		return n
	}
	for end := time.Now().Add(hanging); ; time.Sleep(100 * time.Millisecond) { // only as long as something is missing
		if out.lost = missing(); out.lost == 0 || time.Now().After(end) {
			break
		}
	}
	for i, h := range hoppers {
		stays[i].Detach(context.Background())
		for _, n := range h.got {
			out.repeats += n - 1
		}
	}
	return out
}

// Devices hop between two nodes on two bus servers while both send to them: nothing that was answered for is
// missing at a device that is connected.
func TestHopping(t *testing.T) {
	busA := peer.StartNATS(t, lasting)
	busB := peer.StartNATS(t, lasting, busA)
	s, devices := openSQLite(t, 40)
	a, b := pair(t, s, busA, busB, 0)
	got := runHops(t, devices, 3000, a, b)
	t.Logf("3,000 messages: %d live, %d through the queue, %d repeats", got.live, got.queued, got.repeats)
	if got.lost != 0 {
		t.Errorf("%d messages that were answered for are not at their devices", got.lost)
	}
	if got.live == 0 || got.queued == 0 {
		t.Error("one of the two ways was never used; this proved little")
	}
}

// The same, as long as one likes: go test -run '^$' -bench Hopping -benchtime 100000x. Lost must be 0.
func BenchmarkHopping(b *testing.B) {
	busA := peer.StartNATS(b, "")
	busB := peer.StartNATS(b, "", busA)
	s, devices := openSQLite(b, 200)
	one, two := pair(b, s, busA, busB, 0)
	b.ResetTimer()
	got := runHops(b, devices, b.N, one, two)
	b.ReportMetric(float64(got.lost), "lost")
	b.ReportMetric(float64(got.repeats), "repeats")
	b.ReportMetric(100*float64(got.live)/float64(b.N), "%live")
	if got.lost != 0 {
		b.Errorf("%d of %d messages are not at their devices", got.lost, b.N)
	}
}
