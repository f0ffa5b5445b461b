package review

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
)

// patch reads what git diff prints. Lines of files are told from git's own by the numbers in the hunks'
// heads, never by how they look, since a file can contain anything.
type patch struct {
	rest     []byte
	old, new string // blobs of the current file
}

var (
	hunkHead  = regexp.MustCompile(`^@@ -([0-9]+)(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@ ?(.*)$`)
	indexLine = regexp.MustCompile(`^index ([0-9a-f]{40})\.\.([0-9a-f]{40})`)
)

func (p *patch) line() []byte {
	line, rest, _ := bytes.Cut(p.rest, []byte("\n"))
	p.rest = rest
	return line
}

// next goes to the next file whose bytes changed.
func (p *patch) next() bool {
	for len(p.rest) > 0 {
		if m := indexLine.FindSubmatch(p.line()); m != nil {
			p.old, p.new = string(m[1]), string(m[2])
			return true
		}
	}
	return false
}

// hunks reads those of the current file and stops before the next one.
func (p *patch) hunks() ([]Hunk, error) {
	var out []Hunk
	for len(p.rest) > 0 && !bytes.HasPrefix(p.rest, []byte("diff --git ")) {
		m := hunkHead.FindSubmatch(p.line())
		if m == nil {
			continue // "--- a/x", "+++ b/x", "\ No newline at end of file"
		}
		h, err := p.hunk(m)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

func (p *patch) hunk(m [][]byte) (Hunk, error) {
	number := func(i, missing int) int {
		if m[i] == nil {
			return missing
		}
		n, _ := strconv.Atoi(string(m[i])) // digits by the expression; too many of them end as a wrong count below
		return n
	}
	h := Hunk{OldStart: number(1, 0), NewStart: number(3, 0), Head: string(m[5])}
	olds, news := number(2, 1), number(4, 1)
	o, n := h.OldStart, h.NewStart
	for olds > 0 || news > 0 {
		if len(p.rest) == 0 {
			return h, fmt.Errorf("git diff: a hunk ends %d lines early", olds+news)
		}
		raw := p.line()
		if len(raw) == 0 {
			return h, fmt.Errorf("git diff: an empty line in a hunk")
		}
		l := Line{Kind: raw[0], Text: raw[1:]}
		switch l.Kind {
		case ' ':
			l.Old, l.New = o, n
			o, n, olds, news = o+1, n+1, olds-1, news-1
		case '-':
			l.Old = o
			o, olds = o+1, olds-1
		case '+':
			l.New = n
			n, news = n+1, news-1
		case '\\':
			continue
		default:
			return h, fmt.Errorf("git diff: a hunk line starts with %q", raw[0])
		}
		h.Lines = append(h.Lines, l)
	}
	return h, nil
}
