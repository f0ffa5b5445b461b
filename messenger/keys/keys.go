// Package keys holds the key types of the messenger: X25519 keys as serialised on the wire, the Kyber-1024 prekeys
// of libsignal, and a secret type that does not print itself.
//
// Public keys come from the network and are checked when parsed (ParsePublic, ParseKyberPublic). Private keys stay in
// memory and in the encrypted store; whoever reads them reads all future messages of their owner. No other package of the
// messenger touches crypto/ecdh or crypto/mlkem's 1024-bit keys.
//
// Numbers in comments such as 2.1 are sections of the wire specification.
package keys

import (
	"crypto/ecdh"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/refusal"
)

const (
	// PublicSize is the length of a serialised public key: a type byte and 32 bytes.
	PublicSize = 33
	// typeCurve25519 leads every serialised X25519 key (2.1).
	typeCurve25519 = 0x05
)

// Public is an X25519 public key, the Montgomery u-coordinate in little-endian order, without the type byte.
// The zero value is not a valid key.
type Public [32]byte

// ParsePublic reads the 33-byte serialised form (2.1). It refuses other type bytes, values that are not reduced modulo
// 2^255-19, and points of small order, so that no two byte strings stand for one key.
// Bytes after the 33rd, which very old senders append, are ignored.
func ParsePublic(b []byte) (Public, error) {
	var p Public
	if len(b) < PublicSize {
		return p, refusal.Because(refusal.InvalidKey, "public key: got %d bytes, want %d", len(b), PublicSize)
	}
	if b[0] != typeCurve25519 {
		return p, refusal.Because(refusal.InvalidKey, "public key: got type 0x%02x, want 0x05", b[0])
	}
	copy(p[:], b[1:PublicSize])
	if !p.canonical() {
		return Public{}, refusal.Because(refusal.InvalidKey, "public key is not reduced")
	}
	if p.smallOrder() {
		return Public{}, refusal.Because(refusal.InvalidKey, "public key has small order")
	}
	return p, nil
}

// Bytes returns the serialised form, 33 bytes.
func (p Public) Bytes() []byte { return p.Append(make([]byte, 0, PublicSize)) }

// Append appends the serialised form to dst.
func (p Public) Append(dst []byte) []byte {
	return append(append(dst, typeCurve25519), p[:]...)
}

// Equal compares in constant time.
func (p Public) Equal(q Public) bool { return subtle.ConstantTimeCompare(p[:], q[:]) == 1 }

// canonical tells whether p < 2^255-19. Public data, so the time may vary.
func (p Public) canonical() bool {
	if p[31] != 0x7f {
		return p[31] < 0x7f
	}
	for i := 30; i > 0; i-- {
		if p[i] != 0xff {
			return true
		}
	}
	return p[0] < 0xed
}

// smallOrder tells whether p is one of the reduced u-coordinates of order dividing 8, with which every agreement
// gives zero. (The others of the well-known list are not reduced, or lie at p-1.)
func (p Public) smallOrder() bool {
	for _, bad := range [...]Public{
		{}, // 0
		{1},
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
			0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
			0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, // p-1
	} {
		if p == bad {
			return true
		}
	}
	return false
}

// Private is an X25519 private key with its public half. The zero value is not usable.
type Private struct {
	scalar Secret
	public Public
	key    *ecdh.PrivateKey // nil if restored
}

// Generate draws a private key from rand (2.1).
func Generate(rand io.Reader) (*Private, error) {
	var s Secret
	if _, err := io.ReadFull(rand, s[:]); err != nil {
		return nil, fmt.Errorf("random bytes for a key: %w", err)
	}
	return NewPrivate(s)
}

// NewPrivate makes a private key of 32 bytes, which it clamps.
func NewPrivate(scalar Secret) (*Private, error) {
	scalar[0] &= 248
	scalar[31] &= 127
	scalar[31] |= 64
	k, err := ecdh.X25519().NewPrivateKey(scalar[:])
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	p := &Private{scalar: scalar, key: k}
	copy(p.public[:], k.PublicKey().Bytes())
	return p, nil
}

// Restore makes a private key of a stored scalar, which must be clamped, and its public half, which is taken on trust: to compute it again
// costs as much as a key agreement, and a wrong one in our own store harms nobody but us.
func Restore(scalar Secret, public Public) (*Private, error) {
	if scalar[0]&7 != 0 || scalar[31]&0xc0 != 0x40 {
		return nil, errors.New("stored private key is not clamped")
	}
	return &Private{scalar: scalar, public: public}, nil
}

// Public returns the public half.
func (p *Private) Public() Public { return p.public }

// Scalar returns the clamped scalar. For storage, provisioning and signing only.
func (p *Private) Scalar() Secret { return p.scalar }

// Agree computes X25519(p, peer). A result of zero, which a peer could force with a point of small order, is an error (2.1).
func (p *Private) Agree(peer Public) (Secret, error) {
	var s Secret
	key, err := p.key, error(nil)
	if p.scalar[31]&0x40 == 0 {
		panic("internal error: key agreement with a wiped private key")
	}
	if key == nil { // restored: most are replaced before they are used
		if key, err = ecdh.X25519().NewPrivateKey(p.scalar[:]); err != nil {
			return s, fmt.Errorf("private key: %w", err)
		}
	}
	pub, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return s, refusal.Because(refusal.InvalidKey, "public key: %v", err)
	}
	b, err := key.ECDH(pub)
	if err != nil {
		return s, refusal.Because(refusal.InvalidKey, "key agreement gives zero")
	}
	copy(s[:], b)
	clear(b)
	return s, nil
}

// Clone returns a copy that can be wiped on its own.
func (p *Private) Clone() *Private {
	c := *p
	return &c
}

// Wipe overwrites our copy of the scalar. The copy inside crypto/ecdh is out of reach and goes with the garbage.
func (p *Private) Wipe() {
	if p != nil {
		p.scalar.Wipe()
		p.key = nil
	}
}

// String returns nothing.
func (p *Private) String() string { return "" }

// Format prints nothing, whatever the verb.
func (p *Private) Format(fmt.State, rune) {}
