package interop_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// v2 is the protocol of 2014. We receive and answer it, behind a switch, and never start it.
var v2 = kind{libaxcV2, handshake.LevelV2}

// v2Peer is libsignal-protocol-c in a session of v2 (libaxc/v2.c).
type v2Peer struct{ *axcPeer }

func (p v2Peer) bundle(_, _ bool) theirs {
	p.t.Fatal("nobody fetches a bundle for version 2")
	return theirs{}
}

func (p v2Peer) process(_ string, b map[string]any) {
	p.t.Helper()
	word := func(name string) string { return hex.EncodeToString(b[name].([]byte)) }
	p.ask("start", word("identity"), fmt.Sprint(b["preKeyId"]), word("preKey"))
}

func (p v2Peer) open(_ string, m letter) (string, error) {
	p.t.Helper()
	if m.Type != ratchet.Whisper {
		p.t.Fatal("version 2 is never started by us")
	}
	w, err := p.try("decrypt", hex.EncodeToString(m.Body))
	if err != nil {
		return "", err
	}
	return string(p.bytes(w[0])), nil
}

func (p v2Peer) seal(_, text string) letter {
	p.t.Helper()
	m := letter{ratchet.Whisper, p.bytes(p.ask("encrypt", hex.EncodeToString([]byte(text)))[0])}
	if _, err := wire.ParsePreKey(m.Body); err == nil {
		m.Type = ratchet.PreKey
	}
	return m
}

// The switch is off unless it is switched on, also for what has begun.
func TestV2IsBehindItsSwitch(t *testing.T) {
	w := newTalk(t, v2)
	w.theyStart(true)
	first := w.peer.seal(w.us.name, "one")
	w.us.policy.V2 = false
	if _, err := w.us.open(first); refusal.Of(err) != refusal.LegacyVersion {
		t.Error("a first message:", err)
	}
	w.us.policy.V2 = true
	w.toUs(first, "one")
	w.toPeer(w.us.seal("two"), "two")
	second := w.peer.seal(w.us.name, "three")
	w.us.policy.V2 = false
	if _, err := w.us.open(second); refusal.Of(err) != refusal.LegacyVersion {
		t.Error("a later message:", err)
	}
	if _, err := w.us.record.Encrypt(w.us.setting(), nil); refusal.Of(err) != refusal.LegacyVersion {
		t.Error("an answer:", err)
	}
}

// The peer starts anew, twice: both sides go on with what was used last, and the older sessions still open.
func TestV2SessionsAnew(t *testing.T) {
	w := newTalk(t, v2)
	w.theyStart(true)
	w.toUs(w.peer.seal(w.us.name, "one"), "one")
	for i := range 2 {
		late := w.peer.seal(w.us.name, "late")
		w.us.oneTime[31337] = newKey(t)
		w.theyStart(true)
		w.toUs(w.peer.seal(w.us.name, "anew"), "anew")
		w.toUs(late, "late")
		w.toPeer(w.us.seal("from the older session"), "from the older session")
		w.toUs(w.peer.seal(w.us.name, "on with it"), "on with it")
		w.pingPong(3 + i)
	}
}
