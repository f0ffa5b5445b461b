package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// PreKey is the first kind of message of a session (3.1): version byte ‖ protobuf, with a whole Signal message inside.
// It has no MAC of its own. The keys and ids in it are bound by the secrets they lead to; RegistrationID is bound by nothing.
type PreKey struct {
	VersionByte    byte
	RegistrationID uint32 // sender's; unauthenticated
	PreKeyID       uint32 // one-time prekey used; meaningful if OneTime
	OneTime        bool   // a one-time prekey id is present
	SignedPreKeyID uint32 // v3 and later
	KyberPreKeyID  uint32 // v4
	Kyber          []byte // v4: ciphertext, 1569 bytes; nil before
	BaseKey        keys.Public
	Identity       keys.Public
	Inner          *Signal
}

// Version returns the session version.
func (m *PreKey) Version() uint8 { return m.VersionByte >> 4 }

// ParsePreKey reads a message and the one inside it. The version bytes of the two must be the same, since only the inner
// one is covered by a MAC. The result refers to b.
func ParsePreKey(b []byte) (*PreKey, error) {
	if err := checkSize("prekey message", b, 1); err != nil {
		return nil, err
	}
	version, err := checkVersion(b[0])
	if err != nil {
		return nil, err
	}
	var p pb.PreKeySignalMessage
	if err := unmarshal("prekey message", b[1:], &p); err != nil {
		return nil, err
	}
	m := &PreKey{
		VersionByte: b[0], RegistrationID: p.GetRegistrationId(), PreKeyID: p.GetPreKeyId(), OneTime: p.PreKeyId != nil,
		SignedPreKeyID: p.GetSignedPreKeyId(), KyberPreKeyID: p.GetKyberPreKeyId(), Kyber: p.KyberCiphertext,
	}
	if err := m.checkPresence(version, &p); err != nil {
		return nil, err
	}
	if m.BaseKey, err = keys.ParsePublic(p.BaseKey); err != nil {
		return nil, err
	}
	if m.Identity, err = keys.ParsePublic(p.IdentityKey); err != nil {
		return nil, err
	}
	if m.Inner, err = ParseSignal(p.Message); err != nil {
		return nil, err
	}
	if m.Inner.VersionByte != b[0] {
		return nil, refusal.Because(refusal.InvalidMessage, "prekey message: version byte 0x%02x around 0x%02x", b[0], m.Inner.VersionByte)
	}
	return m, nil
}

// checkPresence is the table of 3.1: which ids each version must have, and must not have.
func (m *PreKey) checkPresence(version uint8, p *pb.PreKeySignalMessage) error {
	invalid := func(what string) error {
		return refusal.Because(refusal.InvalidMessage, "prekey message of version %d %s", version, what)
	}
	hasKyber := p.KyberPreKeyId != nil || p.KyberCiphertext != nil
	switch {
	case p.BaseKey == nil || p.IdentityKey == nil || p.Message == nil:
		return invalid("lacks base key, identity key or message")
	case version == V2 && p.PreKeyId == nil:
		return invalid("lacks the prekey id")
	case version >= V3 && p.SignedPreKeyId == nil:
		return invalid("lacks the signed prekey id")
	case version >= V4 && (p.KyberPreKeyId == nil || p.KyberCiphertext == nil):
		return invalid("lacks kyber prekey id or ciphertext")
	case version < V4 && hasKyber:
		return invalid("has kyber fields")
	case hasKyber && len(p.KyberCiphertext) != keys.KyberCiphertextSize:
		return invalid("has a kyber ciphertext of the wrong length")
	}
	return nil
}

// v2SignedPreKeyID is what v2 senders write for "none".
const v2SignedPreKeyID = 0xFFFFFFFF

// Encode serialises m around inner, a complete Signal message as Signal.Seal returns it. Inner of m is not used.
func (m *PreKey) Encode(inner []byte) []byte {
	p := pb.PreKeySignalMessage{
		RegistrationId: &m.RegistrationID, SignedPreKeyId: &m.SignedPreKeyID, BaseKey: m.BaseKey.Bytes(),
		IdentityKey: m.Identity.Bytes(), Message: inner,
	}
	if m.OneTime {
		p.PreKeyId = &m.PreKeyID
	}
	if m.Version() == V2 {
		p.SignedPreKeyId = proto.Uint32(v2SignedPreKeyID)
	}
	if m.Kyber != nil {
		p.KyberPreKeyId, p.KyberCiphertext = &m.KyberPreKeyID, m.Kyber
	}
	b := make([]byte, 1, 1+len(inner)+len(m.Kyber)+128)
	b[0] = m.VersionByte
	return marshal(b, &p)
}
