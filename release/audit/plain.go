package audit

import (
	"strings"
	"unicode"
)

// plain makes text from an event safe to show: a publisher must not be able to move the cursor, turn
// text around or hide a line in what an auditor reads before signing.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// plainLines is plain for text of several lines.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = plain(strings.TrimRight(strings.ReplaceAll(l, "\t", "    "), "\r"))
	}
	return strings.Join(lines, "\n")
}

// oneLine makes text of any origin into one printable line of at most max bytes, as statements want it.
func oneLine(s string, max int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= max {
		return s
	}
	const dots = " …"
	cut := max - len(dots)
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return s[:cut] + dots
}
