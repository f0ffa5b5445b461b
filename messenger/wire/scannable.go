package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Scannable is the content of a safety-number QR code (5), as raw bytes.
type Scannable struct {
	Version uint32   // 1 or 2
	Local   [32]byte // of the person who shows the code
	Remote  [32]byte
}

// Encode serialises s.
func (s Scannable) Encode() []byte {
	return marshal(nil, &pb.CombinedFingerprint{
		Version: proto.Uint32(s.Version),
		Local:   &pb.LogicalFingerprint{Content: s.Local[:]},
		Remote:  &pb.LogicalFingerprint{Content: s.Remote[:]},
	})
}

// maxScannable is more than a QR code of this kind ever holds.
const maxScannable = 512

// ParseScannable reads a QR code's bytes. Version 0, which carried identifiers, is refused as a legacy version; whether the
// version is the one we speak is for safety to judge.
func ParseScannable(b []byte) (Scannable, error) {
	var s Scannable
	if len(b) > maxScannable {
		return s, refusal.Because(refusal.InvalidMessage, "scanned code: got %d bytes, want at most %d", len(b), maxScannable)
	}
	var p pb.CombinedFingerprint
	if err := unmarshal("scanned code", b, &p); err != nil {
		return s, err
	}
	if p.Version == nil || p.Local == nil || p.Remote == nil {
		return s, refusal.Because(refusal.InvalidMessage, "scanned code lacks version or fingerprints")
	}
	if p.GetVersion() == 0 {
		return s, refusal.Because(refusal.LegacyVersion, "scanned code of version 0")
	}
	if len(p.Local.Content) != 32 || len(p.Remote.Content) != 32 {
		return s, refusal.Because(refusal.InvalidMessage, "scanned code: fingerprints of %d and %d bytes, want 32", len(p.Local.Content), len(p.Remote.Content))
	}
	s.Version = p.GetVersion()
	copy(s.Local[:], p.Local.Content)
	copy(s.Remote[:], p.Remote.Content)
	return s, nil
}
