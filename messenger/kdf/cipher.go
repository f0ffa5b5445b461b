package kdf

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Encrypt encrypts a message body: CBC with PKCS#7, or in v2 CTR (2.5).
func (m *Message) Encrypt(version uint8, counter uint32, plaintext []byte) []byte {
	if version == wire.V2 {
		return m.ctr(counter, plaintext)
	}
	return EncryptCBC(m.Cipher, m.iv, plaintext)
}

// Decrypt is the inverse. It must only be called once the MAC has been checked; a padding error is then the sender's fault,
// and reads the same as a MAC error.
func (m *Message) Decrypt(version uint8, counter uint32, ciphertext []byte) ([]byte, error) {
	if version == wire.V2 {
		return m.ctr(counter, ciphertext), nil
	}
	return DecryptCBC(m.Cipher, m.iv, ciphertext)
}

// Tag computes the MAC of a message (3.1): the first 8 bytes of HMAC over both identities and the covered bytes; v2 leaves the identities out.
func (m *Message) Tag(version uint8, sender, receiver keys.Public, covered []byte) (tag [wire.MACSize]byte) {
	h := hmac.New(sha256.New, m.MAC[:])
	if version != wire.V2 {
		var ids [2 * keys.PublicSize]byte
		h.Write(receiver.Append(sender.Append(ids[:0])))
	}
	h.Write(covered)
	var sum [sha256.Size]byte
	copy(tag[:], h.Sum(sum[:0]))
	return tag
}

// CheckTag compares in constant time.
func (m *Message) CheckTag(version uint8, sender, receiver keys.Public, covered []byte, tag [wire.MACSize]byte) bool {
	want := m.Tag(version, sender, receiver, covered)
	return subtle.ConstantTimeCompare(want[:], tag[:]) == 1
}

// ctr is v2's cipher: the first counter block is the message counter and 12 zero bytes.
func (m *Message) ctr(counter uint32, in []byte) []byte {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint32(iv[:], counter)
	out := make([]byte, len(in))
	cipher.NewCTR(block(m.Cipher), iv[:]).XORKeyStream(out, in)
	return out
}

// EncryptCBC is AES-256-CBC with PKCS#7.
func EncryptCBC(key keys.Secret, iv [16]byte, plaintext []byte) []byte {
	pad := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := make([]byte, len(plaintext)+pad)
	copy(out, plaintext)
	for i := len(plaintext); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(block(key), iv[:]).CryptBlocks(out, out)
	return out
}

// Unauthentic returns the one error for a MAC that does not hold and for a padding that is wrong (2.5).
func Unauthentic() error {
	return refusal.Because(refusal.InvalidMessage, "the message does not authenticate")
}

// DecryptCBC is the inverse of EncryptCBC. Authenticate first.
func DecryptCBC(key keys.Secret, iv [16]byte, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, Unauthentic()
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block(key), iv[:]).CryptBlocks(out, ciphertext)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize {
		clear(out)
		return nil, Unauthentic()
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			clear(out)
			return nil, Unauthentic()
		}
	}
	return out[:len(out)-pad], nil
}

func block(key keys.Secret) cipher.Block {
	b, err := aes.NewCipher(key[:])
	if err != nil {
		panic("internal error: aes: " + err.Error()) // the key has 32 bytes
	}
	return b
}
