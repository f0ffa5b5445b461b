package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

const alice, bob = "+14155550101", "+14155550102"

func testRegister(t *testing.T, w *world) {
	given := store.Attributes{Name: "enc", RegistrationID: 16380, SignalingKey: []byte{1, 2, 3}, FetchesMessages: true, Voice: true, Video: true}
	a, gone, err := w.Register(t.Context(), store.Registration{Name: alice, Pin: "1234", Secret: []byte("s"), Attributes: given, Now: now})
	check(t, err)
	if len(gone) != 0 || a.Name != alice || a.Pin != "1234" || len(a.Devices) != 1 || a.Seen != store.DayOf(now) {
		t.Fatalf("got %+v, gone %v", a, gone)
	}
	d := a.Devices[0]
	if !reflect.DeepEqual(d.Attributes, given) || d.ID != store.MasterDevice || string(d.Secret) != "s" || d.Account != a.Key || d.Signed != nil {
		t.Errorf("got device %+v", d)
	}
	w.reopen(t)
	again, err := w.Account(t.Context(), alice)
	check(t, err)
	if !reflect.DeepEqual(again, a) {
		t.Errorf("after reopening:\n%+v\nbefore:\n%+v", again, a)
	}
	byKey, err := w.AccountOf(t.Context(), a.Key)
	if check(t, err); !reflect.DeepEqual(byKey, a) {
		t.Errorf("by key: %+v", byKey)
	}
	if _, err := w.Account(t.Context(), bob); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown account: %v", err)
	}
}

// Whoever registers a name again gets nothing of what was queued for, or uploaded by, the one before.
func testTakeOver(t *testing.T, w *world) {
	a, old := register(t, w, alice)
	check(t, w.PutCode(t.Context(), store.CodeProvision, alice, "111111", now, now.Add(time.Minute)))
	second := must[store.Device](t)(w.AddDevice(t.Context(), alice, "111111", 6, []byte("x"), store.Attributes{}, now))
	check(t, w.SetKeys(t.Context(), old, upload(1, 5)))
	check(t, w.SetUsername(t.Context(), a.Key, "alice"))
	check(t, w.SetDeviceList(t.Context(), a.Key, 7, []byte("list")))
	for _, err := range w.Enqueue(t.Context(), []store.Envelope{{Device: old, Body: []byte("1")}, {Device: second.Key, Body: []byte("2")}}, now) {
		check(t, err)
	}
	must[store.Place](t)(w.Arrive(t.Context(), old, store.Place{Node: "n", Epoch: 1}))

	b, gone, err := w.Register(t.Context(), store.Registration{Name: alice, Secret: []byte("new"), Now: now.AddDate(0, 0, 2)})
	check(t, err)
	if want := []store.DeviceKey{old, second.Key}; !slices.Equal(gone, want) {
		t.Errorf("gone %v, wanted %v", gone, want)
	}
	if b.Key != a.Key || len(b.Devices) != 1 || slices.Contains(gone, b.Devices[0].Key) {
		t.Errorf("after taking over: %+v", b)
	}
	if b.IdentityKey != nil || b.DeviceList != nil || b.ListSerial != 0 || b.Username != "alice" || string(b.Devices[0].Secret) != "new" {
		t.Errorf("after taking over: %+v", b)
	}
	for _, d := range append(gone, b.Devices[0].Key) {
		if n, _, err := w.Depth(t.Context(), d); err != nil || n != 0 {
			t.Errorf("device %d has %d envelopes, %v", d, n, err)
		}
		if one, kyber, err := w.CountKeys(t.Context(), d); err != nil || one+kyber != 0 {
			t.Errorf("device %d has %d+%d keys, %v", d, one, kyber, err)
		}
	}
	if errs := w.Enqueue(t.Context(), []store.Envelope{{Device: old}}, now); !errors.Is(errs[0], store.ErrNotFound) {
		t.Errorf("enqueue for a removed device: %v", errs[0])
	}
}

func testAccountFields(t *testing.T, w *world) {
	a, _ := register(t, w, alice)
	b, _ := register(t, w, bob)
	check(t, w.SetProfile(t.Context(), a.Key, "name72", "avatar"))
	check(t, w.SetPin(t.Context(), a.Key, "9999"))
	check(t, w.SetUsername(t.Context(), a.Key, "alice.01"))
	check(t, w.SetDeviceList(t.Context(), a.Key, 3, []byte("three")))
	if err := w.SetDeviceList(t.Context(), a.Key, 3, []byte("other")); !errors.Is(err, store.ErrStale) {
		t.Errorf("same serial: %v", err)
	}
	if err := w.SetUsername(t.Context(), b.Key, "alice.01"); !errors.Is(err, store.ErrTaken) {
		t.Errorf("username of somebody else: %v", err)
	}
	got := must[store.Account](t)(w.ByUsername(t.Context(), "alice.01"))
	if got.Key != a.Key || got.ProfileName != "name72" || got.Avatar != "avatar" || got.Pin != "9999" || string(got.DeviceList) != "three" || got.ListSerial != 3 {
		t.Errorf("got %+v", got)
	}
	check(t, w.SetUsername(t.Context(), a.Key, ""))
	check(t, w.SetUsername(t.Context(), b.Key, "alice.01"))
	for name, err := range map[string]error{
		"SetProfile":    w.SetProfile(t.Context(), 999, "", ""),
		"SetPin":        w.SetPin(t.Context(), 999, ""),
		"SetUsername":   w.SetUsername(t.Context(), 999, "x"),
		"SetDeviceList": w.SetDeviceList(t.Context(), 999, 1, nil),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of an unknown account: %v", name, err)
		}
	}
	if n := must[int](t)(w.CountAccounts(t.Context())); n != 2 {
		t.Errorf("%d accounts", n)
	}
}

func testRename(t *testing.T, w *world) {
	a, d := register(t, w, alice)
	register(t, w, bob)
	if err := w.Rename(t.Context(), a.Key, bob, "", now); !errors.Is(err, store.ErrTaken) {
		t.Errorf("to a taken name: %v", err)
	}
	const carol = "+14155550103"
	if err := w.Rename(t.Context(), a.Key, carol, "000000", now); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("with a wrong code: %v", err)
	}
	check(t, w.PutCode(t.Context(), store.CodeRegister, carol, "123456", now, now.Add(time.Minute)))
	check(t, w.Rename(t.Context(), a.Key, carol, "123456", now))
	got := must[store.Account](t)(w.Account(t.Context(), carol))
	if got.Key != a.Key || got.Devices[0].Key != d {
		t.Errorf("got %+v", got)
	}
	hits := must[[]store.DirectoryEntry](t)(w.Directory(t.Context(), []store.DirectoryToken{store.TokenOf(alice), store.TokenOf(carol)}, 0))
	if len(hits) != 1 || hits[0].Token != store.TokenOf(carol) {
		t.Errorf("directory: %v", hits)
	}
}

func testDeleteAccount(t *testing.T, w *world) {
	a, d := register(t, w, alice)
	_, other := register(t, w, bob)
	for _, err := range w.Enqueue(t.Context(), []store.Envelope{{Device: d}, {Device: other}}, now) {
		check(t, err)
	}
	if gone := must[[]store.DeviceKey](t)(w.DeleteAccount(t.Context(), a.Key)); !slices.Equal(gone, []store.DeviceKey{d}) {
		t.Errorf("gone %v", gone)
	}
	if _, err := w.Account(t.Context(), alice); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	if n := must[int](t)(w.CountQueued(t.Context())); n != 1 {
		t.Errorf("%d envelopes are left, wanted bob's", n)
	}
	if _, err := w.DeleteAccount(t.Context(), a.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	if _, d2 := register(t, w, alice); d2 == d {
		t.Errorf("device key %d was given twice", d)
	}
}

func testDirectory(t *testing.T, w *world) {
	register(t, w, alice)
	_, _, err := w.Register(t.Context(), store.Registration{Name: bob, Secret: []byte("x"), Now: now.AddDate(-2, 0, 0), Attributes: store.Attributes{Voice: true}})
	check(t, err)
	tokens := []store.DirectoryToken{store.TokenOf(bob), {}, store.TokenOf(alice)}
	all := must[[]store.DirectoryEntry](t)(w.Directory(t.Context(), tokens, 0))
	want := []store.DirectoryEntry{{Token: store.TokenOf(bob), Voice: true}, {Token: store.TokenOf(alice)}}
	if !slices.Equal(all, want) {
		t.Errorf("got %v, wanted %v", all, want)
	}
	recent := must[[]store.DirectoryEntry](t)(w.Directory(t.Context(), tokens, store.DayOf(now)-365))
	if !slices.Equal(recent, want[1:]) {
		t.Errorf("seen within a year: %v", recent)
	}
	if got := fmt.Sprintf("%x", store.TokenOf("+14152222222")); got != "0505551f132de730055c" { // specification 16.10
		t.Errorf("token %s", got)
	}
	if _, err := w.Directory(t.Context(), make([]store.DirectoryToken, 10_001), 0); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("10,001 tokens: %v", err)
	}
}

func testCodes(t *testing.T, w *world) {
	later := now.Add(10 * time.Minute)
	check(t, w.PutCode(t.Context(), store.CodeRegister, alice, "123456", now, later))
	check(t, w.CheckCode(t.Context(), store.CodeRegister, alice, "123456", now))
	for what, err := range map[string]error{
		"wrong":        w.CheckCode(t.Context(), store.CodeRegister, alice, "123457", now),
		"empty":        w.CheckCode(t.Context(), store.CodeRegister, alice, "", now),
		"expired":      w.CheckCode(t.Context(), store.CodeRegister, alice, "123456", later),
		"other kind":   w.CheckCode(t.Context(), store.CodeProvision, alice, "123456", now),
		"other name":   w.CheckCode(t.Context(), store.CodeRegister, bob, "123456", now),
		"other's name": registerWith(t, w, bob, "123456"),
	} {
		if !errors.Is(err, store.ErrWrongCode) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.reopen(t)
	check(t, registerWith(t, w, alice, "123456"))
	if err := registerWith(t, w, alice, "123456"); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("used twice: %v", err)
	}
	if err := w.CheckCode(t.Context(), store.CodeRegister, alice, "", now); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("empty, once the code is used: %v", err)
	}
}

func registerWith(t *testing.T, w *world, name, code string) error {
	_, _, err := w.Register(t.Context(), store.Registration{Name: name, Secret: []byte("x"), Code: code, Now: now})
	return err
}

// A guesser gets MaxCodeTries guesses, however many codes are asked for in between and whoever restarts.
func testCodeBruteForce(t *testing.T, w *world) {
	later := now.Add(10 * time.Minute)
	check(t, w.PutCode(t.Context(), store.CodeRegister, alice, "123456", now, later))
	for i := range store.MaxCodeTries - 1 {
		if err := w.CheckCode(t.Context(), store.CodeRegister, alice, "000000", now); !errors.Is(err, store.ErrWrongCode) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	w.reopen(t)
	check(t, w.PutCode(t.Context(), store.CodeRegister, alice, "654321", now, later))
	check(t, w.CheckCode(t.Context(), store.CodeRegister, alice, "654321", now))
	_ = w.CheckCode(t.Context(), store.CodeRegister, alice, "000000", now) // the last one
	if err := w.CheckCode(t.Context(), store.CodeRegister, alice, "654321", now); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("the right code after all guesses: %v", err)
	}
	if err := registerWith(t, w, alice, "654321"); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("registering after all guesses: %v", err)
	}
	if err := w.PutCode(t.Context(), store.CodeRegister, alice, "111111", now, later); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("a new code after all guesses: %v", err)
	}
	check(t, w.PutCode(t.Context(), store.CodeRegister, alice, "111111", later, later.Add(time.Minute)))
	check(t, w.CheckCode(t.Context(), store.CodeRegister, alice, "111111", later))
}

func testInvites(t *testing.T, w *world) {
	h := store.InviteHash{1}
	check(t, w.PutInvite(t.Context(), store.Invite{Hash: h, Note: "for bob", Uses: 1, Created: now, Expires: now.Add(time.Hour)}))
	check(t, w.PutInvite(t.Context(), store.Invite{Hash: store.InviteHash{2}, Uses: 5, Created: now.Add(time.Second)}))
	if all := must[[]store.Invite](t)(w.Invites(t.Context(), now)); len(all) != 2 || all[0].Note != "for bob" || all[1].Uses != 5 || !all[0].Expires.Equal(now.Add(time.Hour)) || !all[1].Expires.IsZero() {
		t.Errorf("got %+v", all)
	}
	if err := w.CheckInvite(t.Context(), h, now.Add(time.Hour)); !errors.Is(err, store.ErrInvite) {
		t.Errorf("expired: %v", err)
	}
	check(t, w.CheckInvite(t.Context(), h, now))
	_, _, err := w.Register(t.Context(), store.Registration{Name: bob, Secret: []byte("x"), Invite: h, Now: now})
	check(t, err)
	if _, _, err := w.Register(t.Context(), store.Registration{Name: alice, Secret: []byte("x"), Invite: h, Now: now}); !errors.Is(err, store.ErrInvite) {
		t.Errorf("used up: %v", err)
	}
	if _, err := w.Account(t.Context(), alice); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a refused registration left an account: %v", err)
	}
	check(t, w.RevokeInvite(t.Context(), store.InviteHash{2}))
	if err := w.RevokeInvite(t.Context(), store.InviteHash{2}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
}

// An invite for one is for one, however many come at once.
func testInviteRace(t *testing.T, w *world) {
	h := store.InviteHash{9}
	check(t, w.PutInvite(t.Context(), store.Invite{Hash: h, Uses: 3, Created: now}))
	var mu sync.Mutex
	in := 0
	together(20, func(i int) {
		_, _, err := w.Register(t.Context(), store.Registration{Name: fmt.Sprintf("+1415555%04d", i), Secret: []byte("x"), Invite: h, Now: now})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			in++
		case !errors.Is(err, store.ErrInvite):
			t.Errorf("registration %d: %v", i, err)
		}
	})
	if n := must[int](t)(w.CountAccounts(t.Context())); in != 3 || n != 3 {
		t.Errorf("%d got in, %d accounts, wanted 3", in, n)
	}
}

// together runs f n times at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() { <-start; f(i) })
	}
	close(start)
	all.Wait()
}

// Registering one name many times at once leaves one account with one device.
func testRegisterRace(t *testing.T, w *world) {
	together(16, func(int) {
		if _, _, err := w.Register(t.Context(), store.Registration{Name: alice, Secret: []byte("x"), Now: now}); err != nil {
			t.Error(err)
		}
	})
	a := must[store.Account](t)(w.Account(t.Context(), alice))
	if n := must[int](t)(w.CountAccounts(t.Context())); n != 1 || len(a.Devices) != 1 {
		t.Errorf("%d accounts, devices %+v", n, a.Devices)
	}
}

func testDevices(t *testing.T, w *world) {
	a, master := register(t, w, alice)
	add := func(code string) (store.Device, error) {
		check(t, w.PutCode(t.Context(), store.CodeProvision, alice, "555555", now, now.Add(time.Minute)))
		return w.AddDevice(t.Context(), alice, code, 3, []byte("x"), store.Attributes{Name: "tablet"}, now)
	}
	if _, err := add("555556"); !errors.Is(err, store.ErrWrongCode) {
		t.Errorf("wrong code: %v", err)
	}
	two, three := must[store.Device](t)(add("555555")), must[store.Device](t)(add("555555"))
	if two.ID != 2 || three.ID != 3 || three.Name != "tablet" {
		t.Errorf("got %+v and %+v", two, three)
	}
	if _, err := add("555555"); !errors.Is(err, store.ErrTooManyDevices) {
		t.Errorf("a fourth of three: %v", err)
	}
	if key := must[store.DeviceKey](t)(w.RemoveDevice(t.Context(), a.Key, 2)); key != two.Key {
		t.Errorf("removed %d, wanted %d", key, two.Key)
	}
	again := must[store.Device](t)(add("555555"))
	if again.ID != 2 || again.Key == two.Key {
		t.Errorf("the free id again: %+v, was key %d", again, two.Key)
	}
	if _, err := w.RemoveDevice(t.Context(), a.Key, 1); !errors.Is(err, store.ErrMaster) {
		t.Errorf("removing the master: %v", err)
	}
	if _, err := w.RemoveDevice(t.Context(), a.Key, 7); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removing nobody: %v", err)
	}
	push := store.Push{GCM: "g", APN: "a", VoIP: "v", WebSocket: true}
	check(t, w.SetPush(t.Context(), master, push))
	check(t, w.SetAttributes(t.Context(), master, store.Attributes{Name: "phone", RegistrationID: 7, Video: true}))
	check(t, w.SetSecret(t.Context(), master, []byte("other")))
	got := must[store.Account](t)(w.Account(t.Context(), alice))
	d, ok := got.Device(1)
	if !ok || d.Push != push || d.Name != "phone" || d.RegistrationID != 7 || d.FetchesMessages || !d.Video || string(d.Secret) != "other" {
		t.Errorf("got %+v", d)
	}
	if err := w.SetPush(t.Context(), 999, push); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("push of nobody: %v", err)
	}
}

// One code links one device.
func testDeviceRace(t *testing.T, w *world) {
	register(t, w, alice)
	check(t, w.PutCode(t.Context(), store.CodeProvision, alice, "555555", now, now.Add(time.Minute)))
	together(8, func(int) {
		if _, err := w.AddDevice(t.Context(), alice, "555555", 6, []byte("x"), store.Attributes{}, now); err != nil && !errors.Is(err, store.ErrWrongCode) {
			t.Error(err)
		}
	})
	if a := must[store.Account](t)(w.Account(t.Context(), alice)); len(a.Devices) != 2 {
		t.Errorf("%d devices, wanted 2", len(a.Devices))
	}
}

func testSeen(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	tomorrow := store.DayOf(now) + 1
	check(t, w.Seen(t.Context(), d, tomorrow))
	before := w.Stats().Commits
	check(t, w.Seen(t.Context(), d, tomorrow))
	check(t, w.Seen(t.Context(), d, tomorrow-1))
	if after := w.Stats().Commits; after != before {
		t.Errorf("seeing somebody again on the same day cost %d commits", after-before)
	}
	a := must[store.Account](t)(w.Account(t.Context(), alice))
	if a.Seen != tomorrow || a.Devices[0].Seen != tomorrow {
		t.Errorf("seen %d and %d, wanted %d", a.Seen, a.Devices[0].Seen, tomorrow)
	}
	if err := w.Seen(t.Context(), 999, tomorrow); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
