package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// step is what sizes are rounded up to before sealing.
const step = 64

// tokenSize is the length of a name's HMAC in bytes: enough that no two of a person's names ever meet.
const tokenSize = 16

// token is how the database knows a name.
type token [tokenSize]byte

// sealer turns names into tokens and values into sealed ones. Nonces are random; with one key that is good for some 2^32 values.
type sealer struct {
	bodies cipher.AEAD
	names  []byte
}

// newSealer takes the master key over and clears it.
func newSealer(master []byte) (*sealer, error) {
	defer clear(master)
	bodies, err := hkdf.Key(sha256.New, master, nil, "Countersign store bodies", 32)
	if err != nil {
		return nil, err
	}
	defer clear(bodies)
	names, err := hkdf.Key(sha256.New, master, nil, "Countersign store names", 32)
	if err != nil {
		return nil, err
	}
	b, err := aes.NewCipher(bodies)
	if err != nil {
		return nil, err
	}
	g, err := cipher.NewGCMWithRandomNonce(b)
	return &sealer{g, names}, err
}

// token hides a name. Kind keeps the same name in two places apart.
func (s *sealer) token(kind byte, name string) (t token) {
	m := hmac.New(sha256.New, s.names)
	m.Write([]byte{kind})
	m.Write([]byte(name))
	copy(t[:], m.Sum(nil))
	return t
}

// seal pads a value to the next step and encrypts it for its place: plaintext = length u32 ‖ value ‖ zeros.
func (s *sealer) seal(kind byte, place token, value []byte) []byte {
	n := 4 + len(value)
	padded := make([]byte, (n+step-1)/step*step, (n+step-1)/step*step+28)
	binary.BigEndian.PutUint32(padded, uint32(len(value)))
	copy(padded[4:], value)
	return s.bodies.Seal(nil, nil, padded, append([]byte{kind}, place[:]...))
}

// open is the inverse.
func (s *sealer) open(kind byte, place token, sealed []byte) ([]byte, error) {
	padded, err := s.bodies.Open(nil, nil, sealed, append([]byte{kind}, place[:]...))
	if err != nil || len(padded) < 4 {
		return nil, fmt.Errorf("store: an entry of kind %d is damaged, or was moved here from elsewhere", kind)
	}
	n := binary.BigEndian.Uint32(padded)
	if int64(n) > int64(len(padded)-4) {
		return nil, fmt.Errorf("store: an entry of kind %d is damaged", kind)
	}
	return padded[4 : 4+n : 4+n], nil
}
