package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

func enqueue(t testing.TB, s store.Store, d store.DeviceKey, bodies ...string) {
	t.Helper()
	var all []store.Envelope
	for _, b := range bodies {
		all = append(all, store.Envelope{Device: d, Body: []byte(b)})
	}
	for _, err := range s.Enqueue(t.Context(), all, now) {
		check(t, err)
	}
}

func bodies(page []store.Envelope) (out []string) {
	for _, e := range page {
		out = append(out, string(e.Body))
	}
	return out
}

func ids(page []store.Envelope) (out []int64) {
	for _, e := range page {
		out = append(out, e.ID)
	}
	return out
}

func testQueue(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	_, other := register(t, w, bob)
	e := store.Envelope{Device: d, GUID: store.GUID{1, 2, 15: 3}, Tag: -7, Body: []byte("one\x00")}
	for _, err := range w.Enqueue(t.Context(), []store.Envelope{e, {Device: d, Tag: 8, Body: []byte{}}, {Device: other, Tag: -7}}, now) {
		check(t, err)
	}
	w.reopen(t)
	page := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 100))
	if len(page) != 2 {
		t.Fatalf("got %d envelopes", len(page))
	}
	e.ID, e.Stored = page[0].ID, now.UnixMilli()
	if got := page[0]; got.GUID != e.GUID || got.Tag != e.Tag || !bytes.Equal(got.Body, e.Body) || got.Device != d || got.Stored != e.Stored || got.Tries != 0 {
		t.Errorf("got %+v, wanted %+v", got, e)
	}
	if n, size, err := w.Depth(t.Context(), d); n != 2 || size != 4 || err != nil {
		t.Errorf("depth %d, %d bytes, %v", n, size, err)
	}
	if tagged := must[[]store.Envelope](t)(w.Tagged(t.Context(), d, -7)); !slices.Equal(ids(tagged), ids(page[:1])) {
		t.Errorf("tagged %+v", tagged)
	}
	if rest := must[[]store.Envelope](t)(w.Page(t.Context(), d, e.ID, 100)); !slices.Equal(ids(rest), ids(page[1:])) {
		t.Errorf("after the first: %+v", rest)
	}
	// A device acknowledges its own only, and only what it names.
	if n := must[int](t)(w.Ack(t.Context(), other, ids(page))); n != 0 {
		t.Errorf("another device removed %d", n)
	}
	if n := must[int](t)(w.Ack(t.Context(), d, []int64{e.ID, 1 << 40})); n != 1 {
		t.Errorf("removed %d", n)
	}
	if n := must[int](t)(w.Ack(t.Context(), d, []int64{e.ID})); n != 0 {
		t.Errorf("removed again %d", n)
	}
	// An id is never given again, so a late acknowledgement cannot hit a newer envelope.
	must[int](t)(w.Ack(t.Context(), d, ids(page)))
	w.reopen(t)
	enqueue(t, w, d, "new")
	if got := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 1)); got[0].ID <= page[1].ID {
		t.Errorf("id %d was given again after %d", got[0].ID, page[1].ID)
	}
	if errs := w.Enqueue(t.Context(), []store.Envelope{{Device: d, Body: make([]byte, store.MaxEnvelope+1)}, {Device: d}}, now); !errors.Is(errs[0], store.ErrTooLarge) || errs[1] != nil {
		t.Errorf("too large: %v", errs)
	}
	for name, err := range map[string]error{
		"Ack":    second(w.Ack(t.Context(), d, make([]int64, store.MaxPage+1))),
		"Failed": second(w.Failed(t.Context(), d, make([]int64, store.MaxPage+1))),
	} {
		if !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%s of too many: %v", name, err)
		}
	}
}

func second(_ int, err error) error { return err }

// The queue against a model: per device a list of bodies with their tries. Reopening in between changes nothing.
func testQueueModel(t *testing.T, w *world) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	type item struct {
		id    int64
		body  string
		tries int
	}
	var devices []store.DeviceKey
	for i := range 4 {
		_, d := register(t, w, fmt.Sprintf("+1415555020%d", i))
		devices = append(devices, d)
	}
	model := map[store.DeviceKey][]item{}
	some := func(d store.DeviceKey) (out []int64) {
		for _, i := range model[d] {
			if r.IntN(3) == 0 && len(out) < store.MaxPage {
				out = append(out, i.id)
			}
		}
		return append(out, int64(r.IntN(1000))+1<<40) // and one that is not there
	}
	for step := range 400 {
		d := devices[r.IntN(len(devices))]
		switch r.IntN(10) {
		case 0, 1, 2, 3, 4:
			body := fmt.Sprintf("step %d %x", step, r.Uint64())
			enqueue(t, w, d, body)
			model[d] = append(model[d], item{body: body})
		case 5, 6, 7:
			acked := some(d)
			must[int](t)(w.Ack(t.Context(), d, acked))
			model[d] = slices.DeleteFunc(model[d], func(i item) bool { return slices.Contains(acked, i.id) })
		case 8:
			failed, dropped := some(d), 0
			for i := range model[d] {
				if slices.Contains(failed, model[d][i].id) {
					model[d][i].tries++
				}
			}
			model[d] = slices.DeleteFunc(model[d], func(i item) bool {
				if i.tries < store.MaxTries {
					return false
				}
				dropped++
				return true
			})
			if n := must[int](t)(w.Failed(t.Context(), d, failed)); n != dropped {
				t.Fatalf("step %d: dropped %d, wanted %d", step, n, dropped)
			}
		case 9:
			if r.IntN(8) == 0 {
				w.reopen(t)
			}
		}
		// Compare the device's queue and learn ids.
		var got []store.Envelope
		for after := int64(0); ; after = got[len(got)-1].ID {
			page := must[[]store.Envelope](t)(w.Page(t.Context(), d, after, 1+r.IntN(20)))
			if got = append(got, page...); len(page) == 0 {
				break
			}
		}
		if len(got) != len(model[d]) {
			t.Fatalf("step %d: %d envelopes, wanted %d", step, len(got), len(model[d]))
		}
		for i, e := range got {
			m := &model[d][i]
			if m.id == 0 {
				m.id = e.ID
			}
			if e.ID != m.id || string(e.Body) != m.body || e.Tries != m.tries {
				t.Fatalf("step %d: place %d has %d %q %d, wanted %+v", step, i, e.ID, e.Body, e.Tries, *m)
			}
		}
	}
}

func testQueueBounds(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	_, other := register(t, w, bob)
	all := make([]store.Envelope, store.MaxQueued+1)
	for i := range all {
		all[i].Device = d
	}
	errs := w.Enqueue(t.Context(), all, now)
	for i, err := range errs[:store.MaxQueued] {
		if err != nil {
			t.Fatalf("envelope %d: %v", i, err)
		}
	}
	if !errors.Is(errs[store.MaxQueued], store.ErrQueueFull) {
		t.Errorf("one too many: %v", errs[store.MaxQueued])
	}
	enqueue(t, w, other, "another device is not concerned")
	page := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 1000))
	if len(page) != store.MaxPage {
		t.Errorf("a page of %d", len(page))
	}
	must[int](t)(w.Ack(t.Context(), d, ids(page[:1])))
	enqueue(t, w, d, "there is room again")

	big := make([]store.Envelope, store.MaxQueuedSize/store.MaxEnvelope+1)
	for i := range big {
		big[i] = store.Envelope{Device: other, Body: make([]byte, store.MaxEnvelope)}
	}
	errs = w.Enqueue(t.Context(), big[:4], now)
	check(t, errors.Join(errs...))
	full := 0
	for _, e := range big[4:] { // one by one, for 64 MB in one commit is not what a server does
		if err := w.Enqueue(t.Context(), []store.Envelope{e}, now)[0]; errors.Is(err, store.ErrQueueFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, size, err := w.Depth(t.Context(), other); full != 2 || size > store.MaxQueuedSize || err != nil {
		t.Errorf("%d refused, %d bytes, %v", full, size, err)
	}
}

func testPageSize(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	for range store.MaxPageSize/store.MaxEnvelope + 2 {
		enqueue(t, w, d, string(make([]byte, store.MaxEnvelope)))
	}
	if page := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 100)); len(page) != store.MaxPageSize/store.MaxEnvelope {
		t.Errorf("a page of %d MiB", len(page))
	}
}

func testFailed(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	enqueue(t, w, d, "poison", "good")
	page := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 100))
	for i := 1; i < store.MaxTries; i++ {
		if n := must[int](t)(w.Failed(t.Context(), d, ids(page[:1]))); n != 0 {
			t.Fatalf("dropped after %d tries", i)
		}
	}
	if n := must[int](t)(w.Failed(t.Context(), d, ids(page[:1]))); n != 1 {
		t.Errorf("dropped %d at the limit", n)
	}
	if left := must[[]store.Envelope](t)(w.Page(t.Context(), d, 0, 100)); !slices.Equal(bodies(left), []string{"good"}) {
		t.Errorf("left %v", bodies(left))
	}
}

// Many at once share commits, and each gets its own answer. Commits are held up until all have come: else a fast disk is done with one before the
// next comes.
func testManyWriters(t *testing.T, w *world) {
	var devices []store.DeviceKey
	for i := range 10 {
		_, d := register(t, w, fmt.Sprintf("+1415555030%d", i))
		devices = append(devices, d)
	}
	before := w.Stats()
	var refused, came atomic.Int32
	release := holdWrites(t, w.url)
	together(2000, func(i int) {
		d := devices[i%len(devices)]
		if i%20 == 19 {
			d = 999_999
		}
		if came.Add(1) == 2000 {
			release()
		}
		switch err := w.Enqueue(t.Context(), []store.Envelope{{Device: d, Body: fmt.Appendf(nil, "%d", i)}}, now)[0]; {
		case errors.Is(err, store.ErrNotFound) && d == 999_999:
			refused.Add(1)
		case err != nil || d == 999_999:
			t.Errorf("envelope %d: %v", i, err)
		}
	})
	after := w.Stats()
	if n := must[int](t)(w.CountQueued(t.Context())); n != 1900 || refused.Load() != 100 || after.Enqueued-before.Enqueued != 1900 {
		t.Errorf("%d queued, %d counted, %d refused", n, after.Enqueued-before.Enqueued, refused.Load())
	}
	if commits := after.Commits - before.Commits; commits > 1000 {
		t.Errorf("2,000 changes at once took %d commits", commits)
	}
}

// Many more readers than connections, on a store whose statements were never used before.
func testManyReaders(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	enqueue(t, w, d, "x")
	w.reopen(t)
	together(200, func(int) {
		page, err := w.Page(t.Context(), d, 0, 10)
		a, err2 := w.Account(t.Context(), alice)
		if err != nil || err2 != nil || len(page) != 1 || a.Name != alice {
			t.Errorf("got %v, %v, %v, %v", page, err, a, err2)
		}
	})
}
