package handshake_test

import (
	"bytes"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/vector"
	"github.com/countersign-project/countersign/messenger/wire"
)

func private(t testing.TB, b [32]byte) *keys.Private {
	t.Helper()
	k, err := keys.NewPrivate(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			identity := private(t, v.Bytes32("idPriv"))
			if identity.Public() != v.Bytes32("idPub") {
				t.Fatal("identity key differs")
			}
			have := handshake.Prekeys{OneTime: private(t, v.Bytes32("otpkPriv")), Signed: private(t, v.Bytes32("spkPriv"))}
			if v.Has("kemSeed") {
				var err error
				if have.Kyber, err = keys.NewKyberPrivate(v.Hex("kemSeed")); err != nil {
					t.Fatal(err)
				}
			}
			for i, text := range v.All("message") {
				m, err := wire.ParsePreKey(v.Base64(text))
				if err != nil {
					t.Fatal(err)
				}
				if m.PreKeyID != v.Int("preKeyId") || m.RegistrationID != v.Int("registrationId") ||
					v.Has("signedPreKeyId") && m.SignedPreKeyID != v.Int("signedPreKeyId") ||
					v.Has("kyberPreKeyId") && m.KyberPreKeyID != v.Int("kyberPreKeyId") || m.Inner.Counter != uint32(i) {
					t.Errorf("ids differ: %+v", m)
				}
				a, _, err := handshake.Respond(identity, have, m)
				v.Outcome(err)
				if err != nil {
					t.Fatal(err)
				}
				if a.Root != v.Bytes32("root0") || a.Chain != v.Bytes32("chain0") {
					t.Error("root0 or chain0 differs")
				}
				if v.Has("pqr") && a.PQ != v.Bytes32("pqr") {
					t.Error("pqr differs")
				}
				if got := secrets(t, v, identity, have, m); got != v.Bytes32("secretsSHA256") {
					t.Error("concatenated secrets differ")
				}
				if v.Has("kyber") {
					if s, err := have.Kyber.Decapsulate(m.Kyber); err != nil || s != v.Bytes32("kyber") {
						t.Error("kyber secret differs", err)
					}
				}
			}
		})
	}
}

// secrets is the hash of what goes into the first derivation (3.2), put together here as the specification has it.
func secrets(t *testing.T, v vector.Vector, identity *keys.Private, have handshake.Prekeys, m *wire.PreKey) [32]byte {
	t.Helper()
	var all []byte
	agree := func(own *keys.Private, their keys.Public) {
		s, err := own.Agree(their)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s[:]...)
	}
	signed := have.Signed
	if m.Version() == wire.V2 {
		signed = have.OneTime
	} else {
		all = bytes.Repeat([]byte{0xff}, 32)
	}
	agree(signed, m.Identity)
	agree(identity, m.BaseKey)
	agree(signed, m.BaseKey)
	if m.Version() > wire.V2 {
		agree(have.OneTime, m.BaseKey)
	}
	if m.Version() == wire.V4 {
		k, err := mlkem.NewDecapsulationKey1024(v.Hex("kemSeed"))
		if err != nil {
			t.Fatal(err)
		}
		shared, err := k.Decapsulate(m.Kyber[1:])
		if err != nil || !bytes.Equal(shared, v.Hex("mlkem")) && m.Inner.Counter == 0 {
			t.Error("ML-KEM's own secret differs", err)
		}
		c := sha3.Sum256(m.Kyber[1:])
		all = append(all, sha3.SumSHAKE256(append(shared, c[:]...), 32)...)
	}
	return sha256.Sum256(all)
}

// bob is a responder with prekeys of every kind.
type bob struct {
	identity, oneTime, signed *keys.Private
	kyber                     *keys.KyberPrivate
}

func newBob(t testing.TB) bob {
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
	return bob{gen(), gen(), gen(), kyber}
}

func (b bob) bundle(t testing.TB) *handshake.Bundle {
	signed, err := handshake.SignPrekey(b.identity, 22, b.signed.Public(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kyber, err := handshake.SignKyber(b.identity, 77, b.kyber.Public(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &handshake.Bundle{RegistrationID: 1, Identity: b.identity.Public(), Signed: signed, Kyber: &kyber, SPQR: true,
		OneTime: &handshake.OneTime{ID: 31337, Key: b.oneTime.Public()}}
}

func (b bob) prekeys() handshake.Prekeys {
	return handshake.Prekeys{OneTime: b.oneTime, Signed: b.signed, Kyber: b.kyber}
}

// received is the offer as Bob receives it.
func received(o handshake.Offer, identity keys.Public) *wire.PreKey {
	return &wire.PreKey{VersionByte: o.Version << 4, OneTime: o.OneTime, PreKeyID: o.PreKeyID, SignedPreKeyID: o.SignedID,
		KyberPreKeyID: o.KyberID, Kyber: o.Kyber, BaseKey: o.Base, Identity: identity}
}

func TestBothSidesAgree(t *testing.T) {
	b := newBob(t)
	alice, _ := keys.Generate(rand.Reader)
	for _, version := range []uint8{2, 3, 4} {
		for _, oneTime := range []bool{true, false} {
			if version == 2 && !oneTime {
				continue
			}
			bundle := b.bundle(t)
			if err := bundle.Check(); err != nil {
				t.Fatal(err)
			}
			if !oneTime {
				bundle.OneTime = nil
			}
			o, mine, err := handshake.Initiate(version, alice, bundle, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			theirs, pair, err := handshake.Respond(b.identity, b.prekeys(), received(o, alice.Public()))
			if err != nil || theirs != mine {
				t.Errorf("v%d: agreements differ: %v", version, err)
			}
			if (version == 2) != (pair == b.oneTime) || (mine.PQ != keys.Secret{}) != (version == 4) {
				t.Errorf("v%d: wrong ratchet pair or SPQR key", version)
			}
			mallory, _ := keys.Generate(rand.Reader)
			if theirs, _, err := handshake.Respond(b.identity, b.prekeys(), received(o, mallory.Public())); err == nil && theirs == mine {
				t.Errorf("v%d: the agreement does not bind the identity", version)
			}
		}
	}
}

func TestEveryByteOfABundleIsSigned(t *testing.T) {
	b := newBob(t)
	good := b.bundle(t)
	for i := range good.Signed.Signature {
		bad := *good
		bad.Signed.Signature[i] ^= 0x10
		if got := fmt.Sprint(bad.Check()); got != "invalid key: signature of signed prekey 22" {
			t.Fatal(got)
		}
		bad = *good
		kyber := *good.Kyber
		kyber.Signature[i] ^= 0x10
		bad.Kyber = &kyber
		if got := fmt.Sprint(bad.Check()); got != "invalid key: signature of kyber prekey 77" {
			t.Fatal(got)
		}
	}
	bad := *good
	bad.Signed.Key = b.oneTime.Public()
	if refusal.Of(bad.Check()) != refusal.InvalidKey {
		t.Error("another signed prekey passes")
	}
}

func TestMissingPrekeysAreNamed(t *testing.T) {
	b := newBob(t)
	alice, _ := keys.Generate(rand.Reader)
	o, _, _ := handshake.Initiate(4, alice, b.bundle(t), rand.Reader)
	m := received(o, alice.Public())
	tests := []struct {
		change func(p *handshake.Prekeys)
		want   string
	}{
		{func(p *handshake.Prekeys) { p.OneTime = nil }, "invalid key id: one-time prekey 31337"},
		{func(p *handshake.Prekeys) { p.Signed = nil }, "invalid key id: signed prekey 22"},
		{func(p *handshake.Prekeys) { p.Kyber = nil }, "invalid key id: kyber prekey 77"},
		{func(p *handshake.Prekeys) { p.Repeated = true }, "duplicate message: kyber prekey 77 was used with this base key before"},
	}
	for _, test := range tests {
		p := b.prekeys()
		test.change(&p)
		if _, _, err := handshake.Respond(b.identity, p, m); fmt.Sprint(err) != test.want {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	o, mine, _ := handshake.Initiate(3, alice, &handshake.Bundle{Identity: b.identity.Public(), Signed: b.bundle(t).Signed}, rand.Reader)
	m = received(o, alice.Public())
	m.OneTime = true // one client writes prekey id 0 for none
	p := b.prekeys()
	p.OneTime = nil
	if theirs, _, err := handshake.Respond(b.identity, p, m); err != nil || theirs != mine {
		t.Error("prekey id 0 is not taken for none", err)
	}
}

func TestVersionPolicy(t *testing.T) {
	b := newBob(t)
	full, noSPQR, stripped := b.bundle(t), b.bundle(t), b.bundle(t)
	noSPQR.SPQR = false
	stripped.Kyber = nil
	tests := []struct {
		bundle *handshake.Bundle
		policy handshake.Policy
		best   handshake.Level
		want   string
	}{
		{full, handshake.Policy{}, handshake.None, "v4+SPQR <nil>"},
		{full, handshake.Policy{NoSPQR: true}, handshake.None, "v4 <nil>"},
		{noSPQR, handshake.Policy{}, handshake.None, "v4 <nil>"},
		{noSPQR, handshake.Policy{}, handshake.LevelV4SPQR, "v4+SPQR <nil>"},
		{full, handshake.Policy{NoSPQR: true}, handshake.LevelV4SPQR, "v4 protocol downgrade: v4, and this contact is known to speak v4+SPQR"},
		{stripped, handshake.Policy{}, handshake.None, "v3 <nil>"},
		{stripped, handshake.Policy{}, handshake.LevelV4, "v3 protocol downgrade: v3, and this contact is known to speak v4"},
		{stripped, handshake.Policy{Downgrade: true}, handshake.LevelV4, "v3 <nil>"},
		{full, handshake.Policy{}, handshake.LevelV3, "v4+SPQR <nil>"},
	}
	for _, test := range tests {
		l, err := test.policy.Choose(test.bundle, test.best)
		if got := fmt.Sprint(l, " ", err); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	accept := []struct {
		version uint8
		policy  handshake.Policy
		best    handshake.Level
		want    string
	}{
		{2, handshake.Policy{}, handshake.None, "legacy version: version 2 is switched off"},
		{2, handshake.Policy{V2: true}, handshake.None, "<nil>"},
		{2, handshake.Policy{V2: true}, handshake.LevelV3, "protocol downgrade: v2, and this contact is known to speak v3"},
		{3, handshake.Policy{}, handshake.LevelV4SPQR, "protocol downgrade: v3, and this contact is known to speak v4+SPQR"},
		{4, handshake.Policy{}, handshake.LevelV4SPQR, "<nil>"},
	}
	for _, test := range accept {
		if got := fmt.Sprint(test.policy.Accept(test.version, test.best)); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestDigestTellsOffersApart(t *testing.T) {
	b := newBob(t)
	alice, _ := keys.Generate(rand.Reader)
	o, _, _ := handshake.Initiate(4, alice, b.bundle(t), rand.Reader)
	want := o.Digest(alice.Public())
	again := handshake.OfferOf(received(o, alice.Public()))
	if again.Digest(alice.Public()) != want {
		t.Error("the same offer has another digest")
	}
	kyber := bytes.Clone(o.Kyber)
	kyber[9] ^= 1
	for name, change := range map[string]func(o *handshake.Offer){
		"version": func(o *handshake.Offer) { o.Version = 3 }, "base": func(o *handshake.Offer) { o.Base[3] ^= 1 },
		"one-time": func(o *handshake.Offer) { o.OneTime = false }, "prekey": func(o *handshake.Offer) { o.PreKeyID++ },
		"signed": func(o *handshake.Offer) { o.SignedID++ }, "kyber id": func(o *handshake.Offer) { o.KyberID++ },
		"kyber": func(o *handshake.Offer) { o.Kyber = kyber },
	} {
		other := o
		change(&other)
		if other.Digest(alice.Public()) == want {
			t.Errorf("%s does not matter", name)
		}
	}
	if o.Digest(b.identity.Public()) == want {
		t.Error("identity does not matter")
	}
}

func BenchmarkInitiatePQXDH(b *testing.B) {
	bundle := newBob(b).bundle(b)
	alice, _ := keys.Generate(rand.Reader)
	for b.Loop() {
		if err := bundle.Check(); err != nil {
			b.Fatal(err)
		}
		if _, _, err := handshake.Initiate(4, alice, bundle, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}
