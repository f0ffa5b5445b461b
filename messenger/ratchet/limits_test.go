package ratchet

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// end is one side of a session, with the prekeys that a session can be started with.
type end struct {
	w      Setting
	r      Record
	signed *keys.Private
	kyber  *keys.KyberPrivate
}

func newEnd(t *testing.T) *end {
	t.Helper()
	gen := func() *keys.Private {
		k, err := keys.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	kyber, err := keys.GenerateKyber(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &end{w: Setting{Identity: gen(), Rand: rand.Reader}, signed: gen(), kyber: kyber}
}

// start makes e begin a session of v4 with SPQR, which the peer has read one message of.
func (e *end) start(t *testing.T, peer *end) {
	t.Helper()
	signed, err1 := handshake.SignPrekey(peer.w.Identity, 1, peer.signed.Public(), rand.Reader)
	kyber, err2 := handshake.SignKyber(peer.w.Identity, 2, peer.kyber.Public(), rand.Reader)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	b := &handshake.Bundle{Identity: peer.w.Identity.Public(), Signed: signed, Kyber: &kyber, SPQR: true}
	if err := e.r.Initiate(e.w, b); err != nil {
		t.Fatal(err)
	}
	m, err := wire.ParsePreKey(e.send(t, "start"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := peer.r.DecryptPreKey(peer.w, m, handshake.Prekeys{Signed: peer.signed, Kyber: peer.kyber}); err != nil {
		t.Fatal(err)
	}
}

func (e *end) send(t *testing.T, text string) []byte {
	t.Helper()
	m, err := e.r.Encrypt(e.w, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m.Body
}

func (e *end) reads(t *testing.T, body []byte, want string) {
	t.Helper()
	if o, err := e.r.Decrypt(e.w, body); err != nil || string(o.Plaintext) != want {
		t.Fatalf("reads %q, %v; want %q", o.Plaintext, err, want)
	}
}

// answered is two ends with a session both have sent in.
func answered(t *testing.T) (alice, bob *end) {
	t.Helper()
	alice, bob = newEnd(t), newEnd(t)
	alice.start(t, bob)
	alice.reads(t, bob.send(t, "answer"), "answer")
	bob.reads(t, alice.send(t, "x"), "x")
	return alice, bob
}

// The last counters of a chain: the one before last is the end, and the stored record stays readable.
func TestChainsDoNotTurnOver(t *testing.T) {
	alice, bob := answered(t)
	from, to := alice.r.current, bob.r.current
	own := from.own.Public()
	from.sending.index = math.MaxUint32 - 2
	to.receiving[len(to.receiving)-1].index = math.MaxUint32 - 2
	alice.send(t, "lost")
	bob.reads(t, alice.send(t, "last but one"), "last but one")
	if _, err := Unmarshal(bob.r.Marshal()); err != nil {
		t.Error(err)
	}
	if _, err := alice.r.Encrypt(alice.w, nil); refusal.Of(err) != refusal.NoSession {
		t.Error("a message under the very last counter:", err)
	}
	m := wire.Signal{VersionByte: 0x44, RatchetKey: own, Counter: math.MaxUint32, Ciphertext: make([]byte, 16), PQ: wire.SPQR{Epoch: 1, Index: 3}.Append(nil)}
	forged := m.Seal(func([]byte) [8]byte { return [8]byte{} })
	if _, err := bob.r.Decrypt(bob.w, forged); refusal.Of(err) != refusal.TooFarInFuture {
		t.Error(err)
	}
}

// A message that nobody has authenticated yet must not cost the whole jump once per archived session.
func TestOneMessageHasOneBudget(t *testing.T) {
	alice, bob := newEnd(t), newEnd(t)
	for range 41 {
		alice.start(t, bob)
	}
	if len(bob.r.archived) != 40 {
		t.Fatal(len(bob.r.archived))
	}
	fresh, err := keys.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := wire.Signal{VersionByte: 0x44, RatchetKey: fresh.Public(), Counter: maxJump, Ciphertext: make([]byte, 16), PQ: wire.SPQR{Epoch: 1, Index: maxJump + 1}.Append(nil)}
	_, err = bob.r.Decrypt(bob.w, m.Seal(func([]byte) [8]byte { return [8]byte{} }))
	text := err.Error()
	if made, spared := strings.Count(text, "does not authenticate"), strings.Count(text, "too far in the future"); made != 2 || spared != 39 {
		t.Errorf("%d sessions made the whole jump, %d were spared: %v", made, spared, err)
	}
}

// What is within reason is read by the oldest of forty sessions too.
func TestTheBudgetServesTheOldestSession(t *testing.T) {
	alice, bob := answered(t)
	old := &end{w: alice.w, r: *alice.r.Clone()}
	for range 40 {
		alice.start(t, bob)
	}
	for range 500 {
		old.send(t, "lost")
	}
	bob.reads(t, old.send(t, "from long ago"), "from long ago")
}

// A peer that starts session after session, and leaves all it may unread in each, does not make the record grow without bound. The newest
// sessions still read what was late.
func TestOnePeerHasOneRecordsWorth(t *testing.T) {
	alice, bob := newEnd(t), newEnd(t)
	var late [][]byte
	for range 30 {
		alice.start(t, bob)
		late = append(late, alice.send(t, "late"))
		for range maxSkipped - 1 {
			alice.send(t, "")
		}
		m, err := wire.ParsePreKey(alice.send(t, "read"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.r.DecryptPreKey(bob.w, m, handshake.Prekeys{}); err != nil {
			t.Fatal(err)
		}
	}
	stored := bob.r.Marshal()
	if n := len(stored); n > 1_500_000 {
		t.Errorf("a record of %d bytes", n)
	}
	r, err := Unmarshal(stored)
	if err != nil || !bytes.Equal(r.Marshal(), stored) {
		t.Fatal("stored form", err)
	}
	open := func(i int) error {
		m, err := wire.ParsePreKey(late[i])
		if err != nil {
			t.Fatal(err)
		}
		_, err = bob.r.DecryptPreKey(bob.w, m, handshake.Prekeys{})
		return err
	}
	if err := open(0); refusal.Of(err) != refusal.Duplicate {
		t.Error("the oldest session kept its seeds:", err)
	}
	for i := 25; i < 30; i++ {
		if err := open(i); err != nil {
			t.Errorf("session %d of 30 lost its seeds: %v", i, err)
		}
	}
}

// nextKeys are the keys of the next message from one end, which then counts as sent.
func (e *end) nextKeys(t *testing.T) (m wire.Signal, k kdf.Message) {
	t.Helper()
	s := e.r.current
	p, salt, pq, err := s.pq.Send(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m = wire.Signal{VersionByte: 0x44, RatchetKey: s.own.Public(), Counter: s.sending.index, PQ: p.Append(nil)}
	s.pq = pq
	return m, kdf.MessageKeys(wire.V4, s.sending.step(), salt)
}

// The MAC is taken over the bytes as they came: a field we do not know is skipped, and covered; and so is the low nibble of the version.
func TestMACCoversWhatCame(t *testing.T) {
	alice, bob := answered(t)
	m, k := alice.nextKeys(t)
	m.VersionByte = 0x4f // from a version to come
	m.Ciphertext = k.Encrypt(wire.V4, m.Counter, []byte("from the future"))
	plain := m.Seal(func([]byte) [wire.MACSize]byte { return [wire.MACSize]byte{} })
	covered := append(plain[:len(plain)-wire.MACSize], 0x98, 0x06, 0x05) // field 99
	tag := k.Tag(wire.V4, alice.w.Identity.Public(), bob.w.Identity.Public(), covered)
	bob.reads(t, append(covered, tag[:]...), "from the future")
}

// A peer cannot learn from the error whether the MAC or the padding was wrong.
func TestMACAndPaddingErrorsAreOne(t *testing.T) {
	alice, bob := answered(t)
	before := bob.r.Marshal()
	m, k := alice.nextKeys(t)
	seal := func(ciphertext []byte) []byte {
		m.Ciphertext = ciphertext
		return m.Seal(func(covered []byte) [wire.MACSize]byte {
			return k.Tag(wire.V4, alice.w.Identity.Public(), bob.w.Identity.Public(), covered)
		})
	}
	good := k.Encrypt(wire.V4, m.Counter, []byte("text"))
	wrong := seal(good)
	wrong[len(wrong)-1] ^= 1
	for name, body := range map[string][]byte{"MAC": wrong, "padding": seal(make([]byte, 32)), "no blocks": seal(good[:15]), "empty": seal([]byte{})} {
		if _, err := bob.r.Decrypt(bob.w, body); fmt.Sprint(err) != "invalid message: the message does not authenticate" {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(bob.r.Marshal(), before) {
			t.Errorf("%s: the record changed", name)
		}
	}
	bob.reads(t, seal(good), "text")
}

// What a committed session leaves in memory of the one before: nothing that opens a message.
func TestUsedKeysAreWiped(t *testing.T) {
	alice, bob := answered(t)
	late := alice.send(t, "late")
	bob.reads(t, alice.send(t, "x"), "x")
	before := bob.r.current
	last := len(before.receiving) - 1
	kept := before.receiving[last].skipped
	if len(kept) != 1 || (kept[0].seed == keys.Secret{}) {
		t.Fatal("no skipped seed", kept)
	}
	bob.reads(t, late, "late")
	if (kept[0] != skippedSeed{}) || (before.root != keys.Secret{}) || (before.receiving[last].key != keys.Secret{}) || (before.sending.key != keys.Secret{}) {
		t.Error("a used seed, or an old key, is still in memory")
	}
	alice.reads(t, bob.send(t, "turn"), "turn")
	own := bob.r.current.own
	bob.reads(t, alice.send(t, "turn"), "turn")
	if (own.Scalar() != keys.Secret{}) {
		t.Error("an old ratchet key is still in memory")
	}
	// Seeds that are still waited for live on in the successor.
	late = alice.send(t, "late")
	bob.reads(t, alice.send(t, "x"), "x")
	bob.reads(t, alice.send(t, "y"), "y")
	bob.reads(t, late, "late")
	// A session that falls off the end of the archive is gone.
	gone := bob.r.current
	for range 41 {
		alice.start(t, bob)
	}
	if (gone.own.Scalar() != keys.Secret{}) {
		t.Error("a dropped session is still in memory")
	}
}
