package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

const (
	// senderKeyVersion leads sender-key messages and distributions in either layout.
	senderKeyVersion = 0x33
	// SignatureSize is the length of the XEdDSA signature at the end of a sender-key message.
	SignatureSize = 64
)

// SenderKey is a group message (4): 0x33 ‖ protobuf ‖ signature(64) over everything before it.
type SenderKey struct {
	Old          bool     // the layout without distribution ids; read, never written
	Distribution [16]byte // UUID; zero when Old
	Chain        uint32
	Iteration    uint32
	Ciphertext   []byte

	covered   []byte
	signature [SignatureSize]byte
}

// Covered returns the received bytes that the signature covers.
func (m *SenderKey) Covered() []byte { return m.covered }

// Signature returns the received signature.
func (m *SenderKey) Signature() [SignatureSize]byte { return m.signature }

// ParseSenderKey reads a group message of either layout. The result refers to b; nothing is authenticated yet.
func ParseSenderKey(b []byte) (*SenderKey, error) {
	if err := checkSize("sender-key message", b, 1+SignatureSize); err != nil {
		return nil, err
	}
	if err := checkSenderKeyVersion(b[0]); err != nil {
		return nil, err
	}
	m := &SenderKey{covered: b[:len(b)-SignatureSize]}
	copy(m.signature[:], b[len(m.covered):])
	body := m.covered[1:]
	if m.Old = oldLayout(body); m.Old {
		var p pb.OldSenderKeyMessage
		if err := unmarshal("sender-key message", body, &p); err != nil {
			return nil, err
		}
		if p.Id == nil || p.Iteration == nil || p.Ciphertext == nil {
			return nil, refusal.Because(refusal.InvalidMessage, "sender-key message lacks id, iteration or ciphertext")
		}
		m.Chain, m.Iteration, m.Ciphertext = p.GetId(), p.GetIteration(), p.Ciphertext
		return m, nil
	}
	var p pb.SenderKeyMessage
	if err := unmarshal("sender-key message", body, &p); err != nil {
		return nil, err
	}
	if len(p.DistributionUuid) != 16 || p.ChainId == nil || p.Iteration == nil || p.Ciphertext == nil {
		return nil, refusal.Because(refusal.InvalidMessage, "sender-key message lacks distribution id, chain id, iteration or ciphertext")
	}
	copy(m.Distribution[:], p.DistributionUuid)
	m.Chain, m.Iteration, m.Ciphertext = p.GetChainId(), p.GetIteration(), p.Ciphertext
	return m, nil
}

// Seal serialises m in today's layout and appends the signature that sign makes over everything before it.
func (m *SenderKey) Seal(sign func(covered []byte) ([SignatureSize]byte, error)) ([]byte, error) {
	b := make([]byte, 1, 1+len(m.Ciphertext)+48+SignatureSize)
	b[0] = senderKeyVersion
	b = marshal(b, &pb.SenderKeyMessage{
		DistributionUuid: m.Distribution[:], ChainId: &m.Chain, Iteration: &m.Iteration, Ciphertext: m.Ciphertext,
	})
	sig, err := sign(b)
	if err != nil {
		return nil, err
	}
	return append(b, sig[:]...), nil
}

// Distribution hands a sender key to a group member (4); it travels inside an encrypted pairwise message.
type Distribution struct {
	Old          bool
	Distribution [16]byte // UUID; zero when Old
	Chain        uint32
	Iteration    uint32 // the chain key is that of this iteration: nothing earlier can be read
	ChainKey     keys.Secret
	Signing      keys.Public
}

// ParseDistribution reads a distribution message of either layout.
func ParseDistribution(b []byte) (*Distribution, error) {
	if err := checkSize("sender-key distribution", b, 1); err != nil {
		return nil, err
	}
	if err := checkSenderKeyVersion(b[0]); err != nil {
		return nil, err
	}
	var d Distribution
	var chainKey, signing []byte
	if d.Old = oldLayout(b[1:]); d.Old {
		var p pb.OldSenderKeyDistributionMessage
		if err := unmarshal("sender-key distribution", b[1:], &p); err != nil {
			return nil, err
		}
		if p.Id == nil || p.Iteration == nil {
			return nil, refusal.Because(refusal.InvalidMessage, "sender-key distribution lacks id or iteration")
		}
		d.Chain, d.Iteration, chainKey, signing = p.GetId(), p.GetIteration(), p.ChainKey, p.SigningKey
	} else {
		var p pb.SenderKeyDistributionMessage
		if err := unmarshal("sender-key distribution", b[1:], &p); err != nil {
			return nil, err
		}
		if len(p.DistributionUuid) != 16 || p.ChainId == nil || p.Iteration == nil {
			return nil, refusal.Because(refusal.InvalidMessage, "sender-key distribution lacks distribution id, chain id or iteration")
		}
		copy(d.Distribution[:], p.DistributionUuid)
		d.Chain, d.Iteration, chainKey, signing = p.GetChainId(), p.GetIteration(), p.ChainKey, p.SigningKey
	}
	if len(chainKey) != len(d.ChainKey) {
		return nil, refusal.Because(refusal.InvalidMessage, "sender-key distribution: chain key of %d bytes, want 32", len(chainKey))
	}
	copy(d.ChainKey[:], chainKey)
	var err error
	d.Signing, err = keys.ParsePublic(signing)
	return &d, err
}

// Encode serialises d in today's layout.
func (d *Distribution) Encode() []byte {
	return marshal([]byte{senderKeyVersion}, &pb.SenderKeyDistributionMessage{
		DistributionUuid: d.Distribution[:], ChainId: &d.Chain, Iteration: &d.Iteration,
		ChainKey: d.ChainKey[:], SigningKey: d.Signing.Bytes(),
	})
}

func checkSenderKeyVersion(b byte) error {
	switch v := b >> 4; {
	case v < senderKeyVersion>>4:
		return refusal.Because(refusal.LegacyVersion, "sender-key version byte 0x%02x", b)
	case v > senderKeyVersion>>4:
		return refusal.Because(refusal.UnknownVersion, "sender-key version byte 0x%02x", b)
	}
	return nil
}

// oldLayout looks at the wire type of the first field 1: a number is the old layout, bytes are today's (4).
func oldLayout(b []byte) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return false
		}
		if num == 1 {
			return typ == protowire.VarintType
		}
		b = b[n:]
	}
	return false
}
