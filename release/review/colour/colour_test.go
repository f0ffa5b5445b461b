package colour

import (
	"fmt"
	"strings"
	"testing"
)

func TestGo(t *testing.T) {
	got := Lines("x/main.go", []byte("package main // hi\n\nfunc f() int { return len(\"a\") + 12 }\n"))
	want := "[[{kw package} { } { main} { } {co // hi}] [] [{kw func} { } {fn f} { (} { )} { } {kw int} { } { {} { } {kw return} { } {fn len} { (} {st \"a\"} { )} { } { +} { } {nu 12} { } { }}]]"
	if s := fmt.Sprint(got); flat(s) != flat(want) {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// flat makes the comparison independent of how punctuation is cut.
func flat(s string) string {
	return strings.NewReplacer("{ ", "", "} ", "", "}", "", " ", "").Replace(s)
}

// Whatever the language and the bytes, joining the spans gives the text again.
func TestNothingChanges(t *testing.T) {
	for _, name := range []string{"a.go", "a.md", "a.json", "a.toml", "a.sh", "Makefile", "a.html", "a.js", "a.css", "a.proto", "a.yaml", "a.py", "a.txt", "a", "go.mod"} {
		for _, text := range []string{"", "\n", "a", "a\n", "a\r\nb\r\n", "\xff\xfe\n", "a\x00b\n", "\"unclosed\n", "/* open", "x\n\n\n", strings.Repeat("(", 5000), strings.Repeat("x\n", 300_000), "<script>alert(1)</script>", "\u202e\u2066"} {
			var joined strings.Builder
			for _, line := range Lines(name, []byte(text)) {
				for _, s := range line {
					joined.WriteString(s.Text)
				}
				joined.WriteByte('\n')
			}
			want := text
			if want != "" && !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			if joined.String() != want {
				t.Errorf("%s: %.50q becomes %.50q", name, want, joined.String())
			}
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a.go", []byte("package x\n`\r\n"))
	f.Add("a.md", []byte("# x\n```go\nfunc\n"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		joined := ""
		for _, line := range Lines(name, text) {
			for _, s := range line {
				joined += s.Text
			}
			joined += "\n"
		}
		if want := string(text); joined != want && joined != want+"\n" {
			t.Fatalf("%s: %q becomes %q", name, want, joined)
		}
	})
}
