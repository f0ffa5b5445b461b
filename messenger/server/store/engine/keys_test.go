package engine

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// upload makes n one-time keys of each kind, ids from first on, and all single keys.
func upload(first uint32, n int) store.Upload {
	u := store.Upload{
		IdentityKey:     []byte("identity"),
		Signed:          &store.SignedPreKey{ID: 11, Public: []byte("signed"), Signature: []byte("sig")},
		LastResort:      &store.PreKey{ID: 0xFFFFFF, Public: []byte("last")},
		KyberLastResort: &store.SignedPreKey{ID: 22, Public: []byte("kyber last"), Signature: []byte("sig")},
	}
	for i := range uint32(n) {
		u.OneTime = append(u.OneTime, store.PreKey{ID: first + i, Public: []byte{1, byte(i), byte(i >> 8)}})
		u.Kyber = append(u.Kyber, store.SignedPreKey{ID: first + i, Public: []byte{2, byte(i)}, Signature: []byte("sig")})
	}
	return u
}

func testKeys(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	_, bare := register(t, w, bob)
	check(t, w.SetKeys(t.Context(), d, upload(100, 12)))
	w.reopen(t)
	a := must[store.Account](t)(w.Account(t.Context(), alice))
	if string(a.IdentityKey) != "identity" || a.Devices[0].Signed == nil || a.Devices[0].Signed.ID != 11 {
		t.Fatalf("got %+v", a)
	}
	got := must[[]store.Bundle](t)(w.TakeKeys(t.Context(), []store.DeviceKey{d, 999, bare}))
	want := []store.Bundle{{
		Device: d, Signed: &store.SignedPreKey{ID: 11, Public: []byte("signed"), Signature: []byte("sig")},
		OneTime: &store.PreKey{ID: 100, Public: []byte{1, 0, 0}}, Kyber: &store.SignedPreKey{ID: 100, Public: []byte{2, 0}, Signature: []byte("sig")},
		Left: store.LowKeys, KyberLeft: store.LowKeys,
	}, {Device: bare}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwanted %+v", got, want)
	}
	for range 11 {
		must[[]store.Bundle](t)(w.TakeKeys(t.Context(), []store.DeviceKey{d}))
	}
	for range 2 { // the last resort stays
		b := must[[]store.Bundle](t)(w.TakeKeys(t.Context(), []store.DeviceKey{d}))[0]
		if !b.LastResort || b.OneTime.ID != 0xFFFFFF || !b.KyberLastResort || b.Kyber.ID != 22 || b.Left != 0 {
			t.Errorf("all taken: %+v", b)
		}
	}
	// An upload replaces; what it does not name stays; an empty list clears.
	check(t, w.SetKeys(t.Context(), d, store.Upload{OneTime: []store.PreKey{{ID: 5, Public: []byte("five")}, {ID: 4, Public: []byte("four")}}}))
	check(t, w.SetSigned(t.Context(), d, store.SignedPreKey{ID: 12, Public: []byte("signed2"), Signature: []byte("sig2")}))
	b := must[[]store.Bundle](t)(w.TakeKeys(t.Context(), []store.DeviceKey{d}))[0]
	if b.OneTime.ID != 4 || b.Signed.ID != 12 || b.Kyber.ID != 22 || b.Left != 1 {
		t.Errorf("after another upload: %+v", b)
	}
	check(t, w.SetKeys(t.Context(), d, store.Upload{OneTime: []store.PreKey{}}))
	if one, kyber, err := w.CountKeys(t.Context(), d); one != 0 || kyber != 0 || err != nil {
		t.Errorf("cleared: %d, %d, %v", one, kyber, err)
	}
	if err := w.SetKeys(t.Context(), 999, upload(1, 1)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("keys of nobody: %v", err)
	}
	if err := w.SetKeys(t.Context(), d, upload(1, store.MaxOneTime+1)); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("too many keys: %v", err)
	}
}

// 1,000 fetches at once: no one-time key is given twice, none is lost, and who comes too late gets the last resort.
func testTakeOnce(t *testing.T, w *world) {
	const fetches, keys = 1000, 900
	_, d := register(t, w, alice)
	check(t, w.SetKeys(t.Context(), d, upload(1, keys)))
	var mu sync.Mutex
	oneTime, kyber, last := map[uint32]int{}, map[uint32]int{}, 0
	together(fetches, func(int) {
		got, err := w.TakeKeys(t.Context(), []store.DeviceKey{d})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil || len(got) != 1:
			t.Errorf("got %v, %v", got, err)
		case got[0].LastResort != got[0].KyberLastResort:
			t.Errorf("one kind ran out before the other: %+v", got[0])
		case got[0].LastResort:
			last++
		default:
			oneTime[got[0].OneTime.ID]++
			kyber[got[0].Kyber.ID]++
		}
	})
	for id, n := range oneTime {
		if n != 1 || kyber[id] != 1 {
			t.Errorf("key %d was given %d times, Kyber %d times", id, n, kyber[id])
		}
	}
	if len(oneTime) != keys || last != fetches-keys {
		t.Errorf("%d different keys and %d times the last resort, wanted %d and %d", len(oneTime), last, keys, fetches-keys)
	}
	if got := w.Stats().Taken; got != 2*keys {
		t.Errorf("counted %d keys taken, wanted %d", got, 2*keys)
	}
}
