package proof

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the log's Merkle tree (RFC 6962 section 2.1, SHA-256).
type Hash [32]byte

// String prints the hash as checkpoints and proofs do: standard base64 with padding.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// MarshalText prints the hash as String does.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText prints, and nothing else.
func (h *Hash) UnmarshalText(b []byte) error {
	got, err := ParseHash(string(b))
	if err == nil {
		*h = got
	}
	return err
}

// ParseHash reads what String prints. Other spellings of the same bytes are refused.
func ParseHash(s string) (Hash, error) {
	b, err := strictBase64(s)
	if err != nil || len(b) != len(Hash{}) {
		return Hash{}, fmt.Errorf("%q is not the base64 of a 32-byte hash", clip(s))
	}
	return Hash(b), nil
}

// LeafHash returns the hash of an entry as a leaf of the tree: SHA-256(0x00 || entry).
func LeafHash(entry []byte) Hash { return Hash(tlog.RecordHash(entry)) }

// NodeHash returns the hash of an inner node: SHA-256(0x01 || left || right).
func NodeHash(left, right Hash) Hash { return Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right))) }

// emptyRoot is the root of a log without entries: SHA-256 of nothing.
var emptyRoot = Hash{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// strictBase64 decodes standard base64 with padding and refuses line breaks and set trailing bits, so
// that each byte string has one spelling.
func strictBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && base64.StdEncoding.EncodeToString(b) != s {
		err = base64.CorruptInputError(0)
	}
	return b, err
}

// clip shortens a hostile text for an error message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}
