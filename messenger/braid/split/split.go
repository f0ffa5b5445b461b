// Package split does ML-KEM-768 encapsulation in two parts, for a key that arrives in two parts.
//
// SPQR sends the encapsulation key as a header of 64 bytes (the seed rho of the matrix, and SHA3-256 of the whole key) and, later, the
// key's vector of 1152 bytes. The header is enough for the shared secret and the first 960 bytes of the ciphertext; the
// vector is needed for the last 128. crypto/mlkem has no such interface, so this package holds the encryption half of FIPS 203's
// K-PKE for one parameter set. Keys are generated and ciphertexts opened with crypto/mlkem, and the tests hold the two
// against each other.
//
// Secrets pass through arithmetic without branches and without table look-ups that depend on them; divisions are by constants, which the
// compiler turns into multiplications. Rejection sampling branches on rho, which is public.
package split

import (
	"crypto/mlkem"
	"crypto/sha3"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// Lengths in bytes.
const (
	HeaderSize = 64
	VectorSize = 1152
	Ct1Size    = 960
	Ct2Size    = 128
)

// Header is rho(32) ‖ SHA3-256(encapsulation key)(32).
type Header [HeaderSize]byte

// Parts splits an encapsulation key as SPQR sends it.
func Parts(key *mlkem.EncapsulationKey768) (Header, []byte) {
	b := key.Bytes()
	var h Header
	copy(h[:32], b[VectorSize:])
	sum := sha3.Sum256(b)
	copy(h[32:], sum[:])
	return h, b[:VectorSize]
}

// Encapsulation is what part one leaves for part two. All of it is secret.
type Encapsulation struct {
	message keys.Secret
	coins   keys.Secret
}

// EncapsulationSize is the length of the stored form.
const EncapsulationSize = 64

// Bytes returns the stored form.
func (e Encapsulation) Bytes() []byte {
	return append(append([]byte(nil), e.message[:]...), e.coins[:]...)
}

// ParseEncapsulation restores what Bytes returned.
func ParseEncapsulation(b []byte) (Encapsulation, error) {
	var e Encapsulation
	if len(b) != EncapsulationSize {
		return e, fmt.Errorf("stored encapsulation: got %d bytes, want %d", len(b), EncapsulationSize)
	}
	copy(e.message[:], b)
	copy(e.coins[:], b[32:])
	return e, nil
}

// Format prints nothing, whatever the verb.
func (e Encapsulation) Format(fmt.State, rune) {}

// Wipe overwrites the secrets.
func (e *Encapsulation) Wipe() {
	e.message.Wipe()
	e.coins.Wipe()
}

// Encapsulate is part one: from the header alone it makes the shared secret and the first part of the ciphertext (960 bytes),
// with 32 bytes from rand (FIPS 203, algorithms 17 and 14).
func Encapsulate(h Header, rand io.Reader) (shared keys.Secret, ct1 []byte, e Encapsulation, err error) {
	if _, err := io.ReadFull(rand, e.message[:]); err != nil {
		return shared, nil, e, fmt.Errorf("random bytes for an encapsulation: %w", err)
	}
	g := sha3.New512()
	g.Write(e.message[:])
	g.Write(h[32:])
	sum := g.Sum(nil)
	copy(shared[:], sum[:32])
	copy(e.coins[:], sum[32:])
	clear(sum)

	y := e.ephemeral()
	defer clear(y[:])
	ct1 = make([]byte, 0, Ct1Size)
	for i := range rank {
		var u poly
		for j := range rank {
			a := sampleNTT(h[:32], byte(i), byte(j)) // the transposed matrix
			mulAdd(&u, &a, &y[j])
		}
		u.inverseNTT()
		noise := sampleNoise(e.coins, byte(rank+i))
		u.add(&noise)
		ct1 = u.appendCompressed10(ct1)
	}
	return shared, ct1, e, nil
}

// Finish is part two: it makes the last part of the ciphertext (128 bytes) from the key's vector. A vector that does not
// belong to the header, or is not reduced (FIPS 203, 7.2), is refused.
func (e Encapsulation) Finish(h Header, vector []byte) (ct2 []byte, err error) {
	if len(vector) != VectorSize {
		return nil, refusal.Because(refusal.InvalidMessage, "ml-kem vector: got %d bytes, want %d", len(vector), VectorSize)
	}
	d := sha3.New256()
	d.Write(vector)
	d.Write(h[:32])
	if subtle.ConstantTimeCompare(d.Sum(nil), h[32:]) != 1 {
		return nil, refusal.Because(refusal.InvalidMessage, "ml-kem vector does not belong to its header")
	}
	y := e.ephemeral()
	defer clear(y[:])
	var v poly
	for i := range rank {
		t, ok := decode12(vector[384*i:])
		if !ok {
			return nil, refusal.Because(refusal.InvalidMessage, "ml-kem vector is not reduced")
		}
		mulAdd(&v, &t, &y[i])
	}
	v.inverseNTT()
	noise := sampleNoise(e.coins, 2*rank)
	v.add(&noise)
	v.addMessage(e.message)
	return v.appendCompressed4(make([]byte, 0, Ct2Size)), nil
}

// ephemeral is y in the NTT domain.
func (e Encapsulation) ephemeral() (y [rank]poly) {
	for i := range y {
		y[i] = sampleNoise(e.coins, byte(i))
		y[i].ntt()
	}
	return y
}
