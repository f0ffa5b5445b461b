// Package colour finds the words, strings and comments of a source text, so that they can be shown in
// colours. It is the door for chroma. What it returns is the text, byte for byte, only cut into spans: a
// text that chroma would change in any way, or that is large, comes back without colours.
package colour

import (
	"path"
	"slices"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// Class is what a span is.
type Class string

// The classes; they are CSS classes too.
const (
	Plain   Class = ""
	Keyword Class = "kw"
	Name    Class = "fn" // of functions and types, where it is known
	String  Class = "st"
	Number  Class = "nu"
	Comment Class = "co"
)

// Span is a piece of one line.
type Span struct {
	Class Class
	Text  string
}

// Limits of what is coloured, in bytes: the expressions of a lexer can be slow on what they were not
// made for.
const (
	maxText = 512 << 10
	maxLine = 2000
)

// Lines cuts a text into lines (without their ends) and spans. Name is the file's path, by whose last
// part the language is known.
func Lines(name string, text []byte) [][]Span {
	if len(text) <= maxText && !slices.ContainsFunc(strings.Split(string(text), "\n"), func(l string) bool { return len(l) > maxLine }) {
		if lexer := lexers.Match(path.Base(name)); lexer != nil {
			if lines := coloured(lexer, string(text)); lines != nil {
				return lines
			}
		}
	}
	var out [][]Span
	for line := range strings.Lines(string(text)) {
		out = append(out, []Span{{Plain, strings.TrimSuffix(line, "\n")}})
	}
	return out
}

// coloured returns nil when the lexer does not give the text back as it was.
func coloured(lexer chroma.Lexer, text string) [][]Span {
	tokens, err := lexer.Tokenise(&chroma.TokeniseOptions{State: "root"}, text)
	if err != nil {
		return nil
	}
	out := [][]Span{nil}
	var again strings.Builder
	for token := tokens(); token != chroma.EOF; token = tokens() {
		again.WriteString(token.Value)
		class := classOf(token.Type)
		for i, part := range strings.Split(token.Value, "\n") {
			if i > 0 {
				out = append(out, nil)
			}
			if last := len(out) - 1; part != "" {
				out[last] = append(out[last], Span{class, part})
			}
		}
	}
	got := again.String()
	if got != text && got != text+"\n" { // some lexers end the last line
		return nil
	}
	if got == text+"\n" || strings.HasSuffix(text, "\n") || text == "" {
		out = out[:len(out)-1] // the empty one behind the last line end
	}
	return out
}

func classOf(t chroma.TokenType) Class {
	switch {
	case t.InCategory(chroma.Comment):
		return Comment
	case t.InCategory(chroma.Keyword):
		return Keyword
	case t.InSubCategory(chroma.LiteralString):
		return String
	case t.InSubCategory(chroma.LiteralNumber):
		return Number
	case t == chroma.NameFunction, t == chroma.NameClass, t == chroma.NameTag, t == chroma.NameBuiltin:
		return Name
	}
	return Plain
}

// Of returns the spans of one line of a diff, out of the whole files before and after; numbers count from
// 1, 0 is none. A line that is not what the file has there comes back plain.
func Of(text []byte, removed bool, oldNumber, newNumber int, before, after [][]Span) []Span {
	lines, n := after, newNumber
	if removed {
		lines, n = before, oldNumber
	}
	if n >= 1 && n <= len(lines) {
		var joined strings.Builder
		for _, s := range lines[n-1] {
			joined.WriteString(s.Text)
		}
		if joined.String() == string(text) {
			return lines[n-1]
		}
	}
	return []Span{{Plain, string(text)}}
}
