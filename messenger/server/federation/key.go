package federation

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// Key is a server's key for its peers.
type Key struct {
	private ed25519.PrivateKey
	pair    tls.Certificate
}

// NewKey makes a key, as PEM of PKCS #8.
func NewKey(random io.Reader) ([]byte, error) {
	_, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("key for peers: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("key for peers: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads what NewKey makes.
func ParseKey(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("key for peers: no PRIVATE KEY in PEM")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key for peers: %v", err)
	}
	private, ok := any.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key for peers: got a %T, want Ed25519", any)
	}
	k := &Key{private: private}
	return k, k.certify()
}

// certify makes the certificate TLS wants: the key's own signature, no name, and the dates for "never expires" (RFC 5280, 4.1.2.5). Nobody
// reads anything of it but the key.
func (k *Key) certify() error {
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "messengerd peer"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(nil, t, t, k.private.Public(), k.private) // Ed25519 signs without randomness
	if err != nil {
		return fmt.Errorf("key for peers: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	k.pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k.private, Leaf: leaf}
	return err
}

// Pin is what peers know the key by.
func (k *Key) Pin() Pin { return PinOf(k.pair.Leaf) }

// derive makes a secret of the key for another use, the same on all nodes of a cluster.
func (k *Key) derive(use string) []byte {
	b, err := hkdf.Key(sha256.New, k.private.Seed(), nil, "Countersign federation: "+use, sha256.Size)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return b
}
