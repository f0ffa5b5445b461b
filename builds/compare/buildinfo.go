package compare

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
)

// buildInfo compares what Go wrote into two programs about their making, and returns one line for each
// thing that differs. Linker flags are not among it: with -trimpath Go leaves them out.
func buildInfo(want, got []byte) []string {
	a, errA := buildinfo.Read(bytes.NewReader(want))
	b, errB := buildinfo.Read(bytes.NewReader(got))
	switch {
	case errA != nil && errB != nil:
		return nil
	case errA != nil:
		return []string{"want has no Go build information, got has"}
	case errB != nil:
		return []string{"got has no Go build information, want has"}
	}
	var out []string
	differ := func(what, x, y string) {
		if x != y {
			out = append(out, fmt.Sprintf("%s: want %s, got %s", what, shown(x), shown(y)))
		}
	}
	differ("Go version", a.GoVersion, b.GoVersion)
	differ("main package", a.Path, b.Path)
	x, y := settings(a), settings(b)
	for _, key := range keys(x, y) {
		differ("build setting "+key, x[key], y[key])
	}
	differ("main module", moduleText(&a.Main), moduleText(&b.Main))
	p, q := modules(a), modules(b)
	for _, path := range keys(p, q) {
		differ("module "+path, p[path], q[path])
	}
	return out
}

func shown(s string) string {
	if s == "" {
		return "none"
	}
	return quote(s)
}

func settings(i *debug.BuildInfo) map[string]string {
	out := map[string]string{}
	for _, s := range i.Settings {
		out[s.Key] = s.Value
	}
	return out
}

func modules(i *debug.BuildInfo) map[string]string {
	out := map[string]string{}
	for _, m := range i.Deps {
		out[m.Path] = moduleText(m)
	}
	return out
}

func moduleText(m *debug.Module) string {
	text := m.Version
	if m.Sum != "" {
		text += " " + m.Sum
	}
	if m.Replace != nil {
		text += " => " + m.Replace.Path + " " + moduleText(m.Replace)
	}
	return text
}

// keys returns the keys of both maps, sorted, each once.
func keys(a, b map[string]string) []string {
	var out []string
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		out = append(out, k)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
