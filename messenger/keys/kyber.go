package keys

import (
	"crypto/mlkem"
	"crypto/sha3"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/refusal"
)

const (
	// KyberPublicSize and KyberCiphertextSize are the lengths on the wire, type byte included (2.6).
	KyberPublicSize     = 1 + mlkem.EncapsulationKeySize1024
	KyberCiphertextSize = 1 + mlkem.CiphertextSize1024
	// typeKyber1024 is round-3 Kyber-1024. 0x0A would be FIPS 203, which no published peer sends.
	typeKyber1024 = 0x08
)

// KyberPublic is a Kyber-1024 prekey as fetched from a bundle.
type KyberPublic struct {
	key *mlkem.EncapsulationKey1024
}

// ParseKyberPublic reads the 1569-byte serialised form (2.6).
func ParseKyberPublic(b []byte) (*KyberPublic, error) {
	if len(b) != KyberPublicSize {
		return nil, refusal.Because(refusal.InvalidKey, "kyber key: got %d bytes, want %d", len(b), KyberPublicSize)
	}
	if b[0] != typeKyber1024 {
		return nil, refusal.Because(refusal.InvalidKey, "kyber key: got type 0x%02x, want 0x08", b[0])
	}
	k, err := mlkem.NewEncapsulationKey1024(b[1:])
	if err != nil {
		return nil, refusal.Because(refusal.InvalidKey, "kyber key: %v", err)
	}
	return &KyberPublic{k}, nil
}

// Bytes returns the serialised form. This is also what the owner signs.
func (p *KyberPublic) Bytes() []byte {
	return append([]byte{typeKyber1024}, p.key.Bytes()...)
}

// Encapsulate makes a shared secret and the 1569-byte ciphertext that carries it. The randomness is the system's:
// crypto/mlkem takes no other.
func (p *KyberPublic) Encapsulate() (Secret, []byte) {
	k, c := p.key.Encapsulate()
	return round3(k, c), append([]byte{typeKyber1024}, c...)
}

// KyberPrivate is a Kyber-1024 prekey of our own. It is stored as its 64-byte seed.
type KyberPrivate struct {
	key *mlkem.DecapsulationKey1024
}

// GenerateKyber draws a Kyber-1024 key from rand.
func GenerateKyber(rand io.Reader) (*KyberPrivate, error) {
	var seed [mlkem.SeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("random bytes for a kyber key: %w", err)
	}
	defer clear(seed[:])
	return NewKyberPrivate(seed[:])
}

// NewKyberPrivate restores a key from its 64-byte seed.
func NewKyberPrivate(seed []byte) (*KyberPrivate, error) {
	k, err := mlkem.NewDecapsulationKey1024(seed)
	if err != nil {
		return nil, fmt.Errorf("kyber seed: %w", err)
	}
	return &KyberPrivate{k}, nil
}

// Seed returns the 64-byte seed, for storage only.
func (p *KyberPrivate) Seed() []byte { return p.key.Bytes() }

// Public returns the public half.
func (p *KyberPrivate) Public() *KyberPublic { return &KyberPublic{p.key.EncapsulationKey()} }

// Decapsulate opens a ciphertext of 1569 bytes. A ciphertext made for another key gives a useless secret and no error
// (implicit rejection, 2.6): the message's MAC fails later.
func (p *KyberPrivate) Decapsulate(ciphertext []byte) (Secret, error) {
	if len(ciphertext) != KyberCiphertextSize {
		return Secret{}, refusal.Because(refusal.InvalidMessage, "kyber ciphertext: got %d bytes, want %d", len(ciphertext), KyberCiphertextSize)
	}
	if ciphertext[0] != typeKyber1024 {
		return Secret{}, refusal.Because(refusal.InvalidMessage, "kyber ciphertext: got type 0x%02x, want 0x08", ciphertext[0])
	}
	k, err := p.key.Decapsulate(ciphertext[1:])
	if err != nil {
		return Secret{}, refusal.Because(refusal.InvalidMessage, "kyber ciphertext: %v", err)
	}
	return round3(k, ciphertext[1:]), nil
}

// String prints nothing of the key.
func (p *KyberPrivate) String() string { return "" }

// Format prints nothing, whatever the verb.
func (p *KyberPrivate) Format(fmt.State, rune) {}

// round3 turns the secret K of ML-KEM into that of round-3 Kyber: SHAKE256(K ‖ SHA3-256(c)), 32 bytes (2.6).
// Keys, ciphertexts and the inner encryption of the two are the same; only this last hash differs.
func round3(k, c []byte) Secret {
	h := sha3.Sum256(c)
	x := sha3.NewSHAKE256()
	x.Write(k)
	x.Write(h[:])
	var s Secret
	x.Read(s[:])
	clear(k)
	return s
}
