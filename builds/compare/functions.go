package compare

import (
	"bytes"
	"debug/gosym"
	"fmt"
	"slices"
	"strings"
)

// function is one function's place in the code section.
type function struct{ start, end uint64 }

// functionDiff names the functions that differ between two programs.
type functionDiff struct {
	missing, extra []string // only in want, only in got
	longer         []string // of other length
	other          []string // of the same length, with other bytes
	total          int
}

// diffFunctions compares by the table that Go keeps in every program, stripped or not.
func diffFunctions(a, b *image) functionDiff {
	x, y := functions(a), functions(b)
	d := functionDiff{total: len(x)}
	if len(x) == 0 || len(y) == 0 {
		return d
	}
	for name, f := range x {
		g, ok := y[name]
		switch {
		case !ok:
			d.missing = append(d.missing, name)
		case f.end-f.start != g.end-g.start:
			d.longer = append(d.longer, name)
		case !bytes.Equal(a.at(f), b.at(g)):
			d.other = append(d.other, name)
		}
	}
	for name := range y {
		if _, ok := x[name]; !ok {
			d.extra = append(d.extra, name)
		}
	}
	return d
}

// moved reports whether the functions look as if only the addresses in them had changed: no name and no
// length differs, and more of them than a person edits at once have other bytes.
func (d functionDiff) moved() bool {
	const edited = 20
	return len(d.missing)+len(d.extra)+len(d.longer) == 0 && len(d.other) > edited
}

// lines are details for people. Functions of the same length are only told when there are no others,
// since all may differ merely because calls between them moved.
func (d functionDiff) lines() []string {
	var out []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			out = append(out, what+some(names))
		}
	}
	add("functions missing: ", d.missing)
	add("functions extra: ", d.extra)
	add("functions of other length: ", d.longer)
	if len(out) == 0 {
		add("functions with other bytes: ", d.other)
	}
	return out
}

// some lists the first few of many names. Functions outside the standard library come first: what is
// below them in the library mostly follows from them.
func some(names []string) string {
	const shown = 6
	slices.SortFunc(names, func(a, b string) int {
		if x, y := own(a), own(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// own reports whether a function is in package main or below a path with a domain.
func own(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return strings.HasPrefix(name, "main.") || strings.Contains(name, "/") && strings.Contains(first, ".")
}

// at returns a function's bytes, without the build id.
func (m *image) at(f function) []byte {
	for _, s := range m.sections {
		if s.code && f.start >= s.addr && f.end >= f.start && f.end <= s.addr+uint64(s.size) {
			return s.bytes(m.mask)[f.start-s.addr : f.end-s.addr]
		}
	}
	return nil
}

// functions reads the table of functions, which starts with a mark of its version, the processor's
// instruction size and the size of a pointer.
func functions(m *image) map[string]function {
	text := slices.IndexFunc(m.sections, func(s section) bool { return s.code && s.plain() == "text" })
	if text < 0 {
		return nil
	}
	var table *gosym.Table
	for _, quantum := range []byte{1, 4} { // amd64, arm64
		at := bytes.Index(m.file, []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, quantum, 8})
		if at < 0 {
			continue
		}
		t, err := gosym.NewTable(nil, gosym.NewLineTable(m.file[at:], m.sections[text].addr))
		if err == nil && len(t.Funcs) > 0 {
			table = t
			break
		}
	}
	if table == nil {
		return nil
	}
	out := map[string]function{}
	for _, f := range table.Funcs {
		out[f.Name] = function{f.Entry, f.End}
	}
	return out
}
