package wire

import (
	"encoding/binary"

	"github.com/countersign-project/countersign/messenger/refusal"
)

// Kinds of SPQR message (3.10).
const (
	SPQRNone   = 0 // no data
	SPQRHeader = 1
	SPQREk     = 2
	SPQREkAck  = 3 // ek chunk, and ct1 has arrived
	SPQRAck    = 4 // ct1 has arrived; no data
	SPQRCt1    = 5
	SPQRCt2    = 6
)

// spqrVersion leads every SPQR message.
const spqrVersion = 1

// SPQR is the content of a Signal message's field 5 (3.10): version ‖ varint epoch ‖ varint index ‖ kind ‖ [varint chunk ‖ 32 bytes].
type SPQR struct {
	Epoch uint64 // from 1; the message key belongs to chain epoch Epoch-1
	Index uint32 // of the message key in its chain, from 1; 0 = not switched on, no key
	Kind  uint8  // SPQRNone to SPQRCt2
	Chunk uint16 // number of the chunk, for kinds with data
	Data  [32]byte
}

// HasData tells whether messages of that kind carry a chunk.
func (m SPQR) HasData() bool { return m.Kind != SPQRNone && m.Kind != SPQRAck }

// Append serialises m.
func (m SPQR) Append(dst []byte) []byte {
	dst = append(dst, spqrVersion)
	dst = binary.AppendUvarint(dst, m.Epoch)
	dst = binary.AppendUvarint(dst, uint64(m.Index))
	dst = append(dst, m.Kind)
	if m.HasData() {
		dst = binary.AppendUvarint(dst, uint64(m.Chunk))
		dst = append(dst, m.Data[:]...)
	}
	return dst
}

// ParseSPQR reads an SPQR message. Bytes after it are left to future versions and ignored, as the peers do: the MAC of the
// message around it covers them.
func ParseSPQR(b []byte) (SPQR, error) {
	var m SPQR
	if len(b) == 0 || b[0] != spqrVersion {
		return m, refusal.Because(refusal.InvalidMessage, "spqr message: unknown version")
	}
	rest := b[1:]
	number := func(most uint64) (uint64, bool) {
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > most {
			return 0, false
		}
		rest = rest[n:]
		return v, true
	}
	epoch, ok1 := number(1<<63 - 1)
	index, ok2 := number(1<<32 - 1)
	if !ok1 || !ok2 || epoch == 0 || len(rest) == 0 {
		return m, refusal.Because(refusal.InvalidMessage, "spqr message: bad epoch or index")
	}
	m.Epoch, m.Index, m.Kind = epoch, uint32(index), rest[0]
	rest = rest[1:]
	if m.Kind > SPQRCt2 {
		return m, refusal.Because(refusal.InvalidMessage, "spqr message: unknown kind %d", m.Kind)
	}
	if !m.HasData() {
		return m, nil
	}
	chunk, ok := number(1<<16 - 1)
	if !ok || len(rest) < len(m.Data) {
		return m, refusal.Because(refusal.InvalidMessage, "spqr message: bad chunk")
	}
	m.Chunk = uint16(chunk)
	copy(m.Data[:], rest)
	return m, nil
}
