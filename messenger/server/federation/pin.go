package federation

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Pin is SHA-256 of a public key's SubjectPublicKeyInfo in DER (RFC 7469, 2.4).
type Pin [sha256.Size]byte

const pinPrefix = "sha256:"

// PinOf returns the pin of the key that a certificate is for.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// String returns the form in settings: "sha256:" and 64 hexadecimal digits.
func (p Pin) String() string { return pinPrefix + hex.EncodeToString(p[:]) }

// ParsePin reads what String writes.
func ParsePin(s string) (p Pin, err error) {
	digits, ok := strings.CutPrefix(s, pinPrefix)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(p) {
		return p, fmt.Errorf("%.80q is no pin: want %s and %d hexadecimal digits, as 'messengerd peer key' prints it", s, pinPrefix, 2*len(p))
	}
	copy(p[:], b)
	return p, nil
}
