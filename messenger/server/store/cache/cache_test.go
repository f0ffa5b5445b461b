package cache_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/cache"
	"github.com/countersign-project/countersign/messenger/server/store/sqlite"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const name = "+14155550001"

// world is a database, and a cache in front of it.
type world struct {
	*testing.T
	below  store.Store
	cached *cache.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	below, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = below.Close() })
	return &world{t, below, cache.Of(below)}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) register(name string) store.Account {
	w.Helper()
	a, _, err := w.cached.Register(w.Context(), store.Registration{Name: name, Secret: []byte("s"), Now: now})
	w.ok(err)
	return a
}

// kept wants so many accounts in memory.
func (w *world) kept(want int) {
	w.Helper()
	if n, _, _ := w.cached.Kept(); n != want {
		w.Errorf("%d accounts are in memory, want %d", n, want)
	}
}

// same wants the cache to say what the database says, by name and by key.
func (w *world) same(name string, key store.AccountKey) {
	w.Helper()
	want, wantErr := w.below.Account(w.Context(), name)
	got, gotErr := w.cached.Account(w.Context(), name)
	if !reflect.DeepEqual(got, want) || !errors.Is(gotErr, wantErr) {
		w.Errorf("%s: the cache has %+v, %v\nand the database %+v, %v", name, got, gotErr, want, wantErr)
	}
	want, wantErr = w.below.AccountOf(w.Context(), key)
	got, gotErr = w.cached.AccountOf(w.Context(), key)
	if !reflect.DeepEqual(got, want) || !errors.Is(gotErr, wantErr) {
		w.Errorf("account %d: the cache has %+v, %v\nand the database %+v, %v", key, got, gotErr, want, wantErr)
	}
}

// changes are all methods of a store that change what an account is.
var changes = map[string]func(w *world, a store.Account) error{
	"Register": func(w *world, a store.Account) error {
		_, _, err := w.cached.Register(w.Context(), store.Registration{Name: a.Name, Pin: "1234", Secret: []byte("other"), Now: now})
		return err
	},
	"DeleteAccount": func(w *world, a store.Account) error {
		_, err := w.cached.DeleteAccount(w.Context(), a.Key)
		return err
	},
	"Rename": func(w *world, a store.Account) error {
		return w.cached.Rename(w.Context(), a.Key, "+14155550009", "", now)
	},
	"SetProfile": func(w *world, a store.Account) error {
		return w.cached.SetProfile(w.Context(), a.Key, "Ann", "picture")
	},
	"SetPin": func(w *world, a store.Account) error { return w.cached.SetPin(w.Context(), a.Key, "4321") },
	"SetDeviceList": func(w *world, a store.Account) error {
		return w.cached.SetDeviceList(w.Context(), a.Key, 7, []byte("list"))
	},
	"SetUsername": func(w *world, a store.Account) error { return w.cached.SetUsername(w.Context(), a.Key, "ann") },
	"AddDevice": func(w *world, a store.Account) error {
		if err := w.cached.PutCode(w.Context(), store.CodeProvision, a.Name, "222222", now, now.Add(time.Hour)); err != nil {
			return err
		}
		_, err := w.cached.AddDevice(w.Context(), a.Name, "222222", 6, []byte("x"), store.Attributes{Name: "third"}, now)
		return err
	},
	"RemoveDevice": func(w *world, a store.Account) error {
		_, err := w.cached.RemoveDevice(w.Context(), a.Key, 2)
		return err
	},
	"SetAttributes": func(w *world, a store.Account) error {
		return w.cached.SetAttributes(w.Context(), a.Devices[0].Key, store.Attributes{Name: "changed"})
	},
	"SetPush": func(w *world, a store.Account) error {
		return w.cached.SetPush(w.Context(), a.Devices[1].Key, store.Push{GCM: "g"})
	},
	"SetSecret": func(w *world, a store.Account) error {
		return w.cached.SetSecret(w.Context(), a.Devices[1].Key, []byte("new"))
	},
	"Seen": func(w *world, a store.Account) error {
		return w.cached.Seen(w.Context(), a.Devices[0].Key, store.DayOf(now)+5)
	},
	"SetKeys": func(w *world, a store.Account) error {
		return w.cached.SetKeys(w.Context(), a.Devices[0].Key, store.Upload{IdentityKey: make([]byte, 33)})
	},
	"SetSigned": func(w *world, a store.Account) error {
		return w.cached.SetSigned(w.Context(), a.Devices[0].Key, store.SignedPreKey{ID: 9, Public: make([]byte, 33), Signature: make([]byte, 64)})
	},
}

// others change no account.
var others = []string{"Account", "AccountOf", "Ack", "Allocate", "Arrive", "AttachmentOf", "Backup", "ByUsername", "CheckCode", "CheckInvite", "Close",
	"CompleteAttachment", "CountAccounts", "CountKeys", "CountQueued", "Depth", "Directory", "Enqueue", "Failed", "Heartbeat", "Invites", "Leave",
	"LeaveAll", "Page", "Ping", "PutCode", "PutInvite", "Referenced", "RevokeInvite", "Stats", "Sweep", "Tagged", "TakeKeys", "Where"}

func TestEveryChangeIsSeen(t *testing.T) {
	all := reflect.TypeFor[store.Store]()
	for i := range all.NumMethod() {
		method := all.Method(i).Name
		change, ok := changes[method]
		if !ok {
			if !slices.Contains(others, method) {
				t.Errorf("store.Store has a method %s: does it change accounts? If it does, the cache must forget them", method)
			}
			continue
		}
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			a := w.register(name)
			w.ok(w.below.PutCode(t.Context(), store.CodeProvision, name, "111111", now, now.Add(time.Hour)))
			_, err := w.below.AddDevice(t.Context(), name, "111111", 6, []byte("x"), store.Attributes{}, now)
			w.ok(err)
			w.same(name, a.Key) // twice, and now it is in memory
			w.kept(1)
			a, err = w.cached.Account(t.Context(), name)
			w.ok(err)
			was := fmt.Sprint(w.below.AccountOf(t.Context(), a.Key))
			w.ok(change(w, a))
			if is := fmt.Sprint(w.below.AccountOf(t.Context(), a.Key)); is == was {
				t.Fatalf("the test changed nothing: %s", is)
			}
			w.same(name, a.Key)
			w.same("+14155550009", a.Key)
		})
	}
}

// Accounts are read twice, however often they are asked for: what is read once only does not stay.
func TestReadTwice(t *testing.T) {
	w := newWorld(t)
	a := w.register(name)
	if _, err := w.cached.Account(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	w.kept(0)
	w.same(name, a.Key)
	w.kept(1)
	w.ok(w.below.SetPin(t.Context(), a.Key, "behind its back")) // what the package says nobody may do
	if got, err := w.cached.Account(t.Context(), name); err != nil || got.Pin != "" {
		t.Errorf("read again: %+v, %v", got, err)
	}
}

// slow is a store in which something happens between a read and its return.
type slow struct {
	store.Store
	meanwhile func()
}

func (s *slow) Account(ctx context.Context, name string) (store.Account, error) {
	a, err := s.Store.Account(ctx, name)
	if f := s.meanwhile; f != nil {
		s.meanwhile = nil
		f()
	}
	return a, err
}

// A reader that was in the database before a change, and comes back after it, is not remembered.
func TestReaderOvertakenByChange(t *testing.T) {
	w := newWorld(t)
	a := w.register(name)
	s := &slow{Store: w.below}
	c := cache.Of(s)
	if _, err := c.Account(t.Context(), name); err != nil { // the next reading is the one that would stay
		t.Fatal(err)
	}
	s.meanwhile = func() { w.ok(c.SetPin(t.Context(), a.Key, "1234")) }
	if got, err := c.Account(t.Context(), name); err != nil || got.Pin != "" {
		t.Fatalf("%+v, %v: want the account as it was, for the read began before the change", got, err)
	}
	if got, err := c.Account(t.Context(), name); err != nil || got.Pin != "1234" {
		t.Errorf("%+v, %v: want the change", got, err)
	}
}

// failing is a store whose changes are committed and reported lost.
type failing struct{ store.Store }

func (f failing) SetPin(ctx context.Context, a store.AccountKey, pin string) error {
	_ = f.Store.SetPin(ctx, a, pin)
	return store.ErrUnavailable
}

func TestChangeOfUnknownOutcome(t *testing.T) {
	w := newWorld(t)
	a := w.register(name)
	c := cache.Of(failing{w.below})
	for range 2 {
		if _, err := c.Account(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SetPin(t.Context(), a.Key, "1234"); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if got, err := c.Account(t.Context(), name); err != nil || got.Pin != "1234" {
		t.Errorf("%+v, %v: want what the database has", got, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	usual := cache.SizeOf(w.register("+14155559999"))
	c := cache.OfAtMost(w.below, 10*usual+usual/2)
	for i := range 50 {
		a := w.register(fmt.Sprintf("+1415555%04d", i))
		for range 2 {
			if got, err := c.Account(t.Context(), a.Name); err != nil || got.Key != a.Key {
				t.Fatalf("%+v, %v", got, err)
			}
		}
	}
	if n, names, devices := c.Kept(); n != 10 || names != 10 || devices != 10 {
		t.Errorf("%d accounts, %d names and %d devices are kept, want 10 of each", n, names, devices)
	}
	a, err := c.Account(t.Context(), "+14155559999")
	w.ok(err)
	w.ok(c.SetDeviceList(t.Context(), a.Key, 1, make([]byte, 5*usual)))
	for range 2 {
		_, err := c.Account(t.Context(), a.Name)
		w.ok(err)
	}
	if n, _, _ := c.Kept(); n > 5 {
		t.Errorf("%d accounts are kept, of which one takes the room of six", n)
	}
	w.ok(c.Close())
	if n, _, _ := c.Kept(); n != 0 {
		t.Errorf("%d accounts are kept after the end", n)
	}
	if _, err := c.Account(t.Context(), "+14155550049"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}

// Readers and writers at once, for the race detector; in the end the cache says what the database says.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.register(name)
	done := make(chan error, 8)
	for n := range 8 {
		go func() {
			var err error
			for i := 0; i < 50 && err == nil; i++ {
				if n < 2 {
					err = w.cached.SetPin(w.Context(), a.Key, fmt.Sprint(n, i))
				} else {
					_, err = w.cached.AccountOf(w.Context(), a.Key)
				}
			}
			done <- err
		}()
	}
	for range 8 {
		w.ok(<-done)
	}
	w.same(name, a.Key)
}

func TestMarks(t *testing.T) {
	var m cache.Marks
	wrong := 0
	for key := store.AccountKey(1); key <= 10_000; key++ {
		if m.Mark(key) {
			wrong++
		}
		if !m.Mark(key) {
			t.Fatalf("account %d was marked and is not", key)
		}
	}
	if wrong > 1500 {
		t.Errorf("of 10,000 accounts %d were taken for others", wrong)
	}
	for key := store.AccountKey(1); key <= 100_000; key++ {
		m.Mark(key) // it starts anew several times
	}
	if m.Mark(1) {
		t.Error("a mark stays for ever")
	}
}
