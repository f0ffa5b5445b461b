package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// Bytes are written as standard base64 without padding, which all peers read, and read in any of the forms that peers write:
// with or without padding, standard or URL-safe alphabet, with line ends between (janimo leaves padding off, Android wraps lines).
type Bytes []byte

// plain maps every accepted form to the standard alphabet without padding.
var plain = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", "\\n", "")

// ParseBytes reads tolerant base64.
func ParseBytes(s string) (Bytes, error) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain.Replace(s), "="))
	if err != nil {
		return nil, fmt.Errorf("%.20q is not base64", s)
	}
	return b, nil
}

// String returns what is written into JSON and URLs.
func (b Bytes) String() string { return base64.RawStdEncoding.EncodeToString(b) }

// MarshalJSON writes base64; nothing at all is null, as the peers write it.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return []byte(`"` + b.String() + `"`), nil
}

// UnmarshalJSON reads a text in tolerant base64, or null.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	if got, ok := clean(text); ok {
		*b = got
		return nil
	}
	var s *string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	if s == nil {
		*b = nil
		return nil
	}
	got, err := ParseBytes(*s)
	*b = got
	return err
}

// clean reads the form that nearly all have: a JSON text with nothing but the standard alphabet and padding. What it cannot read, the long way may.
func clean(text []byte) (Bytes, bool) {
	if len(text) < 2 || text[0] != '"' || bytes.IndexByte(text, '\\') >= 0 {
		return nil, false
	}
	in := bytes.TrimRight(text[1:len(text)-1], "=")
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(in)))
	n, err := base64.RawStdEncoding.Decode(out, in)
	return out[:n], err == nil
}
