package signer

import (
	"crypto"
	"fmt"

	"filippo.io/mldsa"
)

// mldsaSigner is an ML-DSA-44 key (FIPS 204) out of a key file: a witness's second key, whose cosignatures
// hold against quantum computers too. It signs the message itself, without a context string.
type mldsaSigner struct {
	key     Key
	private *mldsa.PrivateKey
}

func (s mldsaSigner) Public() crypto.PublicKey   { return s.key.Public() }
func (s mldsaSigner) String() string             { return s.key.String() }
func (s mldsaSigner) Format(f fmt.State, v rune) { s.key.Format(f, v) }
func (s mldsaSigner) Purpose() string            { return s.key.Purpose }

func (s mldsaSigner) Sign(message []byte) ([]byte, error) {
	sig, err := s.private.Sign(nil, message, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return sig, check(s.Public(), message, sig)
}
