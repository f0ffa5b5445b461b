// Package signaling encrypts envelopes between the server and one device (section 7.4 of the wire specification).
//
// The device chooses a key at registration and gives it to its server, so this protects nothing from the server; it hides who
// writes to whom from whatever lies between, such as a push service. A server without the key sends envelopes bare.
package signaling

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

const (
	// KeySize is the length of a key: 32 bytes for AES, 20 for the MAC.
	KeySize = 52

	version = 0x01
	ivSize  = 16
	macSize = 10 // of HMAC-SHA-256
	frame   = 1 + ivSize + macSize
)

// Key is a device's signaling key. It never prints itself.
type Key [KeySize]byte

// String returns nothing.
func (Key) String() string { return "" }

// Format prints nothing, whatever the verb.
func (Key) Format(fmt.State, rune) {}

// NewKey draws a key.
func NewKey(rand io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return k, fmt.Errorf("random bytes for a signaling key: %w", err)
	}
	return k, nil
}

func (k *Key) cipher() keys.Secret { return keys.Secret(k[:32]) }

func (k *Key) tag(covered []byte) []byte {
	h := hmac.New(sha256.New, k[32:])
	h.Write(covered)
	return h.Sum(nil)[:macSize]
}

// Seal encrypts an envelope: version ‖ IV ‖ AES-256-CBC ‖ MAC(10).
func (k *Key) Seal(envelope []byte, rand io.Reader) ([]byte, error) {
	b := make([]byte, 1+ivSize, frame+len(envelope)+16)
	b[0] = version
	if _, err := io.ReadFull(rand, b[1:]); err != nil {
		return nil, fmt.Errorf("random bytes for an envelope: %w", err)
	}
	b = append(b, kdf.EncryptCBC(k.cipher(), [ivSize]byte(b[1:]), envelope)...)
	return append(b, k.tag(b)...), nil
}

// Open decrypts a blob of the server.
func (k *Key) Open(blob []byte) ([]byte, error) {
	if len(blob) < frame+16 || len(blob) > 2*wire.MaxMessage {
		return nil, refusal.Because(refusal.InvalidMessage, "encrypted envelope: %d bytes", len(blob))
	}
	if blob[0] != version {
		return nil, refusal.Because(refusal.UnknownVersion, "encrypted envelope: got version 0x%02x, want 0x01", blob[0])
	}
	covered, tag := blob[:len(blob)-macSize], blob[len(blob)-macSize:]
	if subtle.ConstantTimeCompare(k.tag(covered), tag) != 1 {
		return nil, kdf.Unauthentic()
	}
	return kdf.DecryptCBC(k.cipher(), [ivSize]byte(covered[1:]), covered[1+ivSize:])
}
