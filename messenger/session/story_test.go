package session_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// device is one device, with what it has handed in to a server that the test plays.
type device struct {
	*testing.T
	store *store.Store
	now   time.Time
	own   session.Own
	keys  api.PreKeysV3
	list  *api.DeviceList
}

func newDevice(t *testing.T, number string, id uint32, identity *keys.Private) *device {
	t.Helper()
	s, err := store.Create(t.Context(), t.TempDir(), []byte("x"), store.Cost{Time: 1, Memory: 8, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := &device{T: t, store: s, now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	own, err := session.NewOwn(identity, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own.Number, own.Device = number, id
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return session.SaveOwn(tx, own) }); err != nil {
		t.Fatal(err)
	}
	d.in(func(b *session.Book) (err error) {
		d.keys, err = b.NewPrekeys()
		return err
	})
	d.own = own
	return d
}

func (d *device) identity() *keys.Private {
	k, err := d.own.Identity()
	if err != nil {
		d.Fatal(err)
	}
	return k
}

func (d *device) try(f func(*session.Book) error) error {
	return d.store.Update(d.Context(), func(tx *store.Tx) error {
		b, err := session.In(tx, session.World{Now: func() time.Time { return d.now }, Rand: rand.Reader})
		if err != nil {
			return err
		}
		return f(b)
	})
}

func (d *device) in(f func(*session.Book) error) {
	d.Helper()
	if err := d.try(f); err != nil {
		d.Fatal(err)
	}
}

// bundles is the server's answer about devices of one person; each gives one of its one-time keys away.
func bundles(list *api.DeviceList, devices ...*device) *api.BundlesV3 {
	a := &api.BundlesV3{IdentityKey: devices[0].keys.IdentityKey, DeviceList: list}
	for _, d := range devices {
		b := api.BundleV3{PQPreKey: &d.keys.PQPreKeys[0], Capabilities: api.Capabilities{SPQR: true}}
		b.DeviceID, b.RegistrationID, b.SignedPreKey, b.PreKey = d.own.Device, d.own.RegistrationID, d.keys.SignedPreKey, &d.keys.PreKeys.PreKeys[0]
		d.keys.PreKeys.PreKeys, d.keys.PQPreKeys = d.keys.PreKeys.PreKeys[1:], d.keys.PQPreKeys[1:]
		a.Devices = append(a.Devices, b)
	}
	return a
}

func text(s string) []byte {
	return wire.Pad((&wire.Content{Data: &wire.Data{Body: s}}).Encode())
}

// seal encrypts for a name, or says what stands in the way.
func (d *device) seal(name, s string) (out map[uint32]api.Message, what string) {
	d.Helper()
	err := d.try(func(b *session.Book) error {
		list, need, err := b.Seal(name, text(s))
		if need != nil {
			what = fmt.Sprintf("needs %v %v", need.Devices, need.All)
		}
		out = map[uint32]api.Message{}
		for _, m := range list {
			out[m.DeviceID] = m
		}
		return err
	})
	if err != nil {
		what = err.Error()
	}
	return out, what
}

func (d *device) sends(name, s string) map[uint32]api.Message {
	d.Helper()
	out, what := d.seal(name, s)
	if what != "" {
		d.Fatal(what)
	}
	return out
}

// start takes bundles in, and describes notices and refusals.
func (d *device) start(name string, a *api.BundlesV3) string {
	d.Helper()
	var said []string
	err := d.try(func(b *session.Book) error {
		notices, held, err := b.Start(name, a)
		for _, n := range notices {
			said = append(said, strings.TrimSpace(fmt.Sprint(n.Kind, " ", n.Was)))
		}
		if held != nil {
			said = append(said, held.Error())
		}
		return err
	})
	if err != nil {
		said = append(said, err.Error())
	}
	return strings.Join(said, "; ")
}

func (d *device) opens(from *device, m api.Message) (session.Opened, error) {
	var o session.Opened
	err := d.try(func(b *session.Book) (err error) {
		o, err = b.Open(wire.Envelope{Type: wire.EnvelopeType(m.Type), Source: from.own.Number, SourceDevice: from.own.Device, Timestamp: 5, Content: m.Content})
		return err
	})
	return o, err
}

func (d *device) reads(from *device, m api.Message, want string) session.Opened {
	d.Helper()
	o, err := d.opens(from, m)
	if err != nil || o.Content.Data == nil || o.Content.Data.Body != want {
		d.Fatalf("got %+v, %v; want %q", o, err, want)
	}
	return o
}

const alice, bob = "+99911111111111", "+99922222222222"

func TestOneTextForAllDevices(t *testing.T) {
	a, phone := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil)
	laptop := newDevice(t, bob, 2, phone.identity())
	if _, what := a.seal(bob, "hello"); what != "needs [] true" {
		t.Fatal(what)
	}
	if got := a.start(bob, bundles(nil, phone)); got != "new device" {
		t.Fatal(got)
	}
	sent := a.sends(bob, "hello")
	phone.reads(a, sent[1], "hello")
	// The server says that a laptop is missing.
	a.in(func(b *session.Book) error {
		need, err := b.Mismatch(bob, []uint32{2}, nil)
		if err == nil && fmt.Sprint(need.Devices) != "[2]" {
			t.Error(need)
		}
		return err
	})
	if got := a.start(bob, bundles(nil, laptop)); got != "new device" {
		t.Fatal(got)
	}
	sent = a.sends(bob, "again")
	phone.reads(a, sent[1], "again")
	laptop.reads(a, sent[2], "again")
	if _, err := laptop.opens(a, sent[2]); refusal.Of(err) != refusal.Duplicate {
		t.Error("a repetition:", err)
	}
	if _, err := laptop.opens(a, sent[1]); refusal.Of(err) == "" {
		t.Error("a message for another device:", err)
	}
	// An answer needs no bundle, and one between his devices does.
	a.reads(laptop, laptop.sends(alice, "from the laptop")[1], "from the laptop")
	if _, what := laptop.seal(bob, "to myself"); what != "needs [] true" {
		t.Error(what)
	}
	if got := laptop.start(bob, bundles(nil, phone, laptop)); got != "new device" {
		t.Error(got)
	}
	phone.reads(laptop, laptop.sends(bob, "to myself")[1], "to myself")
	// A device that is gone is written to no more.
	a.in(func(b *session.Book) error { _, err := b.Mismatch(bob, nil, []uint32{1}); return err })
	if sent = a.sends(bob, "only the laptop"); len(sent) != 1 {
		t.Error(sent)
	}
}

// Private halves of prekeys do not grow for ever, however often the server says that it has none left; the last resort stays for good (2.2).
func TestHowManyPrekeysAreKept(t *testing.T) {
	d := newDevice(t, alice, 1, nil)
	last := d.keys.LastResortKey
	counts := func() (out []int) {
		err := d.store.View(t.Context(), func(tx *store.Tx) error {
			for _, bucket := range []store.Bucket{store.Prekeys, store.SignedPrekeys, store.KyberPrekeys} {
				n, err := tx.Count(bucket)
				if err != nil {
					return err
				}
				out = append(out, n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	again := func() {
		d.in(func(b *session.Book) (err error) { d.keys, err = b.NewPrekeys(); return err })
	}
	for range 60 {
		d.now = d.now.Add(time.Minute)
		again()
	}
	if got := counts(); got[0] < 5_000 || got[0] > 5_101 || got[1] != 61 || got[2] != 61*51 {
		t.Errorf("kept %v", got)
	}
	d.now = d.now.Add(31 * 24 * time.Hour)
	again()
	again()
	if got := counts(); got[0] > 301 || got[1] > 3 || got[2] > 153 {
		t.Errorf("kept after a month %v", got)
	}
	if !bytes.Equal(d.keys.LastResortKey.PublicKey, last.PublicKey) {
		t.Error("the last resort is another one")
	}
}

// An envelope has two fields for a ciphertext (7.3); the older one counts if the newer is empty.
func TestTheOlderFieldOfAnEnvelope(t *testing.T) {
	a, b := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil)
	v3 := bundles(nil, b)
	v3.Devices[0].PQPreKey, v3.Devices[0].Capabilities = nil, api.Capabilities{}
	a.start(bob, v3)
	bare := func(s string) []byte { return wire.Pad(append([]byte{0x0a, byte(len(s))}, s...)) }
	for _, test := range []struct {
		plain       []byte
		both, newer bool
		want        string
	}{
		{bare("bare"), false, false, "bare <nil>"},
		{bare("bare again"), false, false, "bare again <nil>"},
		{text("newer"), false, true, "newer <nil>"},
		{text("both"), true, true, "both <nil>"},
		{wire.Pad([]byte{0x0a}), false, false, " invalid message: message is not a protobuf of that kind"},
	} {
		var list []api.Message
		a.in(func(b *session.Book) (err error) { list, _, err = b.Seal(bob, test.plain); return err })
		e := wire.Envelope{Type: wire.EnvelopeType(list[0].Type), Source: alice, SourceDevice: 1, Timestamp: 5, Legacy: list[0].Content}
		if test.newer {
			e.Content, e.Legacy = e.Legacy, nil
		}
		if test.both {
			e.Legacy = []byte{0x33, 1, 2, 3}
		}
		var got string
		err := b.try(func(b *session.Book) error {
			o, err := b.Open(e)
			if err == nil {
				got = o.Content.Data.Body
			}
			return err
		})
		if said := fmt.Sprint(got, " ", err); said != test.want {
			t.Errorf("got %q, want %q", said, test.want)
		}
	}
}

func TestAKeyThatChanges(t *testing.T) {
	for _, c := range []struct {
		name     string
		prepare  func(b *session.Book, key keys.Public) error
		want     string
		mayStill bool
	}{
		{"unverified", func(*session.Book, keys.Public) error { return nil }, "key changed; new device", true},
		{"verified", func(b *session.Book, key keys.Public) error { return b.SetVerified(bob, key, true) },
			"key changed verified; the safety number of " + bob + " has changed since it was verified: verify it again, or accept it, before anything is sent", false},
		{"ask", func(b *session.Book, _ keys.Public) error { return b.SetRule(bob, session.RuleAsk) },
			"key changed; the safety number of " + bob + " has changed: accept it before anything is sent", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, old, again := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil), newDevice(t, bob, 1, nil)
			a.start(bob, bundles(nil, old))
			old.reads(a, a.sends(bob, "hello")[1], "hello")
			a.reads(old, old.sends(alice, "hello yourself")[1], "hello yourself")
			a.in(func(b *session.Book) error { return c.prepare(b, old.identity().Public()) })
			a.in(func(b *session.Book) error { _, err := b.Stale(bob, []uint32{1}); return err })
			if got := a.start(bob, bundles(nil, again)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if _, what := a.seal(bob, "secret"); (what == "") != c.mayStill {
				t.Error("sending:", what)
			}
			if c.mayStill {
				return
			}
			// What he sends under the new key is received all the same, and sending stays held.
			again.start(alice, bundles(nil, a))
			a.reads(again, again.sends(alice, "it is me")[1], "it is me")
			if _, what := a.seal(bob, "secret"); what == "" {
				t.Error("sent after all")
			}
			a.in(func(b *session.Book) error { return b.Accept(bob) })
			again.reads(a, a.sends(bob, "welcome back")[1], "welcome back")
		})
	}
}

func TestAChangeIsNoticedWhereItComesFirst(t *testing.T) {
	a, old, again := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil), newDevice(t, bob, 1, nil)
	old.start(alice, bundles(nil, a))
	a.reads(old, old.sends(alice, "hello")[1], "hello")
	a.in(func(b *session.Book) error { return b.SetVerified(bob, old.identity().Public(), true) })
	again.start(alice, bundles(nil, a))
	o := a.reads(again, again.sends(alice, "new phone")[1], "new phone")
	if len(o.Notices) != 1 || o.Notices[0].Kind != session.KeyChanged || o.Notices[0].Was != session.Verified {
		t.Errorf("%+v", o.Notices)
	}
	var untrusted *refusal.UntrustedIdentityError
	err := a.try(func(b *session.Book) error { return b.SetVerified(bob, old.identity().Public(), true) })
	if !errors.As(err, &untrusted) {
		t.Error("the old key was verified under the new one:", err)
	}
	// What the old phone had still under way reads, and wakes nothing.
	if o, err := a.opens(old, old.sends(alice, "sent before")[1]); err != nil || len(o.Notices) != 0 {
		t.Error(o.Notices, err)
	}
	if _, what := a.seal(bob, "secret"); !strings.Contains(what, "has changed since it was verified") {
		t.Error(what)
	}
}

func TestAGhostDeviceIsRefused(t *testing.T) {
	a, phone := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil)
	ghost := newDevice(t, bob, 7, phone.identity()) // the best a server could do: it even has his key
	sign := func(others ...devicelist.Device) *api.DeviceList {
		t.Helper()
		phone.now = phone.now.Add(time.Second)
		phone.in(func(b *session.Book) (err error) {
			phone.list, err = b.SignList(others)
			return err
		})
		return phone.list
	}
	first := sign()
	if got := a.start(bob, bundles(first, phone)); got != "new device" {
		t.Fatal(got)
	}
	const refused = "the server names a device 7 of " + bob + " that is not in the list its owner has signed; nothing was sent to it"
	for name, list := range map[string]*api.DeviceList{"list": first, "stripped list": nil} {
		if got := a.start(bob, bundles(list, ghost)); got != refused {
			t.Errorf("%s: %q", name, got)
		}
	}
	forged := *first
	forged.List = append(api.Bytes{}, forged.List...)
	forged.List[len(forged.List)-1] ^= 1
	if got := a.start(bob, bundles(&forged, phone)); got != "device list of "+bob+": invalid key: the device list is not signed by the identity key" {
		t.Error(got)
	}
	if sent := a.sends(bob, "hello"); len(sent) != 1 {
		t.Error("written to", sent)
	}
	// Signed, it is his. An older list does not come back.
	second := sign(devicelist.Device{ID: 7, RegistrationID: ghost.own.RegistrationID})
	if got := a.start(bob, bundles(second, ghost)); got != "new device" {
		t.Error(got)
	}
	third := sign()
	if got := a.start(bob, bundles(third, phone)); got != "" {
		t.Error(got)
	}
	if got := a.start(bob, bundles(second, ghost)); got != refused {
		t.Error("an old list counted:", got)
	}
	if sent := a.sends(bob, "hello"); len(sent) != 1 {
		t.Error("written to", sent)
	}
}

func TestStrippedPostQuantumKeysAreRefused(t *testing.T) {
	a, b := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil)
	a.start(bob, bundles(nil, b))
	b.reads(a, a.sends(bob, "hello")[1], "hello")
	a.reads(b, b.sends(alice, "hello")[1], "hello")
	stripped := bundles(nil, b)
	stripped.Devices[0].PQPreKey, stripped.Devices[0].Capabilities = nil, api.Capabilities{}
	want := "device 1 of " + bob + ": protocol downgrade: v3, and this contact is known to speak v4+SPQR"
	if got := a.start(bob, stripped); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	a.in(func(book *session.Book) error { return book.AllowDowngrade(bob, true) })
	if got := a.start(bob, stripped); got != "" {
		t.Error(got)
	}
}

func TestOurOwnKeyForSomebodyElse(t *testing.T) {
	a := newDevice(t, alice, 1, nil)
	mirror := newDevice(t, bob, 1, a.identity())
	want := `invalid key: the server's identity key of "` + bob + `" is our own for somebody else, or another's for us`
	if got := a.start(bob, bundles(nil, mirror)); got != want {
		t.Error(got)
	}
	if got := a.start(alice, bundles(nil, newDevice(t, alice, 2, nil))); !strings.Contains(got, "is our own for somebody else, or another's for us") {
		t.Error(got)
	}
}

func TestAskingAgain(t *testing.T) {
	a, b := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil)
	a.start(bob, bundles(nil, b))
	b.reads(a, a.sends(bob, "hello")[1], "hello")
	a.reads(b, b.sends(alice, "hello")[1], "hello")
	lost := a.sends(bob, "lost")[1]
	lost.Content[len(lost.Content)-1] ^= 1
	_, err := b.opens(a, lost)
	e := wire.Envelope{Type: wire.EnvelopeType(lost.Type), Source: alice, SourceDevice: 1, Timestamp: 5, Content: lost.Content}
	r := session.RetryFor(e, err)
	if refusal.Of(err) != refusal.InvalidMessage || r == nil {
		t.Fatal(err, r)
	}
	ask := api.Message{Type: uint32(wire.EnvelopeRetry), Content: r.EncodePlaintext()}
	o, err := a.opens(b, ask)
	if err != nil || o.Retry == nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} { // a second, or a forged one, does nothing
		a.in(func(book *session.Book) error {
			again, err := book.Retry(o)
			if again != want {
				t.Error("request", i, again)
			}
			return err
		})
	}
	if _, what := a.seal(bob, "lost"); what != "needs [1] false" {
		t.Fatal(what)
	}
	a.start(bob, bundles(nil, b))
	b.reads(a, a.sends(bob, "lost")[1], "lost")
}

func TestGroupsBySenderKey(t *testing.T) {
	a, b, c := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil), newDevice(t, carol, 1, nil)
	group := [16]byte{9}
	a.start(bob, bundles(nil, b))
	a.start(carol, bundles(nil, c))
	members := []string{bob, carol}
	send := func(s string, to []string, wantHandouts string) api.Message {
		t.Helper()
		var handed []string
		for {
			var sealed []byte
			var h *session.Handout
			a.in(func(book *session.Book) (err error) {
				sealed, _, h, err = book.SealGroup(group, to, text(s))
				return err
			})
			if h == nil {
				if got := strings.Join(handed, " "); got != wantHandouts {
					t.Fatalf("%s: handed to %q, want %q", s, got, wantHandouts)
				}
				return api.Message{Type: uint32(wire.EnvelopeSenderKey), Content: sealed}
			}
			for _, name := range h.To {
				d := map[string]*device{bob: b, carol: c}[name]
				m := a.sends(name, "key")[1]
				d.reads(a, m, "key")
				d.in(func(book *session.Book) error { return book.TakeSenderKey(alice, 1, h.Distribution) })
				a.in(func(book *session.Book) error { return book.Handed(group, h, name) })
				handed = append(handed, name)
			}
		}
	}
	m := send("one", members, bob+" "+carol)
	b.reads(a, m, "one")
	c.reads(a, m, "one")
	if _, err := c.opens(a, m); refusal.Of(err) != refusal.Duplicate {
		t.Error(err)
	}
	m = send("two", members, "")
	b.reads(a, m, "two")
	c.reads(a, m, "two")
	m = send("without carol", []string{bob}, bob) // a new key: she has the old one
	b.reads(a, m, "without carol")
	if _, err := c.opens(a, m); refusal.Of(err) != refusal.NoSession {
		t.Error("carol reads on:", err)
	}
}

func TestPrekeysAreUsedOnce(t *testing.T) {
	a, b := newDevice(t, alice, 1, nil), newDevice(t, bob, 1, nil)
	again := newDevice(t, "+99944444444444", 1, nil)
	kit := bundles(nil, b)
	a.start(bob, kit)
	b.reads(a, a.sends(bob, "hello")[1], "hello")
	again.start(bob, kit) // a server that gives one key out twice
	if _, err := b.opens(again, again.sends(bob, "hello")[1]); refusal.Of(err) != refusal.InvalidKeyID {
		t.Error(err)
	}
	last := bundles(nil, b)
	last.Devices[0].PQPreKey, last.Devices[0].PreKey = b.keys.PQLastResortKey, b.keys.LastResortKey
	for _, number := range []string{"+99955555555555", "+99966666666666"} {
		d := newDevice(t, number, 1, nil)
		d.start(bob, last)
		m := d.sends(bob, "by the last resort")[1]
		b.reads(d, m, "by the last resort")
		// Put back to before, Bob's sessions would take it again; the record of uses does not.
		b.in(func(book *session.Book) error { return book.EndSession(number) })
		if _, err := b.opens(d, m); refusal.Of(err) != refusal.Duplicate {
			t.Error(err)
		}
	}
}
