// Package signer holds people's private keys and signs with them: keys in a passphrase-encrypted file,
// or in a running ssh-agent. It is the only package that sees a private key.
//
// One key has one purpose (root, auditor, statement, snapshot, timestamp, log, witness, witness-mldsa); one file may hold several
// keys of one person. Who may use a key: whoever has the file and its passphrase, or reaches the agent's
// socket. The worst they can do is one person's signature; the quorum is there for that.
//
// A key file is written once, with mode 0600, and never overwritten. Nothing here prints, logs or
// formats secret material; a Key or a Signer prints as its purpose and public fingerprint.
package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"filippo.io/mldsa"
)

// Signer is one private key, wherever it is kept.
type Signer interface {
	Public() crypto.PublicKey            // ed25519.PublicKey, *ecdsa.PublicKey on P-256, or *mldsa.PublicKey
	Sign(message []byte) ([]byte, error) // Ed25519: 64 bytes. P-256: ASN.1 DER over the message's SHA-256. ML-DSA-44: 2420 bytes
	String() string                      // for people: where the key is and its fingerprint
}

// Ring is the keys a person has at hand.
type Ring []Signer

// AgentPrefix begins a reference to keys in ssh-agent: "ssh-agent:" is all its usable keys,
// "ssh-agent:SHA256:…" is one by its fingerprint.
const AgentPrefix = "ssh-agent:"

// Open gathers the keys that refs name: paths of key files, and references to ssh-agent. The passphrase
// function is called once per file, with a prompt that names it. A key that is found twice is in the
// ring once.
func Open(refs []string, passphrase func(prompt string) ([]byte, error), getenv func(string) string) (Ring, error) {
	if len(refs) == 0 {
		return nil, errors.New("no key given: name a key file, or \"ssh-agent:\" with a fingerprint")
	}
	var ring Ring
	for _, ref := range refs {
		var found []Signer
		var err error
		if fingerprint, ok := strings.CutPrefix(ref, AgentPrefix); ok {
			found, err = agentSigners(fingerprint, getenv)
		} else {
			found, err = fileSigners(ref, passphrase)
		}
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			if _, known := ring.Find(s.Public()); !known {
				ring = append(ring, s)
			}
		}
	}
	return ring, nil
}

// Find returns the signer for a public key.
func (r Ring) Find(pub crypto.PublicKey) (Signer, bool) {
	for _, s := range r {
		if equal(s.Public(), pub) {
			return s, true
		}
	}
	return nil, false
}

func equal(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

func fileSigners(path string, passphrase func(string) ([]byte, error)) ([]Signer, error) {
	keys, err := Load(path, passphrase)
	if err != nil {
		return nil, err
	}
	var list []Signer
	for _, k := range keys {
		s, err := k.Signer()
		if err != nil {
			return nil, fmt.Errorf("%s: %v", filepath.Base(path), err)
		}
		list = append(list, s)
	}
	return list, nil
}

// check verifies a signature just made, so that a store that signs something else is found out here.
func check(pub crypto.PublicKey, message, sig []byte) error {
	good := false
	switch k := pub.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(k, message, sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		good = ecdsa.VerifyASN1(k, sum[:], sig)
	case *mldsa.PublicKey:
		good = mldsa.Verify(k, message, sig, nil) == nil
	}
	if !good {
		return fmt.Errorf("key %s made a signature that does not verify", Fingerprint(pub))
	}
	return nil
}
