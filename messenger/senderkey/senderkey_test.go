package senderkey_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/senderkey"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/wire"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		for _, order := range [][]int{{0, 1}, {1, 0}} {
			t.Run(fmt.Sprint(v.Name, order), func(t *testing.T) {
				d, err := wire.ParseDistribution(v.Base64(v.Text("distribution")))
				if err != nil || !bytes.Equal(d.Distribution[:], v.Hex("uuid")) {
					t.Fatal(d, err)
				}
				var r senderkey.Receiver
				r.Accept(d)
				for _, i := range order {
					b := v.Base64(v.All("message")[i])
					mutate(t, &r, b)
					got, err := r.Decrypt(b)
					v.Outcome(err)
					if err != nil || string(got) != v.All("plaintext")[i] {
						t.Fatalf("message %d: %q, %v", i+1, got, err)
					}
					if _, err := r.Decrypt(b); refusal.Of(err) != refusal.Duplicate {
						t.Error("read twice:", err)
					}
				}
			})
		}
	}
}

// mutate changes and cuts every byte: never accepted, never a changed state.
func mutate(t *testing.T, r *senderkey.Receiver, b []byte) {
	t.Helper()
	before := r.Marshal()
	for i := range b {
		for _, x := range []byte{1, 8, 0x80, 0xff} {
			bad := bytes.Clone(b)
			bad[i] ^= x
			if got, err := r.Decrypt(bad); refusal.Of(err) == "" {
				t.Fatalf("byte %d: %q, %v", i, got, err)
			}
		}
		if _, err := r.Decrypt(b[:i]); refusal.Of(err) == "" {
			t.Fatalf("prefix of %d bytes: %v", i, err)
		}
	}
	if !bytes.Equal(r.Marshal(), before) {
		t.Fatal("a refused message changed the state")
	}
}

func newSender(t testing.TB) *senderkey.Sender {
	t.Helper()
	id, err := senderkey.DistributionID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := senderkey.NewSender(id, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s *senderkey.Sender, text string) []byte {
	t.Helper()
	b, err := s.Encrypt([]byte(text), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func accept(t testing.TB, r *senderkey.Receiver, s *senderkey.Sender) {
	t.Helper()
	sent := s.Distribution()
	d, err := wire.ParseDistribution(sent.Encode())
	if err != nil {
		t.Fatal(err)
	}
	r.Accept(d)
}

func TestGroupOverABadNetwork(t *testing.T) {
	s := newSender(t)
	var r senderkey.Receiver
	accept(t, &r, s)
	rnd := mrand.New(mrand.NewPCG(1, 1))
	var all [][]byte
	for i := range 300 {
		all = append(all, seal(t, s, fmt.Sprint(i)))
		var err error
		if s, err = senderkey.UnmarshalSender(s.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range rnd.Perm(300) {
		if i%5 == 0 {
			continue // lost
		}
		got, err := r.Decrypt(all[i])
		if err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("%d: %q, %v", i, got, err)
		}
		stored := r.Marshal()
		back, err := senderkey.UnmarshalReceiver(stored)
		if err != nil || !bytes.Equal(back.Marshal(), stored) {
			t.Fatal("stored form", err)
		}
		r = *back
		accept(t, &r, s) // a distribution again must not rewind
		if _, err := r.Decrypt(all[i]); refusal.Of(err) != refusal.Duplicate {
			t.Fatalf("%d again: %v", i, err)
		}
	}
}

func TestLateMembersCannotReadThePast(t *testing.T) {
	s := newSender(t)
	past := seal(t, s, "before")
	var r senderkey.Receiver
	accept(t, &r, s)
	if _, err := r.Decrypt(past); refusal.Of(err) != refusal.Duplicate {
		t.Error(err)
	}
	if got, err := r.Decrypt(seal(t, s, "after")); err != nil || string(got) != "after" {
		t.Error(got, err)
	}
}

func TestMembersCannotWriteForEachOther(t *testing.T) {
	s := newSender(t)
	var r senderkey.Receiver
	accept(t, &r, s)
	// A member knows the chain key, but has to sign with a key of his own.
	d := s.Distribution()
	seed, _ := kdf.Chain(d.ChainKey)
	b := kdf.HKDF(nil, seed[:], "WhisperGroup", 48)
	mallory, _ := keys.Generate(rand.Reader)
	m := wire.SenderKey{Distribution: d.Distribution, Chain: d.Chain, Ciphertext: kdf.EncryptCBC(keys.Secret(b[16:]), [16]byte(b[:16]), []byte("I owe you money"))}
	forged, _ := m.Seal(func(covered []byte) ([64]byte, error) {
		sig, err := xeddsa.Sign(mallory, covered, rand.Reader)
		return sig, err
	})
	if got, err := r.Decrypt(forged); fmt.Sprint(err) != "invalid message: the message does not authenticate" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLimits(t *testing.T) {
	s := newSender(t)
	var r senderkey.Receiver
	if _, err := r.Decrypt(seal(t, s, "x")); refusal.Of(err) != refusal.NoSession {
		t.Error(err)
	}
	accept(t, &r, s)
	first := seal(t, s, "first")
	for range 2500 {
		seal(t, s, "")
	}
	if _, err := r.Decrypt(seal(t, s, "far")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Decrypt(first); refusal.Of(err) != refusal.Duplicate {
		t.Error("more than 2000 kept:", err)
	}
	// Five keys are kept, the sixth drives the oldest out.
	r = senderkey.Receiver{}
	var senders []*senderkey.Sender
	for range 6 {
		senders = append(senders, newSender(t))
		accept(t, &r, senders[len(senders)-1])
	}
	if _, err := r.Decrypt(seal(t, senders[0], "x")); refusal.Of(err) != refusal.NoSession {
		t.Error(err)
	}
	if _, err := r.Decrypt(seal(t, senders[1], "x")); err != nil {
		t.Error(err)
	}
}

func TestTooFar(t *testing.T) {
	s := newSender(t)
	d := s.Distribution()
	var r senderkey.Receiver
	r.Accept(&d)
	far := s.Marshal()
	// iteration of the stored form: version, distribution, chain id, iteration
	far[21], far[22], far[23], far[24] = 0, 0, 0x61, 0xa9 // 25001
	ahead, err := senderkey.UnmarshalSender(far)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Decrypt(seal(t, ahead, "x")); fmt.Sprint(err) != "too far in the future: iteration 25001 after 0" {
		t.Error(err)
	}
}

// The very last iteration is refused: it would turn the chain over, and leave a state that does not read back.
func TestChainsDoNotTurnOver(t *testing.T) {
	stored := newSender(t).Marshal()
	copy(stored[21:25], []byte{0xff, 0xff, 0xff, 0xfd})
	s, err := senderkey.UnmarshalSender(stored)
	if err != nil {
		t.Fatal(err)
	}
	var r senderkey.Receiver
	accept(t, &r, s)
	seal(t, s, "lost")
	if got, err := r.Decrypt(seal(t, s, "last but one")); err != nil || string(got) != "last but one" {
		t.Fatal(got, err)
	}
	if _, err := s.Encrypt(nil, rand.Reader); fmt.Sprint(err) != "no session: the sender key is used up" {
		t.Error(err)
	}
	d := s.Distribution()
	signing, err := keys.NewPrivate(keys.Secret(s.Marshal()[57:89]))
	if err != nil || signing.Public() != d.Signing {
		t.Fatal("the test is wrong: not the signing key", err)
	}
	m := wire.SenderKey{Distribution: d.Distribution, Chain: d.Chain, Iteration: 0xffffffff, Ciphertext: make([]byte, 16)}
	last, err := m.Seal(func(covered []byte) ([64]byte, error) {
		sig, err := xeddsa.Sign(signing, covered, rand.Reader)
		return sig, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Decrypt(last); fmt.Sprint(err) != "too far in the future: iteration 4294967295 after 4294967295" {
		t.Error(err)
	}
	if _, err := senderkey.UnmarshalReceiver(r.Marshal()); err != nil {
		t.Error(err)
	}
}

// Whatever arrives is the message that was sent, or is refused with a kind and changes nothing.
func FuzzMessages(f *testing.F) {
	s := newSender(f)
	var r senderkey.Receiver
	accept(f, &r, s)
	seal(f, s, "skipped")
	sent := seal(f, s, "text")
	f.Add(sent)
	stored := r.Marshal()
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := senderkey.UnmarshalReceiver(stored)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Decrypt(body)
		switch {
		case err == nil && (string(got) != "text" || !bytes.Equal(body, sent)):
			t.Fatalf("another message is accepted: %q", got)
		case err != nil && refusal.Of(err) == "":
			t.Fatalf("%v has no kind", err)
		case err != nil && !bytes.Equal(r.Marshal(), stored):
			t.Fatalf("%v changed the state", err)
		}
	})
}

func TestOldLayoutIsRead(t *testing.T) {
	signing, _ := keys.Generate(rand.Reader)
	chain := keys.Secret{7}
	d := append([]byte{0x33, 0x08, 9, 0x10, 0, 0x1a, 32}, chain[:]...)
	d = append(append(d, 0x22, 33), signing.Public().Bytes()...)
	old, err := wire.ParseDistribution(d)
	if err != nil || !old.Old {
		t.Fatal(err)
	}
	var r senderkey.Receiver
	r.Accept(old)
	seed, _ := kdf.Chain(chain)
	b := kdf.HKDF(nil, seed[:], "WhisperGroup", 48)
	c := kdf.EncryptCBC(keys.Secret(b[16:]), [16]byte(b[:16]), []byte("from 2015"))
	m := append([]byte{0x33, 0x08, 9, 0x10, 0, 0x1a, byte(len(c))}, c...)
	sig, _ := xeddsa.Sign(signing, m, rand.Reader)
	if got, err := r.Decrypt(append(m, sig[:]...)); err != nil || string(got) != "from 2015" {
		t.Error(got, err)
	}
}

func TestKeysWearOut(t *testing.T) {
	s := newSender(t)
	if s.Worn(start.Add(14*24*time.Hour)) || !s.Worn(start.Add(14*24*time.Hour+time.Second)) {
		t.Error("14 days")
	}
	for range 999 {
		seal(t, s, "")
	}
	if s.Worn(start) {
		t.Error("worn after 999 messages")
	}
	seal(t, s, "")
	if !s.Worn(start) {
		t.Error("not worn after 1000 messages")
	}
}

func FuzzStored(f *testing.F) {
	s := newSender(f)
	var r senderkey.Receiver
	accept(f, &r, s)
	seal(f, s, "skipped")
	r.Decrypt(seal(f, s, "x"))
	f.Add(r.Marshal())
	f.Add(s.Marshal())
	f.Fuzz(func(t *testing.T, in []byte) {
		if r, err := senderkey.UnmarshalReceiver(in); err == nil && !bytes.Equal(r.Marshal(), in) {
			t.Fatal("two forms of one receiver")
		}
		if s, err := senderkey.UnmarshalSender(in); err == nil && !bytes.Equal(s.Marshal(), in) {
			t.Fatal("two forms of one sender")
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	s := newSender(b)
	text := make([]byte, 1024)
	for b.Loop() {
		if _, err := s.Encrypt(text, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}
