// Package bundle puts a statement and one signature into a sigstore bundle v0.3 with a plain public
// key, and takes it out again. It is pure and needs only the standard library, since the judge reads it;
// cosign and npm's @sigstore/verify read the same files.
//
// A bundle is JSON:
//
//	{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
//	 "verificationMaterial":{"publicKey":{"hint":H}},
//	 "dsseEnvelope":{"payload":P,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":S}]}}
//
// H is the sha256 of the key's PKIX DER, P the statement, S the signature over the DSSE encoding of P
// (64 bytes for Ed25519, ASN.1 DER over SHA-256 for P-256), all in standard base64. A "keyid" beside
// "sig" may repeat H. There is exactly one signature, so that a quorum is a number of bundles.
//
// Anyone may make a bundle; Open believes only the keys it is given. What can be changed in a bundle by
// someone without the key: spaces between JSON tokens, the keyid's presence, and for P-256 the sign of
// s in the signature, which no sigstore tool refuses. None of these changes the statement, so count
// bundles by key and statement, never by their bytes.
package bundle

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// MaxSize is the largest bundle that is read, in bytes: a statement of 256 KiB in base64, and room.
const MaxSize = 384 << 10

const (
	mediaType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType = "application/vnd.in-toto+json"
)

// Signer is the part of a signing key that is needed here; attest/signer has several.
type Signer interface {
	Public() crypto.PublicKey
	Sign(message []byte) ([]byte, error)
}

// Error says why bytes are not a bundle, or not one by the given keys.
type Error struct{ Reason string }

func (e *Error) Error() string { return "bundle: " + e.Reason }

// Refused is true: the bytes were in hand and wrong.
func (e *Error) Refused() bool { return true }

func refusef(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

type wire struct {
	MediaType            string `json:"mediaType"`
	VerificationMaterial struct {
		PublicKey struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
	} `json:"verificationMaterial"`
	DSSEEnvelope struct {
		Payload     []byte      `json:"payload"`
		PayloadType string      `json:"payloadType"`
		Signatures  []signature `json:"signatures"`
	} `json:"dsseEnvelope"`
}

type signature struct {
	Sig   []byte `json:"sig"`
	KeyID string `json:"keyid,omitempty"`
}

// Sign makes a bundle. The signature is verified before it is returned: a key store that signs something
// else is found out here and not by users.
func Sign(payload []byte, s Signer) ([]byte, error) {
	hint, err := Hint(s.Public())
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(pae(payloadType, payload))
	if err != nil {
		return nil, err
	}
	var w wire
	w.MediaType = mediaType
	w.VerificationMaterial.PublicKey.Hint = hint
	w.DSSEEnvelope.Payload, w.DSSEEnvelope.PayloadType = payload, payloadType
	w.DSSEEnvelope.Signatures = []signature{{Sig: sig}}
	b, err := json.Marshal(w)
	if err != nil {
		return nil, refusef("%v", err)
	}
	if _, _, err := Open(b, []crypto.PublicKey{s.Public()}); err != nil {
		return nil, fmt.Errorf("the signature just made does not hold: %w", err)
	}
	return b, nil
}

// Open returns the payload of a bundle and which of keys signed it. A bundle by any other key, or one
// that this package would not print (spaces apart), is refused.
func Open(b []byte, keys []crypto.PublicKey) (payload []byte, by crypto.PublicKey, err error) {
	w, err := parse(b)
	if err != nil {
		return nil, nil, err
	}
	hint, sig := w.VerificationMaterial.PublicKey.Hint, w.DSSEEnvelope.Signatures[0]
	for _, key := range keys {
		h, err := Hint(key)
		if err != nil {
			return nil, nil, err
		}
		if h != hint {
			continue
		}
		if !verify(key, pae(payloadType, w.DSSEEnvelope.Payload), sig.Sig) {
			return nil, nil, refusef("the signature by key %s does not verify", hint)
		}
		return w.DSSEEnvelope.Payload, key, nil
	}
	return nil, nil, refusef("signed by key %q, which is none of the %d that may sign", hint, len(keys))
}

// parse reads a bundle without believing it.
func parse(b []byte) (w wire, err error) {
	if len(b) > MaxSize {
		return w, refusef("%d bytes, at most %d", len(b), MaxSize)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return w, refusef("%v", err)
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return w, refusef("%v", err)
	}
	if w.MediaType != mediaType {
		return w, refusef("media type %q, want %q", w.MediaType, mediaType)
	}
	if w.DSSEEnvelope.PayloadType != payloadType {
		return w, refusef("payload type %q, want %q", w.DSSEEnvelope.PayloadType, payloadType)
	}
	if n := len(w.DSSEEnvelope.Signatures); n != 1 {
		return w, refusef("%d signatures, want exactly one", n)
	}
	if id := w.DSSEEnvelope.Signatures[0].KeyID; id != "" && id != w.VerificationMaterial.PublicKey.Hint {
		return w, refusef("keyid %q is not the key's, %q", id, w.VerificationMaterial.PublicKey.Hint)
	}
	again, err := json.Marshal(w)
	if err != nil {
		return w, refusef("%v", err)
	}
	if !bytes.Equal(again, compact.Bytes()) {
		return w, refusef("is not printed as this project prints it; two readers might see two things in it")
	}
	return w, nil
}

// Hint names a key in a bundle: base64 of the sha256 of its PKIX DER. Only Ed25519 and P-256 have one.
func Hint(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return "", refusef("ed25519 key of %d bytes", len(k))
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", refusef("ecdsa key that is not on P-256")
		}
	default:
		return "", refusef("key type %T, want ed25519 or ecdsa on P-256", pub)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", refusef("%v", err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// pae is DSSE's pre-authentication encoding (DSSE protocol 1.0.2).
func pae(kind string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
}

func verify(pub crypto.PublicKey, message, sig []byte) bool {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k, sum[:], sig)
	}
	return false
}
