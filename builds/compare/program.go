package compare

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// explainProgram compares what two programs say about themselves and then their sections. The first
// answer found is the cause, since it usually brings the later ones about: another processor, another
// Go, other settings, other modules, other linker flags, other code, other data.
func explainProgram(want, got []byte) (string, []string) {
	a, errA := parseImage(want)
	b, errB := parseImage(got)
	if errA != nil || errB != nil {
		return "programs differ, and one cannot be read", []string{fmt.Sprintf("want: %v", errA), fmt.Sprintf("got: %v", errB)}
	}
	if a.machine != b.machine {
		return fmt.Sprintf("built for another processor: want %s, got %s", a.machine, b.machine), nil
	}
	reasons := buildInfo(want, got)
	s := diffSections(a, b)
	if r := s.reason(); r != "" {
		reasons = append(reasons, r)
	}
	if len(reasons) == 0 {
		if bytes.Equal(a.mask, b.mask) {
			return "only the build id differs: other flags or another toolchain, same code and data", nil
		}
		reasons = append(reasons, "headers differ: code and data are equal")
	}
	return reasons[0], append(reasons[1:], s.details()...)
}

// sectionDiff is how the sections of two images differ.
type sectionDiff struct {
	a, b               *image
	missing, extra     []section   // names only in a, only in b
	code, data, symbol [][]section // pairs of one name with other bytes
	functions          functionDiff
}

func diffSections(a, b *image) sectionDiff {
	s := sectionDiff{a: a, b: b}
	for _, p := range a.sections {
		q, ok := b.section(p.name)
		pair := []section{p, q}
		switch {
		case !ok:
			s.missing = append(s.missing, p)
		case bytes.Equal(p.bytes(a.mask), q.bytes(b.mask)):
		case p.code:
			s.code = append(s.code, pair)
		case p.symbol():
			s.symbol = append(s.symbol, pair)
		default:
			s.data = append(s.data, pair)
		}
	}
	for _, q := range b.sections {
		if _, ok := a.section(q.name); !ok {
			s.extra = append(s.extra, q)
		}
	}
	if len(s.code) > 0 {
		s.functions = diffFunctions(a, b)
	}
	return s
}

// linkerMarks are sections that the system's linker leaves behind and Go's own does not.
var linkerMarks = []string{"comment", "eh_frame", "init", "fini", "interp", "plt"}

func (s sectionDiff) reason() string {
	only := slices.Concat(s.missing, s.extra)
	foreign := slices.ContainsFunc(only, func(p section) bool { return slices.Contains(linkerMarks, p.plain()) })
	symbols := len(only) > 0 && !slices.ContainsFunc(only, func(p section) bool { return !p.symbol() })
	switch {
	case foreign:
		return "another linker was used: " + s.names()
	case symbols && len(s.extra) > 0:
		return "not stripped as wanted (linker flags -s, -w): " + s.names()
	case symbols:
		return "stripped, and it should not be (linker flags -s, -w): " + s.names()
	case len(only) > 0:
		return s.names()
	case len(s.code) > 0 && s.functions.moved():
		return fmt.Sprintf("code or data differs: all functions have the same names and lengths, %d of %d other bytes, as when data moved", len(s.functions.other), s.functions.total)
	case len(s.code) > 0:
		return "code differs: " + join(s.code)
	case len(s.data) > 0:
		return "data differs, code is equal (a constant, a linker's -X, an embedded file): " + join(s.data)
	case len(s.symbol) > 0:
		return "only symbols for debuggers differ: " + join(s.symbol)
	}
	return ""
}

func join(pairs [][]section) string {
	var out []string
	for _, p := range pairs {
		out = append(out, p[0].name)
	}
	return strings.Join(out, ", ")
}

// names lists the sections that one side alone has.
func (s sectionDiff) names() string {
	var parts []string
	for what, list := range map[string][]section{"extra": s.extra, "missing": s.missing} {
		if len(list) == 0 {
			continue
		}
		names := what + " sections"
		for _, p := range list {
			names += " " + p.name
		}
		parts = append(parts, names)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (s sectionDiff) details() []string {
	out := s.functions.lines()
	for _, pair := range slices.Concat(s.code, s.data, s.symbol) {
		x, y := pair[0].bytes(s.a.mask), pair[1].bytes(s.b.mask)
		line := fmt.Sprintf("section %s: want %d bytes, got %d, first difference at %d", pair[0].name, len(x), len(y), firstDifference(x, y))
		if plain := pair[0].plain(); plain == "rodata" || plain == "rdata" || plain == "data" {
			line += "; " + excerpt(x, y)
		}
		out = append(out, line)
	}
	return out
}
