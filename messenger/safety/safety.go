// Package safety computes safety numbers: what two people compare to be sure that nobody sits between them (section 5 of the
// wire specification).
//
// A number is made of both identity keys and both identifiers. A server, or whoever else hands out keys, that puts itself
// between two people makes the two see different numbers, and cannot find a key with the right one: the 5 200 hashes make
// each try expensive, and the 30 digits per side hold some 99 bits.
package safety

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/wire"
)

// iterations is the number of hashes, the first included.
const iterations = 5200

// Person is one side: the identifier as agreed for the version (the E.164 text, or the account's UUID bytes), and the identity key.
type Person struct {
	ID  []byte
	Key keys.Public
}

// Number is the safety number of two people, from one side's view.
type Number struct {
	version       uint32
	local, remote [32]byte
}

// New computes a number. Version is that of the scannable form, 1 or 2. It takes some milliseconds, on purpose.
func New(version uint32, local, remote Person) Number {
	return Number{version, hash(local), hash(remote)}
}

// hash is the iterated hash of one side, cut to the 32 bytes that are used.
func hash(p Person) (out [32]byte) {
	key := p.Key.Bytes()
	h := sha512.New()
	h.Write([]byte{0, 0})
	h.Write(key)
	h.Write(p.ID)
	h.Write(key)
	sum := h.Sum(nil)
	for range iterations - 1 {
		h.Reset()
		h.Write(sum)
		h.Write(key)
		sum = h.Sum(sum[:0])
	}
	copy(out[:], sum)
	return out
}

// Digits returns the 60 digits, the same on both sides.
func (n Number) Digits() string {
	a, b := digits(n.local), digits(n.remote)
	if a > b {
		a, b = b, a
	}
	return a + b
}

// Groups returns the digits as they are shown and read aloud: 12 groups of 5.
func (n Number) Groups() []string {
	d := n.Digits()
	groups := make([]string, 0, 12)
	for i := 0; i < len(d); i += 5 {
		groups = append(groups, d[i:i+5])
	}
	return groups
}

// digits turns 30 bytes into 30 digits: each 5 bytes, big-endian, modulo 100 000.
func digits(h [32]byte) string {
	var s strings.Builder
	for i := 0; i < 30; i += 5 {
		v := uint64(0)
		for _, b := range h[i : i+5] {
			v = v<<8 | uint64(b)
		}
		fmt.Fprintf(&s, "%05d", v%100_000)
	}
	return s.String()
}

// Scannable returns the bytes of the QR code.
func (n Number) Scannable() []byte {
	return wire.Scannable{Version: n.version, Local: n.local, Remote: n.remote}.Encode()
}

// VersionError says that the other app makes codes of another version. It proves nothing about the keys.
type VersionError struct{ Ours, Theirs uint32 }

func (e *VersionError) Error() string {
	if e.Theirs < e.Ours {
		return fmt.Sprintf("the other app is older: its code has version %d, ours %d", e.Theirs, e.Ours)
	}
	return fmt.Sprintf("the other app is newer: its code has version %d, ours %d", e.Theirs, e.Ours)
}

// MismatchError says that the codes do not belong to the same two keys and identifiers. Somebody may be in between.
type MismatchError struct {
	// Key of the person we talk to is another than the one their app shows as its own.
	Theirs bool
	// Key their app has for us is not ours.
	Ours bool
}

func (e *MismatchError) Error() string {
	switch {
	case e.Theirs && e.Ours:
		return "safety numbers differ: neither key is the one the other side has"
	case e.Theirs:
		return "safety numbers differ: the key we have for them is not theirs"
	}
	return "safety numbers differ: the key they have for us is not ours"
}

// Refused is true.
func (e *MismatchError) Refused() bool { return true }

// Compare checks a scanned code against ours, crosswise and in constant time: nil means verified.
func (n Number) Compare(scanned []byte) error {
	s, err := wire.ParseScannable(scanned)
	if err != nil {
		return err
	}
	if s.Version != n.version {
		return &VersionError{Ours: n.version, Theirs: s.Version}
	}
	theirs := subtle.ConstantTimeCompare(s.Local[:], n.remote[:])
	ours := subtle.ConstantTimeCompare(s.Remote[:], n.local[:])
	if theirs&ours != 1 {
		return &MismatchError{Theirs: theirs != 1, Ours: ours != 1}
	}
	return nil
}

// CompareDigits checks 60 digits typed or pasted by a person, who may have put blanks anywhere.
func (n Number) CompareDigits(typed string) bool {
	typed = strings.Join(strings.Fields(typed), "")
	return subtle.ConstantTimeCompare([]byte(typed), []byte(n.Digits())) == 1
}

// Equal tells whether two numbers are the same, for instance before and after a reinstallation.
func (n Number) Equal(o Number) bool {
	return n.version == o.version && bytes.Equal(n.local[:], o.local[:]) && bytes.Equal(n.remote[:], o.remote[:])
}
