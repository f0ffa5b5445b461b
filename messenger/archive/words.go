package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Seed is the secret behind a backup: 128 random bits.
type Seed [16]byte

// String returns nothing.
func (Seed) String() string { return "" }

// Format prints nothing, whatever the verb.
func (Seed) Format(fmt.State, rune) {}

// NewSeed draws a seed.
func NewSeed(rand io.Reader) (s Seed, err error) {
	_, err = io.ReadFull(rand, s[:])
	return s, err
}

// A word is a proquint (arXiv:0901.4016): 16 bits as consonant, vowel, consonant, vowel, consonant, of 4, 2, 4, 2, 4 bits. It can be read aloud, and
// no list of words is needed to read it back.
const (
	consonants = "bdfghjklmnprstvz"
	vowels     = "aiou"
)

func word(n uint16) string {
	return string([]byte{consonants[n>>12], vowels[n>>10&3], consonants[n>>6&15], vowels[n>>4&3], consonants[n&15]})
}

func parseWord(s string) (n uint16, ok bool) {
	if len(s) != 5 {
		return 0, false
	}
	for i := range 5 {
		letters, bits := consonants, 4
		if i%2 == 1 {
			letters, bits = vowels, 2
		}
		k := strings.IndexByte(letters, s[i])
		if k < 0 {
			return 0, false
		}
		n = n<<bits | uint16(k)
	}
	return n, true
}

// check is the ninth word's value.
func (s Seed) check() uint16 {
	sum := sha256.Sum256(append([]byte("Countersign backup words"), s[:]...))
	return binary.BigEndian.Uint16(sum[:])
}

// Words are the nine words to be written down.
func (s Seed) Words() string {
	var out []string
	for i := 0; i < len(s); i += 2 {
		out = append(out, word(binary.BigEndian.Uint16(s[i:])))
	}
	return strings.Join(append(out, word(s.check())), " ")
}

// ParseWords reads them back, whatever stands between them, in any case.
func ParseWords(text string) (s Seed, err error) {
	list := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' })
	if len(list) != len(s)/2+1 {
		return s, fmt.Errorf("%d recovery words, want %d", len(list), len(s)/2+1)
	}
	for i, w := range list {
		n, ok := parseWord(w)
		switch {
		case !ok:
			return Seed{}, fmt.Errorf("recovery word %d is not one: want five letters such as %q", i+1, word(0x7f00))
		case i < len(s)/2:
			binary.BigEndian.PutUint16(s[2*i:], n)
		case n != s.check():
			return Seed{}, fmt.Errorf("the recovery words do not fit together: one is wrong, or two are swapped")
		}
	}
	return s, nil
}
