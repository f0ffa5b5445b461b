package handshake

import (
	"io"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// LastResort is the id of the one-time prekey that is never deleted (2.2).
const LastResort = 0xFFFFFF

// Bundle is what a server says about one device of a contact, so that a session can be started while the contact is away.
type Bundle struct {
	RegistrationID uint32
	Identity       keys.Public
	OneTime        *OneTime // nil when the server has run out
	Signed         Signed
	Kyber          *Kyber // nil when the contact speaks v3 at most, or the server stripped it
	// SPQR says that the contact advertises the post-quantum ratchet. A bundle has no field for it: it comes from the
	// device's capabilities.
	SPQR bool
}

// OneTime is a one-time prekey.
type OneTime struct {
	ID  uint32 // 24 bit
	Key keys.Public
}

// Signed is a signed prekey: the signature is the identity's, over the 33-byte key.
type Signed struct {
	ID        uint32
	Key       keys.Public
	Signature xeddsa.Signature
}

// Kyber is a Kyber-1024 prekey: the signature is the identity's, over the 1569-byte key.
type Kyber struct {
	ID        uint32
	Key       *keys.KyberPublic
	Signature xeddsa.Signature
}

// Check verifies the signatures with the bundle's own identity key (3.2).
func (b *Bundle) Check() error {
	if !xeddsa.Verify(b.Identity, b.Signed.Key.Bytes(), b.Signed.Signature[:]) {
		return refusal.Because(refusal.InvalidKey, "signature of signed prekey %d", b.Signed.ID)
	}
	if b.Kyber != nil && !xeddsa.Verify(b.Identity, b.Kyber.Key.Bytes(), b.Kyber.Signature[:]) {
		return refusal.Because(refusal.InvalidKey, "signature of kyber prekey %d", b.Kyber.ID)
	}
	return nil
}

// SignPrekey makes a signed prekey of ours ready to publish.
func SignPrekey(identity *keys.Private, id uint32, key keys.Public, rand io.Reader) (Signed, error) {
	sig, err := xeddsa.Sign(identity, key.Bytes(), rand)
	return Signed{ID: id, Key: key, Signature: sig}, err
}

// SignKyber makes a Kyber prekey of ours ready to publish.
func SignKyber(identity *keys.Private, id uint32, key *keys.KyberPublic, rand io.Reader) (Kyber, error) {
	sig, err := xeddsa.Sign(identity, key.Bytes(), rand)
	return Kyber{ID: id, Key: key, Signature: sig}, err
}
