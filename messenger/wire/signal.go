package wire

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Signal is a message of an established session (3.1): version byte ‖ protobuf ‖ MAC(8).
type Signal struct {
	VersionByte byte        // as received: high nibble the session's version, low nibble informational
	RatchetKey  keys.Public // sender's current ratchet key
	Counter     uint32      // index in this sending chain, from 0
	Previous    uint32      // last index of the sender's previous chain; receivers ignore it
	Ciphertext  []byte
	PQ          []byte // SPQR message (3.10), see ParseSPQR; empty = none
	Addresses   []byte // sender and recipient service ids, 36 bytes; empty = none

	covered []byte
	mac     [MACSize]byte
}

// Version returns the session version.
func (m *Signal) Version() uint8 { return m.VersionByte >> 4 }

// Covered returns the received bytes that the MAC covers: everything before it.
func (m *Signal) Covered() []byte { return m.covered }

// MAC returns the received MAC.
func (m *Signal) MAC() [MACSize]byte { return m.mac }

// ParseSignal reads a message. The result refers to b, which must not change afterwards. Nothing of it is authenticated yet.
func ParseSignal(b []byte) (*Signal, error) {
	if err := checkSize("signal message", b, 1+MACSize); err != nil {
		return nil, err
	}
	if _, err := checkVersion(b[0]); err != nil {
		return nil, err
	}
	var p pb.SignalMessage
	if err := unmarshal("signal message", b[1:len(b)-MACSize], &p); err != nil {
		return nil, err
	}
	if p.RatchetKey == nil || p.Counter == nil || p.Ciphertext == nil {
		return nil, refusal.Because(refusal.InvalidMessage, "signal message lacks ratchet key, counter or ciphertext")
	}
	if len(p.Addresses) != 0 && len(p.Addresses) != addressesSize {
		return nil, refusal.Because(refusal.InvalidMessage, "addresses: got %d bytes, want %d", len(p.Addresses), addressesSize)
	}
	key, err := keys.ParsePublic(p.RatchetKey)
	if err != nil {
		return nil, err
	}
	m := &Signal{
		VersionByte: b[0], RatchetKey: key, Counter: p.GetCounter(), Previous: p.GetPreviousCounter(),
		Ciphertext: p.Ciphertext, PQ: p.PqRatchet, Addresses: p.Addresses, covered: b[:len(b)-MACSize],
	}
	copy(m.mac[:], b[len(b)-MACSize:])
	return m, nil
}

// addressesSize is two times kind, UUID and device.
const addressesSize = 2 * (1 + 16 + 1)

// Seal serialises m and appends the MAC that mac computes over everything before it.
func (m *Signal) Seal(mac func(covered []byte) [MACSize]byte) []byte {
	p := pb.SignalMessage{
		RatchetKey: m.RatchetKey.Bytes(), Counter: &m.Counter, PreviousCounter: &m.Previous, Ciphertext: m.Ciphertext,
	}
	if len(m.PQ) > 0 {
		p.PqRatchet = m.PQ
	}
	if len(m.Addresses) > 0 {
		p.Addresses = m.Addresses
	}
	b := make([]byte, 1, 1+len(m.Ciphertext)+len(m.PQ)+len(m.Addresses)+keys.PublicSize+32+MACSize)
	b[0] = m.VersionByte
	b = marshal(b, &p)
	tag := mac(b)
	return append(b, tag[:]...)
}
