// Package directory turns telephone numbers into the tokens of contact discovery (section 6.6 of the wire specification).
//
// The token hides nothing: all numbers can be tried in minutes. It exists so that servers and clients of the TextSecure family can ask each
// other; our own clients leave discovery by number off.
package directory

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"

	"github.com/countersign-project/countersign/messenger/refusal"
)

// TokenSize is the length of a token in bytes.
const TokenSize = 10

// Token is the first ten bytes of SHA-1 over the E.164 text, plus sign included.
type Token [TokenSize]byte

// NewToken computes the token of a number.
func NewToken(number string) (t Token) {
	sum := sha1.Sum([]byte(number))
	copy(t[:], sum[:])
	return t
}

// String returns the form in URLs and JSON: base64 without padding.
func (t Token) String() string { return base64.RawStdEncoding.EncodeToString(t[:]) }

// ParseToken reads a token in base64, standard or URL-safe, with or without padding: peers differ.
func ParseToken(s string) (t Token, err error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil || len(b) != TokenSize {
		return t, refusal.Because(refusal.InvalidMessage, "directory token %.40q", s)
	}
	copy(t[:], b)
	return t, nil
}

// ValidNumber tells whether a text is "+" and 10 to 15 digits (6.1).
func ValidNumber(s string) bool {
	if len(s) < 11 || len(s) > 16 || s[0] != '+' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
