package house

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the deps.txt files instead of comparing with them")

// TestDependencyLists compares what each program is made of, on any of its platforms, with its
// committed deps.txt: one package a line, standard library left out.
func TestDependencyLists(t *testing.T) {
	for _, program := range []string{"countersign", "messenger", "messengerd"} {
		var deps []string
		for _, goos := range []string{"linux", "darwin", "windows"} {
			for _, p := range list(t, goos, "-deps", "./cmd/"+program) {
				if !p.Standard {
					deps = append(deps, p.ImportPath)
				}
			}
		}
		slices.Sort(deps)
		got := []byte(strings.Join(slices.Compact(deps), "\n") + "\n")
		file := filepath.Join("..", program, "deps.txt")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: what the program is made of changed:\n%s\nif that is meant, run: go test ./cmd/house -update", file, lineDiff(string(want), string(got)))
		}
	}
}

// lineDiff lists lines that only one of two sorted texts has.
func lineDiff(old, new string) string {
	var out []string
	was, is := strings.Split(old, "\n"), strings.Split(new, "\n")
	for _, l := range was {
		if !slices.Contains(is, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range is {
		if !slices.Contains(was, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}
