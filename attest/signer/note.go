package signer

import (
	"crypto"
	"crypto/ed25519"
	"fmt"

	"filippo.io/mldsa"

	"github.com/countersign-project/countersign/attest/proof"
)

// IsNote reports whether keys of a purpose sign log heads and so are shown as verifier keys
// ("name+hash+base64"), not in OpenSSH's form.
func IsNote(purpose string) bool {
	return purpose == "log" || purpose == "witness" || purpose == "witness-mldsa"
}

// NoteKey returns the verifier key (C2SP signed-note) of a log or witness key under a name. The name is no
// part of the key file: it is what the log policy calls the key.
func NoteKey(name, purpose string, pub crypto.PublicKey) (proof.Key, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		switch purpose {
		case "log":
			return proof.NewKey(name, proof.Ed25519, k)
		case "witness":
			return proof.NewKey(name, proof.Ed25519Cosi, k)
		}
	case *mldsa.PublicKey:
		if purpose == "witness-mldsa" {
			return proof.NewKey(name, proof.MLDSA44, k.Bytes())
		}
	}
	return proof.Key{}, fmt.Errorf("a %s key of type %T signs no log heads", purpose, pub)
}

// FindNote returns the signer whose public key a verifier key holds. The key's purpose must fit, where its
// store tells one: a log's key used as a witness's would sign for both.
func (r Ring) FindNote(key proof.Key) (Signer, bool) {
	for _, s := range r {
		purpose := map[proof.Algorithm]string{proof.Ed25519: "log", proof.Ed25519Cosi: "witness", proof.MLDSA44: "witness-mldsa"}[key.Algorithm]
		if p, ok := s.(interface{ Purpose() string }); ok && p.Purpose() != purpose {
			continue
		}
		if got, err := NoteKey(key.Name, purpose, s.Public()); err == nil && got == key {
			return s, true
		}
	}
	return nil, false
}
