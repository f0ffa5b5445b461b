package review

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Piece is a stretch of a line. Strange ones stand for bytes that would not show, or would make what is
// around them show as something else: they are spelled out, and should look different.
type Piece struct {
	Text    string
	Strange bool
}

// blank are letters to Unicode and nothing to the eye.
var blank = map[rune]bool{'\u115F': true, '\u1160': true, '\u17B4': true, '\u17B5': true, '\u2800': true, '\u3164': true, '\uFFA0': true}

// maxMarks is how many combining marks may follow a letter; towers of them cover the lines around.
const maxMarks = 2

// Visible splits a line into pieces that are safe to show anywhere: control and escape characters, those
// that turn the direction of text or hide it, blanks that are none, and bytes that are not UTF-8 come
// out as <1b>, <U+202E>, <ff>. Tabs stay tabs.
func Visible(line []byte) []Piece {
	var out []Piece
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			out = append(out, Piece{Text: plain.String()})
			plain.Reset()
		}
	}
	marks := 0
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		if name := strange(r, line[:n], marks); name != "" {
			flush()
			out = append(out, Piece{name, true})
		} else {
			plain.WriteRune(r)
		}
		line = line[n:]
	}
	flush()
	return out
}

// strange names a character that is not shown as it is, "" for all others.
func strange(r rune, raw []byte, marks int) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf("<%02x>", raw[0])
	case r == '\t':
		return ""
	case r == '\r':
		return "<CR>"
	case r < 0x20 || r == 0x7f:
		return fmt.Sprintf("<%02x>", r)
	case !unicode.IsPrint(r), blank[r], marks > maxMarks:
		return fmt.Sprintf("<U+%04X>", r)
	}
	return ""
}

// VisibleText is Visible as one string, for names and notes.
func VisibleText(s string) string {
	var b strings.Builder
	for _, p := range Visible([]byte(s)) {
		b.WriteString(p.Text)
	}
	return b.String()
}

// deceptive reports whether a line has characters that show as something else than they are. A carriage
// return at its end is only another system's habit.
func deceptive(line []byte) bool {
	for _, p := range Visible([]byte(strings.TrimSuffix(string(line), "\r"))) {
		if p.Strange {
			return true
		}
	}
	return false
}
