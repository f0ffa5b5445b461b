// Package xeddsa signs with X25519 keys: XEdDSA in the form all TextSecure peers use, which keeps the sign bit of the
// Edwards point in the signature instead of forcing it to zero.
//
// One identity key both agrees and signs. It signs signed prekeys and Kyber prekeys (handshake); sender-key
// messages are signed with a key pair of their own. Whoever can sign as an identity can plant prekeys in its name.
// The package is pure: randomness is an argument.
package xeddsa

import (
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"io"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"

	"github.com/countersign-project/countersign/messenger/keys"
)

// SignatureSize is the length of a signature in bytes: R ‖ s, with the sign bit of A in the top bit of the last byte.
const SignatureSize = 64

// Signature is R ‖ s with the sign bit of A on top.
type Signature [SignatureSize]byte

// Sign signs message with a clamped private key and 64 bytes from rand (2.3, steps 1 to 4).
func Sign(private *keys.Private, message []byte, rand io.Reader) (Signature, error) {
	var sig Signature
	var z [64]byte
	if _, err := io.ReadFull(rand, z[:]); err != nil {
		return sig, fmt.Errorf("random bytes for a signature: %w", err)
	}
	defer clear(z[:])
	scalar := private.Scalar()
	defer scalar.Wipe()
	a, err := edwards25519.NewScalar().SetBytesWithClamping(scalar[:])
	if err != nil {
		return sig, fmt.Errorf("private key: %w", err)
	}
	A := new(edwards25519.Point).ScalarBaseMult(a).Bytes()

	// 2: the prefix is the encoding of 2^256-2: no point or scalar looks like it, which keeps this hash apart from step 3.
	prefix := [32]byte{0: 0xfe}
	for i := 1; i < len(prefix); i++ {
		prefix[i] = 0xff
	}
	r := reduce(prefix[:], scalar[:], message, z[:])
	R := new(edwards25519.Point).ScalarBaseMult(r).Bytes()

	h := reduce(R, A, message)
	s := edwards25519.NewScalar().MultiplyAdd(h, a, r)

	copy(sig[:32], R)
	copy(sig[32:], s.Bytes())
	sig[63] |= A[31] & 0x80
	return sig, nil
}

// Verify tells whether sig is public's signature over message (2.3, verification).
func Verify(public keys.Public, message, sig []byte) bool {
	if len(sig) != SignatureSize {
		return false
	}
	y, ok := edwardsY(public)
	if !ok {
		return false
	}
	y[31] |= sig[63] & 0x80
	var plain Signature
	copy(plain[:], sig)
	plain[63] &= 0x7f
	// Three top bits of s must be clear; ed25519 refuses every s ≥ L anyway, this is the step as written.
	if plain[63]&0xe0 != 0 {
		return false
	}
	return ed25519.Verify(ed25519.PublicKey(y[:]), message, plain[:])
}

// edwardsY maps a Montgomery u to the Edwards y = (u-1)/(u+1). u = -1 has no image.
func edwardsY(public keys.Public) (y [32]byte, ok bool) {
	u, err := new(field.Element).SetBytes(public[:])
	if err != nil {
		return y, false
	}
	one := new(field.Element).One()
	below := new(field.Element).Add(u, one)
	if below.Equal(new(field.Element).Zero()) == 1 {
		return y, false
	}
	above := new(field.Element).Subtract(u, one)
	copy(y[:], new(field.Element).Multiply(above, below.Invert(below)).Bytes())
	return y, true
}

// reduce hashes the parts with SHA-512 to a scalar modulo L.
func reduce(parts ...[]byte) *edwards25519.Scalar {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	sum := h.Sum(nil)
	defer clear(sum) // of step 2 it is as good as the private key
	s, err := edwards25519.NewScalar().SetUniformBytes(sum)
	if err != nil {
		panic("internal error: SHA-512 does not give 64 bytes")
	}
	return s
}
