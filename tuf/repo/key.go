package repo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// KeyID returns the id under which metadata lists this holder's key: sha256, in hex, of the canonical
// JSON of the key object including our holder fields (TUF 4.2).
func KeyID(h Holder) (string, error) {
	key, err := keyObject(h)
	if err != nil {
		return "", err
	}
	return key.ID()
}

// keyObject makes the TUF key object. Key types are limited to those that every stock client reads
// alike: Ed25519, and P-256 as keytype "ecdsa" (P-384 and RSA are read differently by some).
func keyObject(h Holder) (*metadata.Key, error) {
	if _, err := rawKey(h.Public); err != nil {
		return nil, fmt.Errorf("key of %s: %v", h.Name, err)
	}
	key, err := metadata.KeyFromPublicKey(h.Public)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %v", h.Name, err)
	}
	key.UnrecognizedFields = map[string]any{
		fieldHolder:       h.Name,
		fieldOrganisation: h.Organisation,
		fieldJurisdiction: h.Jurisdiction,
	}
	return key, nil
}

// rawKey returns the key's PKIX DER, by which keys are compared: it is the same however the key was
// written down. It refuses other key types, keys of the wrong length and points off the curve.
func rawKey(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return "", fmt.Errorf("ed25519 key of %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
		if !canonicalPoint(k) {
			return "", errors.New("ed25519 key is not written in its canonical form")
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", errors.New("ecdsa key is not on P-256")
		}
		if _, err := k.ECDH(); err != nil { // checks that the point is on the curve
			return "", fmt.Errorf("ecdsa key: %v", err)
		}
	default:
		return "", fmt.Errorf("key type %T, want ed25519 or ecdsa on P-256", pub)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	return string(der), err
}

// canonicalPoint reports whether the y coordinate (little endian, sign bit apart) is below 2^255-19. A
// few keys have a second encoding above it, which would make one key count as two.
func canonicalPoint(k ed25519.PublicKey) bool {
	if k[0] < 0xed || k[31]&0x7f != 0x7f {
		return true
	}
	for _, b := range k[1:31] {
		if b != 0xff {
			return true
		}
	}
	return false
}

// holder reads a key object back.
func holder(key *metadata.Key) (Holder, error) {
	if key == nil {
		return Holder{}, errors.New("null key")
	}
	pub, err := publicKey(key)
	if err != nil {
		return Holder{}, err
	}
	text := func(field string) string { s, _ := key.UnrecognizedFields[field].(string); return s }
	return Holder{Person{text(fieldHolder), text(fieldOrganisation), text(fieldJurisdiction)}, pub}, nil
}

func publicKey(key *metadata.Key) (crypto.PublicKey, error) {
	pub, err := key.ToPublicKey()
	if err != nil {
		return nil, err
	}
	_, err = rawKey(pub)
	return pub, err
}

// Fingerprint names a public key as OpenSSH does ("SHA256:…"), which is what people compare.
func Fingerprint(pub crypto.PublicKey) string {
	var b []byte
	add := func(part []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		add([]byte("ssh-ed25519"))
		add(k)
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return "invalid key"
		}
		add([]byte("ecdsa-sha2-nistp256"))
		add([]byte("nistp256"))
		add(point)
	default:
		return "unknown key"
	}
	sum := sha256.Sum256(b)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
