package wire

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// DecryptionError asks for a message to be sent again (15). It travels unencrypted, as there may be no session to encrypt with, and
// so proves nothing: the receiver sends again only if the ratchet key is its current one (ratchet.Record.Sends).
type DecryptionError struct {
	RatchetKey keys.Public // of the message that failed
	HasKey     bool        // pairwise messages have one, sender-key messages do not
	Timestamp  uint64
	Device     uint32
}

// Encode serialises e.
func (e DecryptionError) Encode() []byte {
	p := &pb.DecryptionErrorMessage{Timestamp: &e.Timestamp, DeviceId: &e.Device}
	if e.HasKey {
		p.RatchetKey = e.RatchetKey.Bytes()
	}
	return marshal(nil, p)
}

// ParseDecryptionError reads a request.
func ParseDecryptionError(b []byte) (DecryptionError, error) {
	var e DecryptionError
	if err := checkSize("decryption error", b, 0); err != nil {
		return e, err
	}
	var p pb.DecryptionErrorMessage
	if err := unmarshal("decryption error", b, &p); err != nil {
		return e, err
	}
	if p.Timestamp == nil {
		return e, refusal.Because(refusal.InvalidMessage, "decryption error lacks the timestamp")
	}
	e.Timestamp, e.Device = p.GetTimestamp(), p.GetDeviceId()
	var err error
	if e.HasKey = p.RatchetKey != nil; e.HasKey {
		e.RatchetKey, err = keys.ParsePublic(p.RatchetKey)
	}
	return e, err
}

// plaintextVersion leads a PlaintextContent.
const plaintextVersion = 0xC0

// EncodePlaintext wraps a DecryptionError for the road: 0xC0 ‖ Content ‖ 0x80 …
func (e DecryptionError) EncodePlaintext() []byte {
	c := Content{DecryptionError: e.Encode()}
	return append([]byte{plaintextVersion}, Pad(c.Encode())...)
}

// ParsePlaintext reads a PlaintextContent. Only a DecryptionError is ever accepted in the clear.
func ParsePlaintext(b []byte) (DecryptionError, error) {
	if err := checkSize("plaintext content", b, 1); err != nil {
		return DecryptionError{}, err
	}
	if b[0] != plaintextVersion {
		return DecryptionError{}, refusal.Because(refusal.UnknownVersion, "plaintext content byte 0x%02x", b[0])
	}
	body, err := Unpad(b[1:])
	if err != nil {
		return DecryptionError{}, err
	}
	c, err := ParseContent(body)
	if err != nil {
		return DecryptionError{}, err
	}
	if c.DecryptionError == nil {
		return DecryptionError{}, refusal.Because(refusal.InvalidMessage, "plaintext content that is no decryption error")
	}
	return ParseDecryptionError(c.DecryptionError)
}
