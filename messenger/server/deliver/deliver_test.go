package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/engine"
)

// 10,000 envelopes between connected devices: the store's counters stand still, and so do its files.
func TestOnlineWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := must[store.Store](t)(engine.Open(t.Context(), path, engine.Options{}))
	defer func() { _ = s.Close() }()
	devices := registerDevices(t, s, 20)
	n := newNode(s, &Alone{}, route.NewLocal("one", hanging), Options{Poll: -1})
	phones := make([]*phone, len(devices))
	for i, d := range devices {
		phones[i] = &phone{}
		defer attach(t, n, d, phones[i]).Detach(t.Context())
	}
	eventually(t, "all drained", func() bool {
		return !slices.ContainsFunc(phones, func(p *phone) bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.empties) == 0 })
	})
	eventually(t, "live", func() bool {
		return !slices.ContainsFunc(send(t, n, "hello", devices...), func(r Result) bool { return !r.Live })
	})

	stats, files := s.Stats(), fileTimes(t, path)
	const each = 500
	var senders sync.WaitGroup
	for i, d := range devices {
		senders.Go(func() {
			for m := range each {
				r := n.Send(t.Context(), []Message{{Device: d, GUID: guid(m), Body: make([]byte, 1024)}})
				if r[0] != (Result{Live: true}) {
					t.Errorf("envelope %d for phone %d: %+v", m, i, r[0])
				}
			}
		})
	}
	senders.Wait()
	if now := s.Stats(); now != stats {
		t.Errorf("10,000 online envelopes changed the store's counters from %+v to %+v", stats, now)
	}
	if now := fileTimes(t, path); now != files {
		t.Errorf("10,000 online envelopes changed the store's files:\n%s\n%s", files, now)
	}
	// The counters do move when somebody is not there.
	if r := send(t, n, "x", registerDevices(t, s, 21)[20]); !r[0].Queued || s.Stats().Bytes == stats.Bytes {
		t.Errorf("an offline envelope left no trace: %+v", r)
	}
}

func fileTimes(t *testing.T, path string) string {
	t.Helper()
	var out strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		info := must[os.FileInfo](t)(os.Stat(path + suffix))
		fmt.Fprintf(&out, "%s %d %d\n", suffix, info.Size(), info.ModTime().UnixNano())
	}
	return out.String()
}

// The backlog comes first and in order, then Empty, then what is sent now.
func TestBacklogThenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		var want []string
		for i := range 250 {
			text := fmt.Sprintf("old %d", i)
			want = append(want, text)
			if r := send(t, n, text, 1); r[0] != (Result{Queued: true}) {
				t.Fatalf("%+v", r)
			}
		}
		p := &phone{hold: true}
		a := attach(t, n, 1, p)
		synctest.Wait()
		// It holds the first page. What comes now must wait behind the other pages: queued, though it is connected.
		if r := send(t, n, "during the drain", 1); r[0] != (Result{Queued: true, Online: true}) {
			t.Errorf("%+v", r)
		}
		want = append(want, "during the drain")
		p.release(true)
		synctest.Wait()
		if r := send(t, n, "live", 1); r[0] != (Result{Live: true}) {
			t.Errorf("%+v", r)
		}
		if got := p.have(); !slices.Equal(got, append(want, "live")) {
			t.Errorf("got %d: %v", len(got), got)
		}
		if !slices.Equal(p.empties, []int{251}) || q.depth(1) != 0 {
			t.Errorf("Empty after %v, %d left", p.empties, q.depth(1))
		}
		a.Detach(t.Context())
		a.Detach(t.Context()) // harmless
		if r := send(t, n, "gone", 1); r[0] != (Result{Queued: true}) {
			t.Errorf("%+v", r)
		}
	})
}

func TestEphemeralIsNeverQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		typing := []Message{{Device: 1, Body: []byte("typing"), Ephemeral: true}}
		if r := n.Send(t.Context(), typing); r[0] != (Result{}) || q.writes != 0 {
			t.Errorf("%+v, %d writes", r, q.writes)
		}
		n.AlwaysDurable = true
		p := &phone{}
		defer attach(t, n, 1, p).Detach(t.Context())
		synctest.Wait()
		if r := n.Send(t.Context(), typing); r[0] != (Result{Live: true}) || q.writes != 0 {
			t.Errorf("%+v, %d writes", r, q.writes)
		}
		if s := n.Sender.Stats(); s.Ephemeral != 1 || s.Live != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAlwaysDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		n.AlwaysDurable = true
		p := &phone{}
		defer attach(t, n, 1, p).Detach(t.Context())
		synctest.Wait()
		if r := send(t, n, "x", 1); r[0] != (Result{Queued: true, Online: true}) || q.writes != 1 {
			t.Errorf("%+v, %d writes", r, q.writes)
		}
		synctest.Wait()
		if got := p.have(); !slices.Equal(got, []string{"x"}) || q.depth(1) != 0 {
			t.Errorf("got %v, %d left", got, q.depth(1))
		}
	})
}

// One send to several devices: each gets what it can, and an error of one is its own.
func TestMixedSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		p := &phone{}
		defer attach(t, n, 1, p).Detach(t.Context())
		synctest.Wait()
		if r := send(t, n, "x", 1, 2); r[0] != (Result{Live: true}) || r[1] != (Result{Queued: true}) {
			t.Errorf("%+v", r)
		}
		// With the store away, devices that are connected still talk; the others' senders are told.
		q.setDown(true)
		r := send(t, n, "y", 1, 2)
		if r[0] != (Result{Live: true}) || !errors.Is(r[1].Err, store.ErrUnavailable) || r[1].Queued {
			t.Errorf("%+v", r)
		}
		if s := n.Sender.Stats(); s.Live != 2 || s.Queued != 1 || s.Rejected != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A device that connects while the store is away gets its backlog when the store is back.
func TestDrainOutlivesTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		send(t, n, "old", 1)
		q.setDown(true)
		p := &phone{}
		defer attach(t, n, 1, p).Detach(t.Context())
		time.Sleep(time.Minute)
		if len(p.have()) != 0 || len(p.empties) != 0 {
			t.Errorf("got %v, empties %v", p.have(), p.empties)
		}
		q.setDown(false)
		time.Sleep(2 * retryPause)
		if got := p.have(); !slices.Equal(got, []string{"old"}) || len(p.empties) != 1 {
			t.Errorf("got %v, empties %v", got, p.empties)
		}
	})
}

// The sender gives up, queues, and then the device's acknowledgement comes after all: it does not see it twice.
func TestLateAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		p := &phone{hold: true}
		defer attach(t, n, 1, p).Detach(t.Context())
		synctest.Wait()
		if r := send(t, n, "slow", 1); r[0] != (Result{Queued: true, Online: true}) {
			t.Errorf("%+v", r)
		}
		synctest.Wait() // woken, the drain waits for the flight to land
		p.release(true)
		synctest.Wait()
		if got := p.have(); !slices.Equal(got, []string{"slow"}) || q.depth(1) != 0 || n.Hub.Stats().Repeats != 1 {
			t.Errorf("got %v, %d left, %+v", got, q.depth(1), n.Hub.Stats())
		}
		// If it is refused after all, the queued copy is pushed.
		p.hold = true
		send(t, n, "slower", 1)
		synctest.Wait()
		p.release(false)
		synctest.Wait()
		if got := p.have(); !slices.Equal(got, []string{"slow", "slower", "slower"}) || q.depth(1) != 0 {
			t.Errorf("got %v, %d left", got, q.depth(1))
		}
	})
}

// A slow device does not pile up envelopes in memory: beyond the window they go to its queue.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		p := &phone{hold: true}
		defer attach(t, n, 1, p).Detach(t.Context())
		synctest.Wait()
		var senders sync.WaitGroup
		for range 200 {
			senders.Go(func() { send(t, n, "x", 1) })
		}
		synctest.Wait()
		if queued := q.depth(1); queued != 200-64 {
			t.Errorf("%d queued, wanted all but a window of 64", queued)
		}
		p.release(true)
		senders.Wait()
		synctest.Wait()
		if got := len(p.have()); got != 200 || q.depth(1) != 0 {
			t.Errorf("got %d, %d left", got, q.depth(1))
		}
	})
}

// What the connection did not acknowledge before it ended is there for the next one, uncounted as a failure.
func TestDetachKeepsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		for i := range 5 {
			send(t, n, fmt.Sprint(i), 1)
		}
		p := &phone{hold: true}
		a := attach(t, n, 1, p)
		synctest.Wait()
		p.held[0](true)
		p.held[3](true)
		synctest.Wait()
		a.Detach(t.Context())
		synctest.Wait()
		p.release(false) // as a connection does when it ends
		second := &phone{}
		defer attach(t, n, 1, second).Detach(t.Context())
		synctest.Wait()
		if got := second.have(); !slices.Equal(got, []string{"1", "2", "4"}) || q.depth(1) != 0 {
			t.Errorf("the next connection got %v, %d left", got, q.depth(1))
		}
	})
}

// An envelope that the device always refuses does not stop the others, and is dropped in the end.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := alone()
		p := &phone{refuse: func(body string) bool { return body == "poison" }}
		send(t, n, "poison", 1)
		send(t, n, "good", 1)
		a := attach(t, n, 1, p)
		synctest.Wait()
		if got := p.have(); !slices.Equal(got, []string{"good"}) || q.depth(1) != 1 || len(p.empties) != 1 {
			t.Errorf("got %v, %d left, empties %v", got, q.depth(1), p.empties)
		}
		for range store.MaxTries - 1 {
			a.Wake()
			synctest.Wait()
		}
		if q.depth(1) != 0 || n.Hub.Stats().Dropped != 1 {
			t.Errorf("%d left, %+v", q.depth(1), n.Hub.Stats())
		}
		a.Detach(t.Context())
	})
}

func TestDisplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := alone()
		first, second := &phone{}, &phone{}
		a := attach(t, n, 1, first)
		b := attach(t, n, 1, second)
		synctest.Wait()
		if first.gone() == 0 || second.gone() != 0 {
			t.Errorf("displaced %d and %d times", first.gone(), second.gone())
		}
		a.Detach(t.Context()) // late: the second stays
		if r := send(t, n, "x", 1); !r[0].Live || len(second.have()) != 1 {
			t.Errorf("%+v, second has %v", r, second.have())
		}
		b.Detach(t.Context())
		if places := must[map[store.DeviceKey]store.Place](t)(n.presence.Where(t.Context(), []store.DeviceKey{1}, time.Now())); len(places) != 0 {
			t.Errorf("still present: %v", places)
		}
	})
}

// A wake that is lost costs at most the belt's time; a presence row that is lost is put back.
func TestBelt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, presence := newMemory(), &Alone{}
		local := route.NewLocal("one", 0)
		n := newNode(q, presence, local, Options{Poll: 30 * time.Second})
		p := &phone{}
		a := attach(t, n, 1, p)
		defer a.Detach(t.Context())
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { n.Run(ctx) })
		synctest.Wait()

		// Another node's envelope, whose wake never comes.
		q.Enqueue(t.Context(), []store.Envelope{{Device: 1, Body: []byte("unannounced")}}, time.Now())
		time.Sleep(31 * time.Second)
		if got := p.have(); !slices.Equal(got, []string{"unannounced"}) {
			t.Errorf("got %v", got)
		}
		// Somebody swept the presence of a node that seemed dead.
		if err := presence.LeaveAll(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		if got, _ := presence.Where(t.Context(), []store.DeviceKey{1}, time.Now()); got[1] != a.place {
			t.Errorf("presence %v, wanted %v", got, a.place)
		}
		// The device is somewhere else, and the order to go was lost.
		if _, err := presence.Arrive(t.Context(), 1, store.Place{Node: "two", Epoch: 7}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		if p.gone() != 1 {
			t.Errorf("displaced %d times", p.gone())
		}
		stop()
		running.Wait()
	})
}

// lapsing is a presence whose heartbeats fail for a while.
type lapsing struct {
	Alone
	mu    sync.Mutex
	until []time.Time
	down  bool
}

// Heartbeat implements Presence.
func (l *lapsing) Heartbeat(_ context.Context, _ string, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return store.ErrUnavailable
	}
	l.until = append(l.until, until)
	return nil
}

// A node renews its lease in time; when the lease had lapsed, its devices look for what came meanwhile, without
// waiting for the belt.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, presence := newMemory(), &lapsing{}
		n := newNode(q, presence, route.NewLocal("one", 0), Options{Lease: 30 * time.Second, Poll: -1})
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := &phone{}
		defer attach(t, n, 1, p).Detach(t.Context())
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { n.Run(ctx) })
		time.Sleep(61 * time.Second)
		presence.mu.Lock()
		for i := 1; i < len(presence.until); i++ {
			if gap := presence.until[i].Sub(presence.until[i-1]); gap > 15*time.Second {
				t.Errorf("%v between heartbeats of a 30 s lease", gap)
			}
		}
		if len(presence.until) < 6 {
			t.Errorf("%d heartbeats in a minute", len(presence.until))
		}
		presence.down = true
		presence.mu.Unlock()
		time.Sleep(time.Minute)
		q.Enqueue(t.Context(), []store.Envelope{{Device: 1, Body: []byte("while lapsed")}}, time.Now())
		presence.mu.Lock()
		presence.down = false
		presence.mu.Unlock()
		time.Sleep(11 * time.Second)
		if got := p.have(); !slices.Equal(got, []string{"while lapsed"}) {
			t.Errorf("got %v", got)
		}
		stop()
		running.Wait()
	})
}
