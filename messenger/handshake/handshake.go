// Package handshake agrees on the first secrets of a session: X3DH (v3), PQXDH (v4), and 3DH (v2) for those who still speak it.
//
// The responder publishes a Bundle through a server. The server may hand out old bundles, strip the Kyber prekey or the one-time
// prekey, or plant keys of its own under an identity of its own; it cannot sign for somebody else's identity. So bundles
// are verified against the identity key they carry (Bundle.Check), whether that identity is the contact's is for ratchet to
// ask, and a missing Kyber prekey is weighed against what the contact is known to speak (Policy).
//
// Everything is a pure function of keys in hand; looking prekeys up, and deleting them after use, is the caller's.
// Numbers in comments are sections of the wire specification.
package handshake

import (
	"crypto/sha256"
	"encoding/binary"
	"io"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Agreement is what both sides know after the handshake (3.2).
type Agreement struct {
	Root  keys.Secret // root0
	Chain keys.Secret // chain0: the responder's first sending chain
	PQ    keys.Secret // SPQR's authentication key; zero before v4
}

// Wipe overwrites the secrets.
func (a *Agreement) Wipe() {
	a.Root.Wipe()
	a.Chain.Wipe()
	a.PQ.Wipe()
}

// Offer is what the initiator repeats in every message until it has an answer.
type Offer struct {
	Version  uint8
	Base     keys.Public
	OneTime  bool // a one-time prekey was used
	PreKeyID uint32
	SignedID uint32
	KyberID  uint32
	Kyber    []byte // ciphertext, 1569 bytes; nil before v4
}

// Digest identifies the offer and the identity that makes it, so that a repetition can be told from a variation.
// Nothing but the digest of an offer needs to be kept by the responder.
func (o Offer) Digest(identity keys.Public) [32]byte {
	h := sha256.New()
	h.Write([]byte{o.Version})
	h.Write(o.Base[:])
	h.Write(identity[:])
	one := byte(0)
	if o.OneTime {
		one = 1
	}
	signed := o.SignedID
	if o.Version == wire.V2 {
		signed = 0 // senders write anything there
	}
	var ids [13]byte
	ids[0] = one
	binary.BigEndian.PutUint32(ids[1:], o.PreKeyID)
	binary.BigEndian.PutUint32(ids[5:], signed)
	binary.BigEndian.PutUint32(ids[9:], o.KyberID)
	h.Write(ids[:])
	h.Write(o.Kyber)
	return [32]byte(h.Sum(nil))
}

// OfferOf returns the offer a received message repeats.
func OfferOf(m *wire.PreKey) Offer {
	return Offer{
		Version: m.Version(), Base: m.BaseKey, OneTime: m.OneTime, PreKeyID: m.PreKeyID,
		SignedID: m.SignedPreKeyID, KyberID: m.KyberPreKeyID, Kyber: m.Kyber,
	}
}

// Initiate agrees with the owner of a bundle, which must have passed Check. Version is what Policy.Choose said; V2 is never
// chosen and serves tests. The Kyber encapsulation draws from the system's randomness, everything else from rand.
func Initiate(version uint8, identity *keys.Private, b *Bundle, rand io.Reader) (Offer, Agreement, error) {
	o := Offer{Version: version, SignedID: b.Signed.ID}
	base, err := keys.Generate(rand)
	if err != nil {
		return o, Agreement{}, err
	}
	defer base.Wipe()
	o.Base = base.Public()

	signed, oneTime := b.Signed.Key, (*keys.Public)(nil)
	if b.OneTime != nil {
		o.OneTime, o.PreKeyID = true, b.OneTime.ID
		oneTime = &b.OneTime.Key
	}
	if version == wire.V2 { // the one-time prekey plays the signed one's role
		if oneTime == nil {
			return o, Agreement{}, refusal.Because(refusal.InvalidKey, "bundle without a one-time prekey, version 2 needs one")
		}
		signed, oneTime, o.SignedID = *oneTime, nil, 0
	}
	pairs := []pair{{identity, signed}, {base, b.Identity}, {base, signed}}
	if oneTime != nil {
		pairs = append(pairs, pair{base, *oneTime})
	}
	secrets, err := agreeAll(version, pairs)
	if err != nil {
		return o, Agreement{}, err
	}
	if version >= wire.V4 {
		var s keys.Secret
		s, o.Kyber = b.Kyber.Key.Encapsulate()
		o.KyberID = b.Kyber.ID
		secrets = append(secrets, s[:]...)
		s.Wipe()
	}
	return o, finish(version, secrets), nil
}

// Prekeys are the private keys a received message asks for, by its ids; nil where the caller holds none of that id.
type Prekeys struct {
	OneTime *keys.Private
	Signed  *keys.Private
	Kyber   *keys.KyberPrivate
	// Repeated says that the Kyber prekey is the last-resort one and that this (kyber id, signed prekey id, base key) was used before.
	Repeated bool
}

// Respond computes the responder's side of a received message. It returns the agreement and the responder's first ratchet pair.
func Respond(identity *keys.Private, have Prekeys, m *wire.PreKey) (Agreement, *keys.Private, error) {
	version := m.Version()
	if have.Repeated {
		return Agreement{}, nil, refusal.Because(refusal.Duplicate, "kyber prekey %d was used with this base key before", m.KyberPreKeyID)
	}
	signed, oneTime := have.Signed, have.OneTime
	switch {
	case version == wire.V2:
		if oneTime == nil {
			return Agreement{}, nil, refusal.Because(refusal.InvalidKeyID, "one-time prekey %d", m.PreKeyID)
		}
		signed, oneTime = oneTime, nil
	case signed == nil:
		return Agreement{}, nil, refusal.Because(refusal.InvalidKeyID, "signed prekey %d", m.SignedPreKeyID)
	case version >= wire.V4 && have.Kyber == nil:
		return Agreement{}, nil, refusal.Because(refusal.InvalidKeyID, "kyber prekey %d", m.KyberPreKeyID)
	case m.OneTime && oneTime == nil && m.PreKeyID != 0: // one client writes 0 for none (3.1)
		return Agreement{}, nil, refusal.Because(refusal.InvalidKeyID, "one-time prekey %d", m.PreKeyID)
	}
	pairs := []pair{{signed, m.Identity}, {identity, m.BaseKey}, {signed, m.BaseKey}}
	if m.OneTime && oneTime != nil {
		pairs = append(pairs, pair{oneTime, m.BaseKey})
	}
	secrets, err := agreeAll(version, pairs)
	if err != nil {
		return Agreement{}, nil, err
	}
	if version >= wire.V4 {
		s, err := have.Kyber.Decapsulate(m.Kyber)
		if err != nil {
			return Agreement{}, nil, err
		}
		secrets = append(secrets, s[:]...)
		s.Wipe()
	}
	return finish(version, secrets), signed, nil
}

// pair is one key agreement of the handshake.
type pair struct {
	own   *keys.Private
	their keys.Public
}

// agreeAll concatenates the agreements, after 32 bytes 0xFF in v3 and later: no curve element has that encoding, so these
// secrets cannot be mistaken for v2's.
func agreeAll(version uint8, pairs []pair) ([]byte, error) {
	secrets := make([]byte, 0, 6*32)
	if version >= wire.V3 {
		for range 32 {
			secrets = append(secrets, 0xff)
		}
	}
	for _, p := range pairs {
		s, err := p.own.Agree(p.their)
		if err != nil {
			clear(secrets)
			return nil, err
		}
		secrets = append(secrets, s[:]...)
		s.Wipe()
	}
	return secrets, nil
}

func finish(version uint8, secrets []byte) Agreement {
	defer clear(secrets)
	var a Agreement
	a.Root, a.Chain, a.PQ = kdf.Start(version, secrets)
	return a
}
