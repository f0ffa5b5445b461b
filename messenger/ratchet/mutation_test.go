package ratchet_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Each byte of each kind of message, changed in four ways, cut off, or with something appended: never accepted, and the record stays as
// it was. The exception is what no key covers: the registration id of a prekey message, and in version 2 the id of
// the signed prekey that is not there. There the plaintext must be the same, and nothing but the registration id may differ.
func TestEveryMutatedByteIsRefused(t *testing.T) {
	for _, level := range levels {
		alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
		alice.initiate(bob, level)
		t.Run(level.String()+" first prekey message", func(t *testing.T) { mutate(t, bob, alice, alice.send(bob, "text")) })
		bob.reads(alice, alice.send(bob, "hello"), "hello")
		t.Run(level.String()+" later prekey message", func(t *testing.T) { mutate(t, bob, alice, alice.send(bob, "text")) })
		answer := bob.send(alice, "text")
		t.Run(level.String()+" first answer", func(t *testing.T) { mutate(t, alice, bob, answer) })
		alice.reads(bob, answer, "text")
		for range 12 { // some way into the braid
			bob.reads(alice, alice.send(bob, "x"), "x")
			alice.reads(bob, bob.send(alice, "y"), "y")
		}
		t.Run(level.String()+" new chain", func(t *testing.T) { mutate(t, bob, alice, alice.send(bob, "text")) })
		bob.reads(alice, alice.send(bob, "x"), "x")
		t.Run(level.String()+" same chain", func(t *testing.T) { mutate(t, bob, alice, alice.send(bob, "text")) })
	}
}

func mutate(t *testing.T, to, from *device, m ratchet.Message) {
	before := to.record.Marshal()
	clean := clone(to)
	if text, err := clean.open(from, m); err != nil || text != "text" {
		t.Fatalf("the message itself: %q, %v", text, err)
	}
	free := 0
	try := func(name string, body []byte) {
		d := clone(to)
		text, err := d.open(from, ratchet.Message{Kind: m.Kind, Body: body})
		switch {
		case err == nil && m.Kind == ratchet.PreKey && unbound(t, m.Body, body):
			free++
			if text != "text" {
				t.Errorf("%s: reads %q", name, text)
			}
		case err == nil:
			t.Errorf("%s accepted: %q", name, text)
		case refusal.Of(err) == "":
			t.Errorf("%s: %v has no kind", name, err)
		case !bytes.Equal(d.record.Marshal(), before):
			t.Errorf("%s changed the record: %v", name, err)
		}
	}
	for i := range m.Body {
		changes := []byte{0x01, 0x08, 0x80, 0xff}
		if len(m.Body) > 1000 && i%8 != 0 { // most of it is a kyber ciphertext
			changes = []byte{1 << (i % 7)}
		}
		for _, x := range changes {
			bad := bytes.Clone(m.Body)
			bad[i] ^= x
			try(fmt.Sprintf("byte %d of %d xor %02x", i, len(bad), x), bad)
		}
		if len(m.Body) < 1000 || i%16 == 0 {
			try(fmt.Sprintf("prefix of %d bytes", i), m.Body[:i])
		}
	}
	if m.Kind == ratchet.Whisper {
		try("a byte more", append(bytes.Clone(m.Body), 0))
		if free > 0 {
			t.Error("something of a whisper message is not bound")
		}
	} else if free > 60 {
		t.Errorf("%d changes of a prekey message do not matter", free)
	}
}

// unbound tells whether two prekey messages differ only in what nothing authenticates.
func unbound(t *testing.T, a, b []byte) bool {
	t.Helper()
	x, err1 := wire.ParsePreKey(a)
	y, err2 := wire.ParsePreKey(b)
	if err1 != nil || err2 != nil || !bytes.Equal(x.Inner.Covered(), y.Inner.Covered()) || x.Inner.MAC() != y.Inner.MAC() || x.Identity != y.Identity {
		return false
	}
	return handshake.OfferOf(x).Digest(x.Identity) == handshake.OfferOf(y).Digest(y.Identity)
}

// clone is a device with a record, and prekeys, of its own.
func clone(d *device) *device {
	c := *d
	c.record = d.record.Clone()
	c.oneTime = map[uint32]*keys.Private{}
	for id, k := range d.oneTime {
		c.oneTime[id] = k
	}
	c.known = map[string]keys.Public{}
	for n, k := range d.known {
		c.known[n] = k
	}
	return &c
}
