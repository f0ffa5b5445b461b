// Package kdf derives keys as the TextSecure family does: HKDF with its v2 peculiarity, the root and chain steps of the Double Ratchet,
// and the keys of one message.
//
// Everything here is a pure function of secrets that never leave the process. What a thief of one value learns is the point
// of each function: from a chain key all later message keys of that chain and none before, from message keys one message.
// Numbers in comments are sections of the wire specification.
package kdf

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Labels of 3.2 and 3.3.
const (
	labelText    = "WhisperText"
	labelTextV4  = "WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
	labelRatchet = "WhisperRatchet"
	labelMessage = "WhisperMessageKeys"
)

// HKDF is RFC 5869 with SHA-256. An absent salt is 32 zero bytes.
func HKDF(salt, secret []byte, info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, secret, salt, info, n)
	if err != nil {
		panic("internal error: hkdf: " + err.Error()) // only a length beyond 8160 bytes
	}
	return b
}

// hkdfV2 is the HKDF of v2: the counter byte of the expand step starts at 0 (2.4).
func hkdfV2(salt, secret []byte, info string, n int) []byte {
	if salt == nil {
		salt = make([]byte, sha256.Size)
	}
	extract := hmac.New(sha256.New, salt)
	extract.Write(secret)
	prk := extract.Sum(nil)
	defer clear(prk)
	var out, block []byte
	for counter := byte(0); len(out) < n; counter++ {
		h := hmac.New(sha256.New, prk)
		h.Write(block)
		h.Write([]byte(info))
		h.Write([]byte{counter})
		clear(block)
		block = h.Sum(nil)
		out = append(out, block...)
	}
	clear(block)
	return out[:n]
}

// derive is the HKDF of a session version.
func derive(version uint8, salt, secret []byte, info string, n int) []byte {
	if version == wire.V2 {
		return hkdfV2(salt, secret, info, n)
	}
	return HKDF(salt, secret, info, n)
}

// Start derives the first root key, chain key and, in v4, the SPQR authentication key from the handshake's secrets (3.2).
func Start(version uint8, secrets []byte) (root, chain, pq keys.Secret) {
	label, n := labelText, 64
	if version >= wire.V4 {
		label, n = labelTextV4, 96
	}
	b := derive(version, nil, secrets, label, n)
	defer clear(b)
	copy(root[:], b)
	copy(chain[:], b[32:])
	copy(pq[:], b[64:])
	return root, chain, pq
}

// Root is one step of the root chain (3.3): the next root key and a fresh chain key from a key agreement.
func Root(version uint8, root, agreement keys.Secret) (next, chain keys.Secret) {
	b := derive(version, root[:], agreement[:], labelRatchet, 64)
	defer clear(b)
	copy(next[:], b)
	copy(chain[:], b[32:])
	return next, chain
}

// Chain is one step of a sending or receiving chain (3.3): the seed of this index's message keys and the next chain key.
func Chain(chain keys.Secret) (seed, next keys.Secret) {
	h := hmac.New(sha256.New, chain[:])
	h.Write([]byte{1})
	h.Sum(seed[:0])
	h.Reset()
	h.Write([]byte{2})
	h.Sum(next[:0])
	return seed, next
}

// Message holds the keys of one message.
type Message struct {
	Cipher, MAC keys.Secret
	iv          [16]byte // v3 and later; v2 takes it from the counter
}

// MessageKeys expands a seed (3.3). Salt is the SPQR key, or nil without SPQR.
func MessageKeys(version uint8, seed keys.Secret, salt []byte) Message {
	n := 80
	if version == wire.V2 {
		n = 64
	}
	b := derive(version, salt, seed[:], labelMessage, n)
	defer clear(b)
	var m Message
	copy(m.Cipher[:], b)
	copy(m.MAC[:], b[32:])
	copy(m.iv[:], b[64:])
	return m
}

// Format prints nothing, whatever the verb.
func (m Message) Format(fmt.State, rune) {}

// Wipe overwrites the keys.
func (m *Message) Wipe() {
	m.Cipher.Wipe()
	m.MAC.Wipe()
	clear(m.iv[:])
}
