package tui

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Safe drops what a message could do to a terminal: control characters, and those that turn the direction of writing. Line ends and tabs stay.
func Safe(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}

// name is a text for one line, such as what somebody calls himself, at most width columns of it.
func name(s string, width int) string {
	return ansi.Truncate(strings.Join(strings.Fields(Safe(s)), " "), width, "…")
}

// maxShown bounds how much of one message is drawn, in bytes; who wrote more cannot make the terminal slow.
const maxShown = 16 << 10

// wrapped is a text in lines of at most width columns.
func wrapped(s string, width int) []string {
	cut := ""
	if len(s) > maxShown {
		s, cut = strings.ToValidUTF8(s[:maxShown], ""), "\n… (the rest: messenger messages --json)"
	}
	s = strings.ReplaceAll(Safe(s+cut), "\t", "    ")
	return strings.Split(ansi.Wrap(s, max(width, 4), ""), "\n")
}

// fit is a drawn line of exactly width columns.
func fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	if n := ansi.StringWidth(s); n < width {
		return s + strings.Repeat(" ", width-n)
	} else if n > width {
		s = ansi.Truncate(s, width, "…")
		return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
	}
	return s
}
