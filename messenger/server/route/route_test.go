package route

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
)

// device is a connection that acknowledges, refuses, or says nothing.
type device struct {
	mood string // "acks", "refuses", "silent"

	mu        sync.Mutex
	got       [][]byte
	woken     chan struct{}
	displaced chan struct{}
}

func newDevice(mood string) *device {
	return &device{mood: mood, woken: make(chan struct{}, 100), displaced: make(chan struct{}, 100)}
}

func (d *device) Offer(f Frame, done func(bool)) {
	d.mu.Lock()
	d.got = append(d.got, bytes.Clone(f.Body))
	d.mu.Unlock()
	switch d.mood {
	case "acks":
		done(true)
	case "refuses":
		done(false)
	}
}

func (d *device) Wake()     { d.woken <- struct{}{} }
func (d *device) Displace() { d.displaced <- struct{}{} }

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Both routers keep the contract: where from is the sender's node and to the device's. With Local they are one.
func testContract(t *testing.T, from, to Router) {
	ctx := t.Context()
	frame := Frame{GUID: [16]byte{9}, Body: []byte("\x00body")}
	leave(t, from, "d1")
	acks, refuses := newDevice("acks"), newDevice("refuses")
	off := must[func()](t)(to.Register("d1", 11, acks))
	defer must[func()](t)(to.Register("d2", 12, refuses))()
	reach(t, from, "d1")
	reach(t, from, "d2")
	acks.mu.Lock()
	acks.got = nil
	acks.mu.Unlock()
	if got := from.Deliver(ctx, "d1", frame); got != Acked || len(acks.got) != 1 || !bytes.Equal(acks.got[0], frame.Body) {
		t.Errorf("got %v, device has %q", got, acks.got)
	}
	if got := from.Deliver(ctx, "d2", frame); got != Unknown {
		t.Errorf("refusing device: %v", got)
	}
	if got := from.Deliver(ctx, "d1", Frame{Body: make([]byte, MaxBody+1)}); got != Unknown {
		t.Errorf("too large: %v", got)
	}
	if !from.Wake(ctx, to.Node(), "d1") || len(acks.woken) != 1 {
		t.Error("wake did not arrive")
	}
	if from.Wake(ctx, to.Node(), "d3") || from.Wake(ctx, "nowhere", "d1") {
		t.Error("wakes arrived where nobody is")
	}
	from.Displace(ctx, to.Node(), "d1", 99)
	if len(acks.displaced) != 0 {
		t.Error("displaced in spite of another epoch")
	}
	from.Displace(ctx, to.Node(), "d1", 11)
	if len(acks.displaced) != 1 {
		t.Error("not displaced")
	}
	// A second connection on the same node displaces the first; unregistering the first leaves the second alone.
	second := newDevice("acks")
	off2 := must[func()](t)(to.Register("d1", 13, second))
	if len(acks.displaced) != 2 {
		t.Error("the older connection was not displaced")
	}
	off()
	if got := from.Deliver(ctx, "d1", frame); got != Acked || len(second.got) != 1 {
		t.Errorf("the second connection: %v, has %d", got, len(second.got))
	}
	off2()
	if got := soon(t, from, "d1"); got == Acked {
		t.Errorf("after unregistering: %v", got)
	}
	if _, err := to.Register("a.b", 1, acks); !errors.Is(err, ErrName) {
		t.Errorf("bad key: %v", err)
	}
}

// patience ends what would hang for ever.
const patience = 2 * time.Minute

// reach waits until news of the registration has travelled; that it takes time is the point of package deliver.
func reach(t *testing.T, from Router, key Key) {
	t.Helper()
	until(t, string(key)+" is reachable", func() bool { return from.Deliver(t.Context(), key, Frame{}) != Absent })
}

// leave waits until nobody is known at a key: news of an end takes its time as well, and meanwhile what is sent there gets no answer.
func leave(t *testing.T, from Router, key Key) {
	t.Helper()
	until(t, string(key)+" is nobody", func() bool { return soon(t, from, key) == Absent })
}

// soon delivers an empty frame, for whose answer it does not wait long.
func soon(t *testing.T, from Router, key Key) Outcome {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	return from.Deliver(ctx, key, Frame{})
}

func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestLocal(t *testing.T) {
	l := NewLocal("one", 0)
	testContract(t, l, l)
	if err := l.Close(); err != nil || l.Deliver(t.Context(), "d2", Frame{}) != Absent {
		t.Error("delivers after Close")
	}
}

// A device that says nothing costs the sender its patience and no more; a late answer does no harm.
func TestLocalPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLocal("one", 0)
		late := make(chan func(bool), 1)
		off := must[func()](t)(l.Register("d1", 1, offerFunc(func(_ Frame, done func(bool)) { late <- done })))
		defer off()
		start := time.Now()
		if got := l.Deliver(t.Context(), "d1", Frame{}); got != Unknown || time.Since(start) != Patience {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		(<-late)(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if got := l.Deliver(ctx, "d1", Frame{}); got != Unknown || time.Since(start) != Patience+time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(start))
		}
	})
}

type offerFunc func(Frame, func(bool))

func (f offerFunc) Offer(fr Frame, done func(bool)) { f(fr, done) }
func (offerFunc) Wake()                             {}
func (offerFunc) Displace()                         {}

func TestNATSOneServer(t *testing.T) {
	bus := peer.StartNATS(t, "")
	a, b := dial(t, "a", bus), dial(t, "b", bus)
	testContract(t, a, b)
	testContract(t, a, a)
}

// While the bus is away nobody can say that a queue has something new: when it is back everybody looks.
func TestNATSBackWakesAll(t *testing.T) {
	bus := peer.StartNATS(t, "")
	a := dial(t, "a", bus)
	one, two := newDevice("acks"), newDevice("acks")
	must[func()](t)(a.Register("d1", 1, one))
	must[func()](t)(a.Register("d2", 1, two))
	bus.Stop(syscall.SIGKILL)
	bus.Start()
	for _, d := range []*device{one, two} {
		select {
		case <-d.woken:
		case <-time.After(patience):
			t.Fatal("nobody was woken")
		}
	}
}

func TestNATSTwoServers(t *testing.T) {
	one := peer.StartNATS(t, "")
	two := peer.StartNATS(t, "", one)
	a, b := dial(t, "a", one), dial(t, "b", two)
	meet(t, a, b)
	testContract(t, a, b)
	testContract(t, b, a)
}

func dial(t testing.TB, node string, bus *peer.NATS) *NATS {
	t.Helper()
	r, err := DialNATS(NATSOptions{URL: bus.URL, Node: node, Patience: patience, Probe: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// meet waits until two nodes know of each other.
func meet(t testing.TB, a, b *NATS) {
	t.Helper()
	until(t, "the nodes meet", func() bool { return a.ping(b.Node()) && b.ping(a.Node()) })
}

// Frames of one sender to one device arrive in order, and a crowd of devices gets each its own.
func TestNATSOrder(t *testing.T) {
	bus := peer.StartNATS(t, "")
	a, b := dial(t, "a", bus), dial(t, "b", bus)
	const devices, frames = 50, 40
	all := make([]*device, devices)
	for i := range all {
		all[i] = newDevice("acks")
		defer must[func()](t)(b.Register(Key(fmt.Sprintf("d%d", i)), 1, all[i]))()
	}
	var senders sync.WaitGroup
	for i := range all {
		senders.Go(func() {
			for n := range frames {
				if got := a.Deliver(t.Context(), Key(fmt.Sprintf("d%d", i)), Frame{Body: fmt.Appendf(nil, "%d of %d", n, i)}); got != Acked {
					t.Errorf("frame %d of %d: %v", n, i, got)
				}
			}
		})
	}
	senders.Wait()
	for i, d := range all {
		for n := range frames {
			if want := fmt.Sprintf("%d of %d", n, i); n >= len(d.got) || string(d.got[n]) != want {
				t.Fatalf("device %d got %q in place %d of %d", i, d.got[min(n, len(d.got)-1)], n, len(d.got))
			}
		}
	}
}

func TestNATSAddressRefused(t *testing.T) {
	if _, err := DialNATS(NATSOptions{URL: "nats://127.0.0.1:1", Node: "a"}); err == nil {
		t.Error("dialled a port where nobody is")
	}
	if _, err := DialNATS(NATSOptions{URL: "nats://127.0.0.1:1", Node: "a b"}); !errors.Is(err, ErrName) {
		t.Errorf("bad node name: %v", err)
	}
}
