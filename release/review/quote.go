package review

import (
	"fmt"
	"strings"
)

// Quote writes a path as git does with core.quotePath: as it is when every byte is printable ASCII and
// neither a double quote nor a backslash, otherwise in double quotes with C escapes.
func Quote(path string) string {
	var b strings.Builder
	special := false
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= 0x20 && c < 0x7f:
			b.WriteByte(c)
			continue
		case c >= '\a' && c <= '\r':
			b.WriteByte('\\')
			b.WriteByte("abtnvfr"[c-'\a'])
		default:
			fmt.Fprintf(&b, "\\%03o", c)
		}
		special = true
	}
	if !special {
		return path
	}
	return `"` + b.String() + `"`
}
