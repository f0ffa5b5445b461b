package genuine

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// The kinds of cosignature (C2SP tlog-cosignature) and the length of their public keys.
const (
	cosignatureEd25519 = 0x04
	cosignatureMLDSA44 = 0x06
	lengthMLDSA44      = 1312
)

// parseWitness reads a note verifier key of a witness, "<name>+<hash>+<base64 of kind and key>", where the
// hash is the first four bytes of the SHA-256 of name, newline, kind and key.
func parseWitness(vkey string) (kind byte, key string, err error) {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, text, ok := strings.Cut(rest, "+")
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if name == "" || strings.ContainsFunc(vkey, func(r rune) bool { return r <= ' ' || r > '~' }) || !ok || err != nil || len(b) == 0 {
		return 0, "", fmt.Errorf("witness key %.60q, want name+hash+key", vkey)
	}
	sum := sha256.Sum256([]byte(name + "\n" + string(b)))
	if want := fmt.Sprintf("%08x", binary.BigEndian.Uint32(sum[:4])); hash != want {
		return 0, "", fmt.Errorf("witness key %.60q has hash %.8q, its name and key make %q", vkey, hash, want)
	}
	want := map[byte]int{cosignatureEd25519: ed25519.PublicKeySize, cosignatureMLDSA44: lengthMLDSA44}[b[0]]
	if want == 0 || len(b) != 1+want {
		return 0, "", fmt.Errorf("witness key %.60q is of kind %d and %d bytes, want an Ed25519 (4) or ML-DSA-44 (6) cosignature key", vkey, b[0], len(b)-1)
	}
	return b[0], string(b[1:]), nil
}
