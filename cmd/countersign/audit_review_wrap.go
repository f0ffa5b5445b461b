package main

import (
	"strings"
	"unicode"
)

// wrapLine breaks a line into screen lines of at most that many columns, so that nothing of it is hidden. Our
// own colour sequences take no room and go on behind a break.
func wrapLine(line string, width int) []string {
	var out []string
	var b strings.Builder
	colour, columns := "", 0
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end := i + strings.IndexByte(line[i:], 'm') + 1
			code := line[i:end]
			b.WriteString(code)
			if colour = code; code == ansiReset {
				colour = ""
			}
			i = end
			continue
		}
		r := []rune(line[i:min(len(line), i+4)])[0]
		n := columnsOf(r)
		if columns+n > width {
			out = append(out, b.String()+ansiReset)
			b.Reset()
			b.WriteString(colour)
			columns = 0
		}
		b.WriteRune(r)
		columns += n
		i += len(string(r))
	}
	return append(out, b.String())
}

// cut shortens plain text to a number of columns.
func cut(s string, width int) string {
	if lines := wrapLine(s, width-1); len(lines) > 1 {
		return strings.TrimSuffix(lines[0], ansiReset) + "…"
	}
	return s
}

// columnsOf is how many columns a character takes, rather one too many: East Asian and pictures take two.
func columnsOf(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case r >= 0x1100 && !(r >= 0x2000 && r < 0x2E80):
		return 2
	}
	return 1
}
