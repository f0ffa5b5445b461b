package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Algorithm is the first byte of a verifier key (C2SP signed-note, "signature types").
type Algorithm byte

// The algorithms that are used here.
const (
	Ed25519     Algorithm = 1 // signs notes: the log's own signature
	Ed25519Cosi Algorithm = 4 // cosignature/v1 with a time: a witness
	MLDSA44     Algorithm = 6 // ML-DSA-44 cosignature with a time: a witness, also against quantum computers
)

func (a Algorithm) String() string {
	switch a {
	case Ed25519:
		return "Ed25519"
	case Ed25519Cosi:
		return "Ed25519 cosignature"
	case MLDSA44:
		return "ML-DSA-44 cosignature"
	}
	return fmt.Sprintf("unknown algorithm %d", byte(a))
}

// size is the length of a public key, in bytes.
func (a Algorithm) size() int {
	switch a {
	case Ed25519, Ed25519Cosi:
		return 32
	case MLDSA44:
		return 1312
	}
	return -1
}

// Key is a verifier key in the form "name+hash+base64" (C2SP signed-note, "verifier keys"; vkey).
type Key struct {
	Name      string    // 1 to 200 printable ASCII characters without space and plus
	Algorithm Algorithm // Ed25519, Ed25519Cosi or MLDSA44
	Public    string    // the raw public key: 32 or 1312 bytes, not text
}

// keyName is stricter than the note format: one alphabet, so that no two names look alike; and short
// enough for the one length byte that ML-DSA cosignatures have for it.
var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@~-]{0,199}$`)

// ParseKey reads a verifier key and refuses any text that String would not print, an unknown algorithm,
// a wrong hash, and the few Ed25519 keys for which anybody can sign.
func ParseKey(vkey string) (Key, error) {
	bad := func(format string, args ...any) (Key, error) {
		return Key{}, fmt.Errorf("key %q: %s", clip(vkey), fmt.Sprintf(format, args...))
	}
	parts := strings.Split(vkey, "+")
	if len(parts) < 3 {
		return bad("want name+hash+base64")
	}
	raw, err := strictBase64(strings.Join(parts[2:], "+")) // base64 has a plus of its own
	if err != nil || len(raw) == 0 {
		return bad("the last part is not base64")
	}
	k := Key{parts[0], Algorithm(raw[0]), string(raw[1:])}
	if err := k.check(); err != nil {
		return bad("%v", err)
	}
	if k.String() != vkey {
		return bad("hash %q, want %08x", parts[1], k.Hash())
	}
	return k, nil
}

// NewKey returns the key of that name, algorithm and raw public key.
func NewKey(name string, a Algorithm, public []byte) (Key, error) {
	k := Key{name, a, string(public)}
	if err := k.check(); err != nil {
		return Key{}, fmt.Errorf("key %q: %w", clip(name), err)
	}
	return k, nil
}

func (k Key) check() error {
	switch {
	case !keyName.MatchString(k.Name):
		return fmt.Errorf("name %q, want 1 to 200 of letters, digits and . _ / : @ ~ -", clip(k.Name))
	case k.Algorithm.size() < 0:
		return fmt.Errorf("%v, want 1 (Ed25519), 4 (Ed25519 cosignature) or 6 (ML-DSA-44 cosignature)", k.Algorithm)
	case len(k.Public) != k.Algorithm.size():
		return fmt.Errorf("%d bytes for %v, want %d", len(k.Public), k.Algorithm, k.Algorithm.size())
	case k.Algorithm != MLDSA44 && weakEd25519(k.Public):
		return fmt.Errorf("an Ed25519 key for which anybody can sign")
	}
	return nil
}

// Hash returns the key ID: the first four bytes of SHA-256(name || newline || algorithm || public key).
func (k Key) Hash() uint32 {
	sum := sha256.Sum256(slices.Concat([]byte(k.Name+"\n"), []byte{byte(k.Algorithm)}, []byte(k.Public)))
	return binary.BigEndian.Uint32(sum[:])
}

// Same reports whether two keys are the same public key, whatever they are called and used for.
func (k Key) Same(other Key) bool { return k.Public == other.Public }

// String prints the key as ParseKey reads it.
func (k Key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.Name, k.Hash(), base64.StdEncoding.EncodeToString(append([]byte{byte(k.Algorithm)}, k.Public...)))
}

// Verifier returns what golang.org/x/mod/sumdb/note checks this key's signatures with.
func (k Key) Verifier() (note.Verifier, error) {
	if k.Algorithm == Ed25519 {
		return note.NewVerifier(k.String())
	}
	return fnote.NewVerifierForCosignatureV1(k.String())
}

// weakEd25519 reports whether a public key is a point of small order, whose signatures anybody can
// make, or not the canonical encoding of its point (only for those do two encodings matter).
func weakEd25519(public string) bool {
	b := []byte(public)
	b[31] &= 0x7f // the sign of x says nothing about the order
	if b[0] >= 0xed && b[31] == 0x7f && !slices.ContainsFunc(b[1:31], func(c byte) bool { return c != 0xff }) {
		return true // y is p or more
	}
	for _, y := range []string{
		"\x00" + zeros, "\x01" + zeros, // order 4 and 1
		"\xec" + strings.Repeat("\xff", 30) + "\x7f", // order 2
		"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05", // order 8
		"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a", // order 8
	} {
		if string(b) == y {
			return true
		}
	}
	return false
}

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
