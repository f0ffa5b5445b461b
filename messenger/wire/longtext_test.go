package wire_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/countersign-project/countersign/messenger/wire"
)

func TestCutBody(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		long bool
	}{
		{"", 0, false},
		{strings.Repeat("x", 2000), 2000, false},
		{strings.Repeat("x", 2001), 2000, true},
		{strings.Repeat("x", 1999) + "é", 1999, true},
		{strings.Repeat("x", 1998) + "é!", 2000, true},
		{strings.Repeat("😀", 600), 2000, true},
		{"x" + strings.Repeat("😀", 600), 1997, true},
		{strings.Repeat("\x80", 2100), 1996, true}, // not a text; cut somewhere
	} {
		body, long := wire.CutBody(test.text)
		if len(body) != test.n || long != test.long || !strings.HasPrefix(test.text, body) {
			t.Errorf("%d bytes cut to %d, %v", len(test.text), len(body), long)
		}
		if utf8.ValidString(test.text) && !utf8.ValidString(body) {
			t.Error("a character was cut in two")
		}
	}
}
