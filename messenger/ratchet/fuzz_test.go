package ratchet_test

import (
	"bytes"
	"testing"

	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// Whatever arrives: it is the message that was sent, or it is refused with a kind and changes nothing. What nothing authenticates, the
// registration id and unknown fields of a prekey message, may differ.
func FuzzMessages(f *testing.F) {
	type world struct {
		to, from *device
		m        ratchet.Message
	}
	var worlds []world
	for _, level := range levels {
		alice, bob := newDevice(f, "alice"), newDevice(f, "bob")
		alice.initiate(bob, level)
		first := alice.send(bob, "text")
		worlds = append(worlds, world{clone(bob), alice, first})
		bob.reads(alice, first, "text")
		answer := bob.send(alice, "text")
		worlds = append(worlds, world{clone(alice), bob, answer})
		alice.reads(bob, answer, "text")
		worlds = append(worlds, world{clone(bob), alice, alice.send(bob, "text")})
	}
	for i, w := range worlds {
		f.Add(uint8(i), uint8(w.m.Kind), w.m.Body)
	}
	f.Fuzz(func(t *testing.T, i, kind uint8, body []byte) {
		w := worlds[int(i)%len(worlds)]
		to := clone(w.to)
		to.t = t
		before := to.record.Marshal()
		text, err := to.open(w.from, ratchet.Message{Kind: ratchet.Kind(2 + kind%2), Body: body})
		switch {
		case err == nil && text != "text":
			t.Fatalf("reads %q", text)
		case err == nil && w.m.Kind == ratchet.Whisper && !bytes.Equal(body, w.m.Body):
			t.Fatal("another message is accepted")
		case err == nil && w.m.Kind == ratchet.PreKey && !unbound(t, w.m.Body, body):
			t.Fatal("another prekey message is accepted")
		case err != nil && refusal.Of(err) == "":
			t.Fatalf("%v has no kind", err)
		case err != nil && !bytes.Equal(to.record.Marshal(), before):
			t.Fatalf("%v changed the record", err)
		}
	})
}
