// Package wire is the messenger's bytes on the wire: framing, versions, and own types in front of the generated
// protobufs, which stop here.
//
// Everything parsed comes from a stranger by way of a server that may change it. Parsing checks what can be checked
// without keys: sizes, versions, key forms, fields that must be present. What it returns is still unauthenticated: the MAC of
// a Signal message, the signature of a sender-key message and the tag of a provisioning body are checked by ratchet,
// senderkey and provision, over the received bytes as they are, never over a re-serialisation (specification 1).
//
// Unknown protobuf fields are skipped, as every peer does. Numbers in comments are sections of the wire specification.
package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/countersign-project/countersign/messenger/refusal"
)

const (
	// MaxMessage bounds every message we parse, in bytes. Texts have 2 000 bytes and everything big goes by attachment;
	// what is left for honest peers is far below.
	MaxMessage = 256 << 10
	// MaxPlaintext is the longest plaintext whose message stays below MaxMessage, whatever is wrapped around it.
	MaxPlaintext = MaxMessage - 4<<10
	// MACSize is the length of a truncated MAC at the end of a Signal message.
	MACSize = 8
)

// Versions of the pairwise protocol: the high nibble of the version byte (1).
const (
	V2 = 2 // TextSecure of 2014: 3DH, CTR
	V3 = 3 // X3DH, CBC
	V4 = 4 // PQXDH, CBC
	// Highest goes into the low nibble of what we send. It is informational.
	Highest = V4
)

// VersionByte returns the byte that leads our messages of a session of that version.
func VersionByte(version uint8) byte { return version<<4 | Highest }

// checkVersion reads the session version out of a version byte.
func checkVersion(b byte) (uint8, error) {
	v := b >> 4
	switch {
	case v < V2:
		return 0, refusal.Because(refusal.LegacyVersion, "version byte 0x%02x", b)
	case v > Highest:
		return 0, refusal.Because(refusal.UnknownVersion, "version byte 0x%02x, want at most 0x%x0", b, Highest)
	}
	return v, nil
}

// checkSize refuses what is too short to hold its frame or larger than anything honest.
func checkSize(what string, b []byte, least int) error {
	if len(b) < least {
		return refusal.Because(refusal.InvalidMessage, "%s: got %d bytes, want at least %d", what, len(b), least)
	}
	if len(b) > MaxMessage {
		return refusal.Because(refusal.InvalidMessage, "%s: got %d bytes, want at most %d", what, len(b), MaxMessage)
	}
	return nil
}

// unmarshal parses a protobuf. The parser's own words are dropped: they are not stable from one build to the next.
func unmarshal(what string, b []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, m); err != nil {
		return refusal.Because(refusal.InvalidMessage, "%s is not a protobuf of that kind", what)
	}
	return nil
}

// marshal appends a protobuf to dst. Our own messages always serialise.
func marshal(dst []byte, m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	if err != nil {
		panic("internal error: protobuf does not serialise: " + err.Error())
	}
	return b
}
