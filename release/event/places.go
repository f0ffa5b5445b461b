package event

import (
	"fmt"
	"strings"
)

// places finds the line of a table in a distribution file, so that an error can say where to look.
type places struct{ lines []string }

// table names the n-th table (from 0) with that header: "[[person]] 3 (line 41)".
func (p places) table(header string, n int) string {
	label := header
	if strings.HasPrefix(header, "[[") {
		label = fmt.Sprintf("%s %d", header, n+1)
	}
	seen := 0
	for i, line := range p.lines {
		line, _, _ = strings.Cut(line, "#")
		if strings.ReplaceAll(strings.TrimSpace(line), " ", "") != header {
			continue
		}
		if seen == n {
			return fmt.Sprintf("%s (line %d)", label, i+1)
		}
		seen++
	}
	return label
}

// person names the n-th person, with their name when it is fit to print.
func (p places) person(n int, name string) string {
	place := p.table("[[person]]", n)
	if name != "" && printable(name) {
		place += fmt.Sprintf(" %q", clip(name))
	}
	return place
}

// unknown complains about a key the format does not have.
func (p places) unknown(key string) error {
	last := key[strings.LastIndex(key, ".")+1:]
	for i, line := range p.lines {
		name, _, found := strings.Cut(line, "=")
		if found && strings.TrimSpace(name) == last {
			return fmt.Errorf("line %d: unknown key %q", i+1, key)
		}
	}
	return fmt.Errorf("unknown key or table %q", key)
}
