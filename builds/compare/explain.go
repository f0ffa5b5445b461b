package compare

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"
)

func sum(b []byte) Sum { return sha256.Sum256(b) }

// Explain says why two unequal files differ: a cause in one line, and details with the most telling
// first. It knows programs made by Go, tar archives and text; it takes well under a second for programs
// of tens of megabytes.
func Explain(want, got []byte) (cause string, details []string) {
	short, long := want, got
	if len(got) < len(want) {
		short, long = got, want
	}
	if bytes.HasPrefix(long, short) {
		if len(got) < len(want) {
			return fmt.Sprintf("cut short: the last %d bytes are missing", len(want)-len(got)), nil
		}
		return fmt.Sprintf("%d bytes too many at the end", len(got)-len(want)), nil
	}
	a, b := kind(want), kind(got)
	switch {
	case a != b:
		return fmt.Sprintf("another kind of file: want %s, got %s", a, b), nil
	case a == "tar archive":
		return explainTar(want, got)
	case a == "text":
		return explainText(want, got)
	case a == "data":
		return "data differs", []string{excerpt(want, got)}
	}
	return explainProgram(want, got)
}

// kind recognises a file by its first bytes.
func kind(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		return "ELF program"
	case bytes.HasPrefix(b, []byte("\xcf\xfa\xed\xfe")):
		return "Mach-O program"
	case bytes.HasPrefix(b, []byte("MZ")):
		return "PE program"
	case len(b) >= 512 && string(b[257:262]) == "ustar":
		return "tar archive"
	case !bytes.Contains(b, []byte{0}) && utf8.Valid(b):
		return "text"
	}
	return "data"
}

// excerpt shows a few bytes of both around the first difference.
func excerpt(want, got []byte) string {
	at := int(firstDifference(want, got))
	cut := func(b []byte) []byte { return b[max(0, at-8):min(len(b), at+24)] }
	return fmt.Sprintf("at byte %d: want %q, got %q", at, cut(want), cut(got))
}

// explainText names the first line that differs.
func explainText(want, got []byte) (string, []string) {
	if bytes.Equal(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")), bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))) {
		return "line ends differ (CRLF or LF)", nil
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d differs", i+1), []string{fmt.Sprintf("want %s", quote(a[i])), fmt.Sprintf("got  %s", quote(b[i]))}
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(a), len(b)), nil
}

// quote shows a line without its control characters, cut to a readable length.
func quote(s string) string {
	const longest = 120
	if len(s) > longest {
		return fmt.Sprintf("%q…", s[:longest])
	}
	return fmt.Sprintf("%q", s)
}
