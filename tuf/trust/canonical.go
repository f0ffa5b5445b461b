package trust

import (
	"sort"
	"strconv"
	"strings"
)

// canonical renders a value as OLPC canonical JSON, the bytes TUF signs: names
// sorted by byte, no white space, only quote and backslash escaped. It works
// on the tree of the received bytes, not on a structure filled from them, so
// that nothing a reader would drop is left out of what was signed; the engine
// works the other way round, and both must find the same signatures valid.
func canonical(v value) []byte {
	var b strings.Builder
	writeCanonical(&b, v)
	return []byte(b.String())
}

var canonicalEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func writeCanonical(b *strings.Builder, v value) {
	switch v.kind {
	case isNull:
		b.WriteString("null")
	case isBool:
		b.WriteString(strconv.FormatBool(v.yes))
	case isInteger:
		b.WriteString(strconv.FormatInt(v.number, 10))
	case isString:
		writeCanonicalText(b, v.text)
	case isArray:
		b.WriteByte('[')
		for i, item := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonical(b, item)
		}
		b.WriteByte(']')
	case isObject:
		names := make([]string, 0, len(v.fields))
		for name := range v.fields {
			names = append(names, name)
		}
		sort.Strings(names)
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonicalText(b, name)
			b.WriteByte(':')
			writeCanonical(b, v.fields[name])
		}
		b.WriteByte('}')
	}
}

func writeCanonicalText(b *strings.Builder, s string) {
	b.WriteByte('"')
	canonicalEscapes.WriteString(b, s)
	b.WriteByte('"')
}
