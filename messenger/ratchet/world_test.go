package ratchet_test

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// device is one end: keys, prekeys and the record about the other end.
type device struct {
	t        testing.TB
	name     string
	identity *keys.Private
	oneTime  map[uint32]*keys.Private
	signed   *keys.Private
	kyber    *keys.KyberPrivate
	record   *ratchet.Record
	known    map[string]keys.Public
	policy   handshake.Policy
	now      time.Time
	accept   bool
}

func newDevice(t testing.TB, name string) *device {
	t.Helper()
	d := &device{t: t, name: name, oneTime: map[uint32]*keys.Private{}, record: new(ratchet.Record), known: map[string]keys.Public{}, now: start, policy: handshake.Policy{V2: true}}
	d.identity, d.signed = newKey(t), newKey(t)
	for id := uint32(1); id <= 3; id++ {
		d.oneTime[id] = newKey(t)
	}
	var err error
	if d.kyber, err = keys.GenerateKyber(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return d
}

func newKey(t testing.TB) *keys.Private {
	t.Helper()
	k, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// bundle hands out what a contact of that level has.
func (d *device) bundle(level handshake.Level) *handshake.Bundle {
	d.t.Helper()
	signed, err := handshake.SignPrekey(d.identity, 22, d.signed.Public(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	b := &handshake.Bundle{RegistrationID: 99, Identity: d.identity.Public(), Signed: signed, SPQR: level == handshake.LevelV4SPQR}
	for id, k := range d.oneTime {
		b.OneTime = &handshake.OneTime{ID: id, Key: k.Public()}
		break
	}
	if level >= handshake.LevelV4 {
		k, err := handshake.SignKyber(d.identity, 77, d.kyber.Public(), rand.Reader)
		if err != nil {
			d.t.Fatal(err)
		}
		b.Kyber = &k
	}
	return b
}

func (d *device) setting(peer *device) ratchet.Setting {
	key, known := d.known[peer.name]
	return ratchet.Setting{Identity: d.identity, RegistrationID: 5, Peer: peer.name, PeerIdentity: key, Known: known,
		AcceptChange: d.accept, Self: d.name == peer.name, Policy: d.policy, Now: d.now, Rand: rand.Reader}
}

func (d *device) initiate(peer *device, level handshake.Level) {
	d.t.Helper()
	if level == handshake.LevelV2 {
		if err := d.record.InitiateV2(d.setting(peer), peer.bundle(level)); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	if err := d.record.Initiate(d.setting(peer), peer.bundle(level)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) send(peer *device, text string) ratchet.Message {
	d.t.Helper()
	m, err := d.record.Encrypt(d.setting(peer), []byte(text))
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// open decrypts and does what a client has to do afterwards.
func (d *device) open(peer *device, m ratchet.Message) (string, error) {
	if m.Kind == ratchet.Whisper {
		o, err := d.record.Decrypt(d.setting(peer), m.Body)
		return string(o.Plaintext), err
	}
	p, err := wire.ParsePreKey(m.Body)
	if err != nil {
		return "", err
	}
	o, err := d.record.DecryptPreKey(d.setting(peer), p, d.prekeys(p))
	if err != nil {
		return "", err
	}
	d.known[peer.name] = o.Identity
	if o.Started && p.OneTime {
		delete(d.oneTime, p.PreKeyID)
	}
	return string(o.Plaintext), nil
}

func (d *device) prekeys(p *wire.PreKey) handshake.Prekeys {
	have := handshake.Prekeys{OneTime: d.oneTime[p.PreKeyID]}
	if p.SignedPreKeyID == 22 {
		have.Signed = d.signed
	}
	if p.KyberPreKeyID == 77 {
		have.Kyber = d.kyber
	}
	return have
}

func (d *device) reads(peer *device, m ratchet.Message, want string) {
	d.t.Helper()
	if got, err := d.open(peer, m); err != nil || got != want {
		d.t.Fatalf("%s reads %q, %v; want %q", d.name, got, err, want)
	}
}

// refuses wants an error of that kind, and a record that has not changed.
func (d *device) refuses(peer *device, m ratchet.Message, want refusal.Kind) {
	d.t.Helper()
	before := d.record.Marshal()
	got, err := d.open(peer, m)
	if refusal.Of(err) != want {
		d.t.Fatalf("%s: got %q, %v; want %q", d.name, got, err, want)
	}
	if !bytes.Equal(d.record.Marshal(), before) {
		d.t.Fatalf("%s: the record changed with the refusal %v", d.name, err)
	}
}

// levels are all that two of our own can speak. Version 2 needs its switch, which pair and the stories set, and an initiator that
// exists only in the tests.
var levels = []handshake.Level{handshake.LevelV2, handshake.LevelV3, handshake.LevelV4, handshake.LevelV4SPQR}

// pair is two devices with an answered session.
func pair(t testing.TB, level handshake.Level) (alice, bob *device) {
	t.Helper()
	alice, bob = newDevice(t, "alice"), newDevice(t, "bob")
	alice.initiate(bob, level)
	bob.reads(alice, alice.send(bob, "hello"), "hello")
	alice.reads(bob, bob.send(alice, "hello yourself"), "hello yourself")
	return alice, bob
}
