package wire

import "unicode/utf8"

const (
	// MaxBody is the longest Data.Body in bytes. A longer text travels whole as an attachment of type LongText, and its beginning in the body.
	MaxBody = 2_000
	// LongText is the content type of such an attachment (11.3).
	LongText = "text/x-signal-plain"
)

// CutBody returns what fits into a body, cut between characters, and whether the text needs an attachment.
func CutBody(text string) (body string, long bool) {
	if len(text) <= MaxBody {
		return text, false
	}
	n := MaxBody
	for n > MaxBody-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n], true
}
