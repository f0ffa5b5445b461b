package ratchet_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

func TestConversation(t *testing.T) {
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) {
			alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
			alice.initiate(bob, level)
			first, second := alice.send(bob, "one"), alice.send(bob, "two")
			if first.Kind != ratchet.PreKey || second.Kind != ratchet.PreKey {
				t.Error("unanswered messages must repeat the offer")
			}
			bob.reads(alice, second, "two")
			bob.reads(alice, first, "one")
			bob.refuses(alice, first, refusal.Duplicate)
			alice.reads(bob, bob.send(alice, "three"), "three")
			for i := range 50 {
				m := alice.send(bob, fmt.Sprint("ping ", i))
				if m.Kind != ratchet.Whisper {
					t.Fatal("an answered session still repeats the offer")
				}
				bob.reads(alice, m, fmt.Sprint("ping ", i))
				alice.reads(bob, bob.send(alice, "pong"), "pong")
			}
			if want := "a current session (" + level.String() + "), 0 archived"; fmt.Sprint(bob.record) != want {
				t.Errorf("got %q, want %q", bob.record, want)
			}
			if alice.record.Best() != level || bob.record.Best() != level {
				t.Error("best level:", alice.record.Best(), bob.record.Best())
			}
		})
	}
}

func TestOutOfOrderAcrossRatchetSteps(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV4SPQR)
	var late []ratchet.Message
	for i := range 4 {
		late = append(late, alice.send(bob, fmt.Sprint("late ", i)))
		bob.reads(alice, alice.send(bob, "x"), "x")
		alice.reads(bob, bob.send(alice, "y"), "y")
	}
	for i := range late {
		bob.reads(alice, late[len(late)-1-i], fmt.Sprint("late ", len(late)-1-i))
	}
	for _, m := range late {
		bob.refuses(alice, m, refusal.Duplicate)
	}
}

func TestBothStartAtOnce(t *testing.T) {
	for _, level := range levels {
		alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
		alice.initiate(bob, level)
		bob.initiate(alice, level)
		a, b := alice.send(bob, "from alice"), bob.send(alice, "from bob")
		a2, b2 := alice.send(bob, "more from alice"), bob.send(alice, "more from bob")
		alice.reads(bob, b, "from bob")
		bob.reads(alice, a, "from alice")
		alice.reads(bob, b2, "more from bob")
		bob.reads(alice, a2, "more from alice")
		alice.refuses(bob, b, refusal.Duplicate)
		for i := range 20 {
			bob.reads(alice, alice.send(bob, fmt.Sprint(i)), fmt.Sprint(i))
			alice.reads(bob, bob.send(alice, fmt.Sprint(-i)), fmt.Sprint(-i))
		}
		alice.refuses(bob, b, refusal.InvalidMessage) // its chain is forgotten by now
	}
}

func TestArchivedSessionsStillDecryptButNeverEncrypt(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV3)
	old := alice.send(bob, "sent before")
	bob.record.Archive()
	if _, err := bob.record.Encrypt(bob.setting(alice), nil); fmt.Sprint(err) != `no session: with "alice"` {
		t.Error(err)
	}
	bob.reads(alice, old, "sent before") // and it is the current one again
	alice.reads(bob, bob.send(alice, "after"), "after")

	// Forty archived sessions are kept; the forty-first is gone.
	first := alice.send(bob, "first")
	for range 41 {
		bob.initiate(alice, handshake.LevelV3)
	}
	bob.refuses(alice, first, refusal.InvalidMessage)
}

func TestUnansweredSessionsGrowOld(t *testing.T) {
	alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
	alice.initiate(bob, handshake.LevelV4)
	alice.now = start.Add(30 * 24 * time.Hour)
	alice.send(bob, "still good")
	alice.now = alice.now.Add(time.Second)
	if _, err := alice.record.Encrypt(alice.setting(bob), nil); fmt.Sprint(err) != `no session: with "bob" that was answered within 30 days` {
		t.Error(err)
	}
	if alice.record.CanEncrypt(alice.setting(bob)) {
		t.Error("CanEncrypt disagrees")
	}
}

func TestChangedIdentityIsRefusedBeforeAnythingChanges(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV4)
	reinstalled := newDevice(t, "alice")
	reinstalled.initiate(bob, handshake.LevelV4)
	m := reinstalled.send(bob, "it is me, trust me")
	bob.refuses(reinstalled, m, refusal.UntrustedIdentity)
	if len(bob.oneTime) != 2 {
		t.Error("a prekey was used up by a refused message")
	}
	if err := bob.record.Initiate(bob.setting(alice), reinstalled.bundle(handshake.LevelV4)); refusal.Of(err) != refusal.UntrustedIdentity {
		t.Error("sending to a changed key:", err)
	}
	bob.accept = true // the person has looked at it; the message is replayed
	bob.reads(reinstalled, m, "it is me, trust me")
	bob.accept = false
	bob.refuses(alice, alice.send(bob, "from the old key"), refusal.UntrustedIdentity)
	reinstalled.reads(bob, bob.send(reinstalled, "hello again"), "hello again")
}

func TestServerCannotStripTheKyberKey(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV4SPQR)
	before := fmt.Sprintf("%x", alice.record.Marshal())
	err := alice.record.Initiate(alice.setting(bob), bob.bundle(handshake.LevelV3))
	if fmt.Sprint(err) != "protocol downgrade: v3, and this contact is known to speak v4+SPQR" {
		t.Error(err)
	}
	if fmt.Sprintf("%x", alice.record.Marshal()) != before {
		t.Error("the record changed")
	}
	mallory := newDevice(t, "alice") // somebody with alice's identity key, or alice forced back
	mallory.identity = alice.identity
	mallory.initiate(bob, handshake.LevelV3)
	bob.refuses(mallory, mallory.send(bob, "v3"), refusal.Downgrade)
	mallory.record = new(ratchet.Record)
	mallory.initiate(bob, handshake.LevelV4)
	bob.refuses(mallory, mallory.send(bob, "v4 without SPQR"), refusal.Downgrade)
	bob.policy.Downgrade = true
	bob.reads(mallory, mallory.send(bob, "agreed"), "agreed")
}

func TestOfferedSPQR(t *testing.T) {
	alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
	alice.policy.OfferSPQR = true
	alice.initiate(bob, handshake.LevelV4)
	bob.reads(alice, alice.send(bob, "no key yet"), "no key yet")
	alice.reads(bob, bob.send(alice, "with a key"), "with a key")
	bob.reads(alice, alice.send(bob, "with a key too"), "with a key too")
	if alice.record.Best() != handshake.LevelV4SPQR || bob.record.Best() != handshake.LevelV4SPQR {
		t.Error(alice.record.Best(), bob.record.Best())
	}
}

func TestTooManySkipped(t *testing.T) {
	for _, level := range []handshake.Level{handshake.LevelV3, handshake.LevelV4SPQR} {
		alice, bob := pair(t, level)
		var all []ratchet.Message
		for i := range 2502 {
			all = append(all, alice.send(bob, fmt.Sprint(i)))
		}
		bob.reads(alice, all[2501], "2501")
		bob.refuses(alice, all[0], refusal.Duplicate) // dropped
		bob.refuses(alice, all[500], refusal.Duplicate)
		bob.reads(alice, all[501], "501") // the oldest of 2000
		bob.reads(alice, all[2500], "2500")
	}
}

func TestTooFarInTheFuture(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV3)
	ahead := alice.record.Clone()
	w := alice.setting(bob)
	for range 25_000 {
		if _, err := ahead.Encrypt(w, nil); err != nil {
			t.Fatal(err)
		}
	}
	m, _ := ahead.Encrypt(w, []byte("25000"))
	beyond, _ := ahead.Encrypt(w, []byte("25001"))
	bob.refuses(alice, beyond, refusal.TooFarInFuture)
	bob.reads(alice, m, "25000")
	bob.reads(alice, beyond, "25001")
}

func TestOnlyFiveReceivingChainsAreKept(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV3)
	var late []ratchet.Message
	for range 7 {
		late = append(late, alice.send(bob, "late"))
		bob.reads(alice, alice.send(bob, "x"), "x")
		alice.reads(bob, bob.send(alice, "y"), "y")
	}
	bob.refuses(alice, late[1], refusal.InvalidMessage)
	bob.reads(alice, late[3], "late")
}

func TestReflectedMessagesAreRefused(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV4SPQR)
	alice.refuses(bob, alice.send(bob, "to bob"), refusal.InvalidMessage)
	carol := newDevice(t, "carol")
	carol.initiate(bob, handshake.LevelV3)
	carol.refuses(bob, carol.send(bob, "to bob"), refusal.InvalidKey)
}

func TestARetransmissionFindsItsSessionWithoutThePrekey(t *testing.T) {
	alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
	alice.initiate(bob, handshake.LevelV4SPQR)
	bob.reads(alice, alice.send(bob, "one"), "one")
	bob.signed = newKey(t) // rotated, and the old one deleted
	bob.reads(alice, alice.send(bob, "two"), "two")
}

func TestVersion2NeedsItsSwitch(t *testing.T) {
	alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
	bob.policy.V2 = false
	alice.initiate(bob, handshake.LevelV2)
	m := alice.send(bob, "from 2014")
	bob.refuses(alice, m, refusal.LegacyVersion)
	bob.policy.V2 = true
	bob.reads(alice, m, "from 2014")
	answer := bob.send(alice, "from 2026")
	bob.policy.V2 = false
	if _, err := bob.record.Encrypt(bob.setting(alice), nil); fmt.Sprint(err) != "legacy version: version 2 is switched off" {
		t.Error(err)
	}
	m = alice.send(bob, "still pending")
	bob.refuses(alice, m, refusal.LegacyVersion)
	alice.reads(bob, answer, "from 2026")
	bob.refuses(alice, alice.send(bob, "answered"), refusal.LegacyVersion)
	if err := alice.record.Initiate(alice.setting(bob), bob.bundle(handshake.LevelV3)); err != nil || alice.record.String() != "a current session (v3), 1 archived" {
		t.Error("version 2 must never be chosen:", alice.record, err)
	}
}

func TestNoSession(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV3)
	carol := newDevice(t, "carol")
	carol.refuses(alice, alice.send(bob, "x"), refusal.NoSession)
	m := alice.send(bob, "x")
	m.Body[0] = 0x13
	bob.refuses(alice, m, refusal.LegacyVersion)
	m.Body[0] = 0x54
	bob.refuses(alice, m, refusal.UnknownVersion)
	m.Body[0] = 0x24
	bob.refuses(alice, m, refusal.InvalidMessage) // another version than the session's
}

// A request to send again is honoured for the current ratchet key alone.
func TestSends(t *testing.T) {
	alice, bob := pair(t, handshake.LevelV3)
	key := func(m ratchet.Message) keys.Public {
		p, err := wire.ParseSignal(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		return p.RatchetKey
	}
	lost := alice.send(bob, "lost")
	if !alice.record.Sends(key(lost)) || bob.record.Sends(key(lost)) || new(ratchet.Record).Sends(key(lost)) {
		t.Error("the key of the newest message")
	}
	bob.reads(alice, alice.send(bob, "x"), "x")
	alice.reads(bob, bob.send(alice, "y"), "y")
	if alice.record.Sends(key(lost)) || !alice.record.Sends(key(alice.send(bob, "z"))) {
		t.Error("a key of before the turn")
	}
	alice.record.Archive()
	if alice.record.Sends(key(lost)) {
		t.Error("an archived session sends nothing")
	}
}

// Between our own devices the counter may jump further, but not without end.
func TestJumpsBetweenOurOwnDevices(t *testing.T) {
	phone, desk := newDevice(t, "me"), newDevice(t, "me")
	desk.identity = phone.identity
	phone.initiate(desk, handshake.LevelV3)
	desk.reads(phone, phone.send(desk, "hello"), "hello")
	w := phone.setting(desk)
	for range 25_001 {
		if _, err := phone.record.Encrypt(w, nil); err != nil {
			t.Fatal(err)
		}
	}
	desk.reads(phone, phone.send(desk, "beyond what others may"), "beyond what others may")
}

// A server that hands out our own keys as bob's, or reflects our messages as his, gets nowhere; nor does a stranger as a device of ours.
func TestOurOwnKeyIsNobodyElses(t *testing.T) {
	alice, mirror := newDevice(t, "alice"), newDevice(t, "bob")
	mirror.identity = alice.identity
	if err := alice.record.Initiate(alice.setting(mirror), mirror.bundle(handshake.LevelV4SPQR)); fmt.Sprint(err) != `invalid key: the identity key of "bob" is our own` {
		t.Error(err)
	}
	mirror.record = new(ratchet.Record)
	stranger := newDevice(t, "carol")
	stranger.name = "alice"
	if err := alice.record.Initiate(alice.setting(stranger), stranger.bundle(handshake.LevelV4SPQR)); refusal.Of(err) != refusal.UntrustedIdentity {
		t.Error("a stranger as another device of ours:", err)
	}
	reflecting := newDevice(t, "alice") // what alice's other device sends to her, given out as bob's
	reflecting.identity = alice.identity
	reflecting.initiate(alice, handshake.LevelV4SPQR)
	m := reflecting.send(alice, "a note to myself")
	alice.refuses(mirror, m, refusal.InvalidKey)
	alice.reads(reflecting, m, "a note to myself")
}

// A used last-resort Kyber prekey is refused for the same base key.
func TestLastResortRepetition(t *testing.T) {
	alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
	b := bob.bundle(handshake.LevelV4)
	b.OneTime = nil
	if err := alice.record.Initiate(alice.setting(bob), b); err != nil {
		t.Fatal(err)
	}
	m := alice.send(bob, "once")
	bob.reads(alice, m, "once")
	bob.record = new(ratchet.Record) // lost, but the note of the use is not
	p, err := wire.ParsePreKey(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	have := bob.prekeys(p)
	have.Repeated = true
	if _, err := bob.record.DecryptPreKey(bob.setting(alice), p, have); refusal.Of(err) != refusal.Duplicate {
		t.Error(err)
	}
}

// What a thief of the state learns: nothing from before, and nothing after both sides have turned the ratchet.
func TestForwardSecrecyAndHealing(t *testing.T) {
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) {
			alice, bob := pair(t, level)
			m := alice.send(bob, "before")
			bob.reads(alice, m, "before")
			thief := *bob
			thief.record = bob.record.Clone()
			thief.refuses(alice, m, refusal.Duplicate)

			// The theft is felt until the next full exchange ...
			m = alice.send(bob, "during")
			bob.reads(alice, m, "during")
			thief.reads(alice, m, "during")
			// ... bob's answer goes out under the stolen key, but with it goes a key made after the theft,
			alice.reads(bob, bob.send(alice, "answer"), "answer")
			// and alice's answer to that is beyond the thief. So is everything later, in both directions.
			bob.record = healed(t, alice, bob, &thief)
			for range 3 {
				m = alice.send(bob, "after")
				thief.refuses(alice, m, refusal.InvalidMessage)
				bob.reads(alice, m, "after")
				alice.reads(bob, bob.send(alice, "after"), "after")
			}
		})
	}
}

// healed lets both turn once more, and checks that it is needed at most once.
func healed(t *testing.T, alice, bob, thief *device) *ratchet.Record {
	t.Helper()
	m := alice.send(bob, "healing")
	bob.reads(alice, m, "healing")
	thief.open(alice, m)
	alice.reads(bob, bob.send(alice, "healing"), "healing")
	return bob.record
}

// Without randomness nothing happens: no kind, so that nobody takes it for a fault of the message, and no change.
func TestFailingRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	for _, level := range levels {
		alice, bob := pair(t, level)
		bob.reads(alice, alice.send(bob, "x"), "x")
		w := alice.setting(bob)
		w.Rand = iotest.ErrReader(broken)
		m := bob.send(alice, "turns the ratchet")
		before := alice.record.Marshal()
		if _, err := alice.record.Decrypt(w, m.Body); refusal.Of(err) != "" || !errors.Is(err, broken) {
			t.Errorf("%s: %v", level, err)
		}
		if err := alice.record.Initiate(w, bob.bundle(level)); !errors.Is(err, broken) {
			t.Errorf("%s: %v", level, err)
		}
		if !bytes.Equal(alice.record.Marshal(), before) {
			t.Errorf("%s: the record changed", level)
		}
		alice.reads(bob, m, "turns the ratchet")
	}
}

func TestLongestPlaintext(t *testing.T) {
	for _, level := range levels {
		alice, bob := newDevice(t, "alice"), newDevice(t, "bob")
		alice.initiate(bob, level)
		text := strings.Repeat("x", wire.MaxPlaintext)
		bob.reads(alice, alice.send(bob, text), text)
		if _, err := alice.record.Encrypt(alice.setting(bob), []byte(text+"x")); err == nil {
			t.Error("a longer plaintext was sealed")
		}
	}
}
