package history

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/countersign-project/countersign/messenger/store"
)

// A gram is three characters that follow one another in a word of a folded text; the word's last two are followed by ends. So each place in a word
// begins exactly one gram, and a search for one or two characters is one for all grams that begin so. There are no blanks to rely on: a text
// without any, as in Chinese, is one long word.
const end = '\x00'

// indexForm names how grams are made: with another folding, or other tables of characters, an index is made anew.
const indexForm = "grams 1, Unicode " + unicode.Version + " " + norm.Version

// fold makes texts that differ in case, accents, or width only the same: canonical and compatible forms taken apart, accents taken off, in lower case.
func fold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		if r >= 0x300 && r < 0x370 || r == end { // combining diacritical marks
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, norm.NFKD.String(s))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == end {
			return false
		}
	}
	return true
}

// grams calls f for every gram of a folded text, with repetitions.
func grams(text string, f func(gram [3]rune)) {
	for word := range strings.FieldsSeq(text) {
		var g [3]rune
		n := 0
		for _, r := range word {
			if g = [3]rune{g[1], g[2], r}; n >= 2 {
				f(g)
			}
			n++
		}
		if n >= 2 {
			f([3]rune{g[1], g[2], end})
		}
		f([3]rune{g[2], end, end})
	}
}

// partOf spreads grams over the parts of an index by their first two characters.
func partOf(a, b rune) int {
	var key [8]byte
	binary.BigEndian.PutUint32(key[:], uint32(a))
	binary.BigEndian.PutUint32(key[4:], uint32(b))
	h := fnv.New32a()
	h.Write(key[:])
	sum := h.Sum32()
	return int((sum ^ sum>>16) % store.SegmentParts)
}

// set is the messages of a segment in which something is, by the number within the segment.
type set [store.SegmentSize / 64]uint64

func (s *set) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *set) has(n int) bool { return s[n/64]&(1<<(n%64)) != 0 }

func (s *set) and(o *set) {
	for i := range s {
		s[i] &= o[i]
	}
}

func (s *set) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// draft is the index of a segment while it is made: grams by part, each with the messages it is in.
type draft [store.SegmentParts]map[[3]rune][]uint16

func (d *draft) add(n int, text string) {
	grams(text, func(g [3]rune) {
		p := partOf(g[0], g[1])
		if d[p] == nil {
			d[p] = map[[3]rune][]uint16{}
		}
		if list := d[p][g]; len(list) == 0 || list[len(list)-1] != uint16(n) {
			d[p][g] = append(list, uint16(n))
		}
	})
}

// Form of a part: grams in order, each the three characters in UTF-8 ‖ kind u8 ‖ the messages. Kind 0: they are the bits of a set, big-endian
// words. Otherwise they are so many numbers in uvarints: kind 255 is followed by how many, a smaller one says it; the first number, then
// each less the one before.
const (
	kindSet  = 0
	kindMany = 255
)

// parts writes a draft down.
func (d *draft) parts() (out [store.SegmentParts][]byte) {
	for i, entries := range d {
		var keys [][3]rune
		for g := range entries {
			keys = append(keys, g)
		}
		slices.SortFunc(keys, func(a, b [3]rune) int { return slices.Compare(a[:], b[:]) })
		for _, g := range keys {
			for _, r := range g {
				out[i] = utf8.AppendRune(out[i], r)
			}
			out[i] = appendNumbers(out[i], entries[g])
		}
	}
	return out
}

func appendNumbers(b []byte, list []uint16) []byte {
	begin := len(b)
	if len(list) < kindMany {
		b = append(b, byte(len(list)))
	} else {
		b = binary.AppendUvarint(append(b, kindMany), uint64(len(list)))
	}
	before := uint16(0)
	for _, n := range list {
		b = binary.AppendUvarint(b, uint64(n-before))
		before = n
	}
	if len(b)-begin <= 1+store.SegmentSize/8 {
		return b
	}
	var s set
	for _, n := range list {
		s.add(int(n))
	}
	b = append(b[:begin], kindSet)
	for _, w := range s {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return b
}

var errPart = errors.New("the index of messages is damaged")

// find adds the messages to s in which a gram is that begins with these characters.
func find(part []byte, prefix []rune, s *set) error {
	for len(part) > 0 {
		match := true
		for i := range 3 {
			r, size := utf8.DecodeRune(part)
			if size == 0 {
				return errPart
			}
			part = part[size:]
			match = match && (i >= len(prefix) || prefix[i] == r)
		}
		var err error
		if part, err = readNumbers(part, match, s); err != nil {
			return err
		}
	}
	return nil
}

func readNumbers(b []byte, match bool, s *set) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, errPart
	}
	count := uint64(b[0])
	b = b[1:]
	switch count {
	case kindSet:
		if len(b) < store.SegmentSize/8 {
			return nil, errPart
		}
		for i := range s {
			if match {
				s[i] |= binary.BigEndian.Uint64(b[8*i:])
			}
		}
		return b[store.SegmentSize/8:], nil
	case kindMany:
		n := 0
		if count, n = binary.Uvarint(b); n <= 0 || count > store.SegmentSize {
			return nil, errPart
		}
		b = b[n:]
	}
	at := uint64(0)
	for range count {
		d, n := binary.Uvarint(b)
		if n <= 0 || d >= store.SegmentSize {
			return nil, errPart
		}
		if at += d; at >= store.SegmentSize {
			return nil, errPart
		}
		b = b[n:]
		if match {
			s.add(int(at))
		}
	}
	return b, nil
}
