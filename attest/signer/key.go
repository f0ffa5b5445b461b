package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/mldsa"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Purposes are what a key can be for. One key has one.
func Purposes() []string {
	return []string{"root", "auditor", "statement", "snapshot", "timestamp", "log", "witness", "witness-mldsa"}
}

// Key is one private key of a key file. It prints as purpose and fingerprint only.
type Key struct {
	Purpose string
	private crypto.Signer // ed25519.PrivateKey, *ecdsa.PrivateKey on P-256, or *mldsa.PrivateKey (ML-DSA-44)
	origin  string        // name of the file it came from, "" for a new one
}

// Generate makes one new key for each purpose: P-256 for statements, so that sigstore's tools verify
// them, ML-DSA-44 for "witness-mldsa", and Ed25519 for all else. The randomness must be a secret source: crypto/rand.
func Generate(purposes []string, random io.Reader) ([]Key, error) {
	if len(purposes) == 0 {
		return nil, fmt.Errorf("no purpose given, want some of %s", strings.Join(Purposes(), ", "))
	}
	var keys []Key
	for i, p := range purposes {
		if !slices.Contains(Purposes(), p) {
			return nil, fmt.Errorf("purpose %q, want one of %s", p, strings.Join(Purposes(), ", "))
		}
		if slices.Contains(purposes[:i], p) {
			return nil, fmt.Errorf("purpose %q is given twice", p)
		}
		private, err := generate(p, random)
		if err != nil {
			return nil, fmt.Errorf("reading randomness: %w", err)
		}
		keys = append(keys, Key{Purpose: p, private: private})
	}
	return keys, nil
}

func generate(purpose string, random io.Reader) (crypto.Signer, error) {
	seed := make([]byte, 32)
	for {
		if _, err := io.ReadFull(random, seed); err != nil {
			return nil, err
		}
		if purpose == "witness-mldsa" {
			return mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
		}
		if purpose != "statement" {
			return ed25519.NewKeyFromSeed(seed), nil
		}
		// A number from 1 to the group's order less one; others, one in 2^32, are drawn again.
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed); err == nil {
			return key, nil
		}
	}
}

// Public returns the public half.
func (k Key) Public() crypto.PublicKey { return k.private.Public() }

// String says what the key is for, where it is and its fingerprint, nothing secret.
func (k Key) String() string {
	s := fmt.Sprintf("%s key %s", k.Purpose, Fingerprint(k.Public()))
	if k.origin != "" {
		s += " in " + k.origin
	}
	return s
}

// Format makes every verb, %+v and %#v too, print String: a private key must not end up in a log.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// Signer returns the key ready to sign.
func (k Key) Signer() (Signer, error) {
	if post, ok := k.private.(*mldsa.PrivateKey); ok {
		return mldsaSigner{k, post}, nil
	}
	engine, err := signature.LoadSigner(k.private, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return fileSigner{k, engine}, nil
}

type fileSigner struct {
	key    Key
	engine signature.Signer
}

func (s fileSigner) Public() crypto.PublicKey   { return s.key.Public() }
func (s fileSigner) String() string             { return s.key.String() }
func (s fileSigner) Format(f fmt.State, v rune) { s.key.Format(f, v) }
func (s fileSigner) Purpose() string            { return s.key.Purpose }
func (s fileSigner) Sign(m []byte) ([]byte, error) {
	sig, err := s.engine.SignMessage(bytes.NewReader(m))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return sig, check(s.Public(), m, sig)
}
