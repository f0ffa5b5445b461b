// Package provision hands an account to a further device (section 10 of the wire specification): the master scans a key off
// the new device's screen and sends it, through the server, the identity key, number and a registration code.
//
// The identity's private key travels here, once. The server carries the envelope and must not be able to read or replace it; it
// can show a QR code of its own, or somebody else's can be held before the camera, so both screens show the same six
// digits (Confirmation) and the new device asks whether the number is the right one before it registers.
//
// There are two codecs, the one that was shipped and the one of the first draft. They differ in derivation, framing and contents, and an envelope of one does
// not open with the other.
package provision

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Account is what a new device gets. Fields that a codec has no place for are not sent.
type Account struct {
	Identity     *keys.Private
	Number       string // E.164
	Code         string // registers the new device: six digits
	UserAgent    string // shipped codec only, as are the next three
	ProfileKey   keys.SecretBytes
	ReadReceipts bool
	UUID         string
	History      uint64 // shipped codec only: so many messages of history come later
	Server       string // draft only: where to register. The device checks it against its own list
	MasterSMS    bool   // draft only: the master can send SMS
}

// Codec is one way to write envelopes.
type Codec interface {
	// Seal encrypts an account to the key the master has scanned. It returns the envelope, and six digits to be shown on the master's screen.
	Seal(scanned keys.Public, a Account, rand io.Reader) (envelope []byte, confirmation string, err error)
	// Open decrypts an envelope with the key the new device has shown. It returns the account, and the same six digits.
	Open(own *keys.Private, envelope []byte) (a Account, confirmation string, err error)
}

// body is the encryption the codecs share: version ‖ IV 16 ‖ AES-256-CBC ‖ HMAC-SHA-256 over everything before, 32 bytes.
type body struct {
	version     byte
	cipher, mac keys.Secret
}

func newBody(version byte, salt []byte, agreement keys.Secret, label string) body {
	k := body{version: version}
	b := kdf.HKDF(salt, agreement[:], label, 64)
	copy(k.cipher[:], b)
	copy(k.mac[:], b[32:])
	clear(b)
	return k
}

func (k body) tag(covered []byte) []byte {
	h := hmac.New(sha256.New, k.mac[:])
	h.Write(covered)
	return h.Sum(nil)
}

func (k body) seal(plaintext []byte, rand io.Reader) ([]byte, error) {
	var iv [16]byte
	if _, err := io.ReadFull(rand, iv[:]); err != nil {
		return nil, fmt.Errorf("random bytes for an envelope: %w", err)
	}
	b := append([]byte{k.version}, iv[:]...)
	b = append(b, kdf.EncryptCBC(k.cipher, iv, plaintext)...)
	return append(b, k.tag(b)...), nil
}

func (k body) open(b []byte) ([]byte, error) {
	const frame = 1 + 16 + sha256.Size
	if len(b) < frame+16 {
		return nil, refusal.Because(refusal.InvalidMessage, "provisioning body: got %d bytes, want at least %d", len(b), frame+16)
	}
	if b[0] != k.version {
		return nil, refusal.Because(refusal.UnknownVersion, "provisioning body: got version 0x%02x, want 0x%02x", b[0], k.version)
	}
	covered, tag := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(k.tag(covered), tag) {
		return nil, kdf.Unauthentic()
	}
	return kdf.DecryptCBC(k.cipher, [16]byte(covered[1:17]), covered[17:])
}

// confirmation derives the six digits of both screens from the agreement and both keys.
func confirmation(agreement keys.Secret, master, device keys.Public) string {
	info := "Countersign device link" + string(master[:]) + string(device[:])
	b := kdf.HKDF(nil, agreement[:], info, 8)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(b)%1_000_000)
}

// sealTo makes an ephemeral key, agrees with the scanned one, and wraps a body of the codec.
func sealTo(scanned keys.Public, plaintext []byte, rand io.Reader, derive func(agreement keys.Secret, master keys.Public) body) ([]byte, string, error) {
	ephemeral, err := keys.Generate(rand)
	if err != nil {
		return nil, "", err
	}
	defer ephemeral.Wipe()
	agreement, err := ephemeral.Agree(scanned)
	if err != nil {
		return nil, "", err
	}
	defer agreement.Wipe()
	b, err := derive(agreement, ephemeral.Public()).seal(plaintext, rand)
	if err != nil {
		return nil, "", err
	}
	e := wire.ProvisionEnvelope{Ephemeral: ephemeral.Public(), Body: b}
	return e.Encode(), confirmation(agreement, ephemeral.Public(), scanned), nil
}

func openFrom(own *keys.Private, envelope []byte, derive func(agreement keys.Secret, master keys.Public) body) ([]byte, string, error) {
	e, err := wire.ParseProvisionEnvelope(envelope)
	if err != nil {
		return nil, "", err
	}
	agreement, err := own.Agree(e.Ephemeral)
	if err != nil {
		return nil, "", err
	}
	defer agreement.Wipe()
	plaintext, err := derive(agreement, e.Ephemeral).open(e.Body)
	return plaintext, confirmation(agreement, e.Ephemeral, own.Public()), err
}
