package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/builds/compare"
)

// Compare holds the files that a rebuild left in gotDir against the artifacts that were wanted. It
// returns one difference for each artifact that is missing or has other bytes, and for each file that
// nobody asked for, sorted by path; none means that every wanted artifact was made, byte for byte, and
// nothing else. What the rebuild's own build.json claims plays no part.
//
// WantDir, when not "", has the other side's files, which are used for explanations only: equality is
// decided by the length and hash in want. The error is about files that exist and cannot be read.
func Compare(want []Artifact, wantDir, gotDir string) ([]compare.Difference, error) {
	if len(want) == 0 {
		return nil, errors.New("nothing to compare with: no artifacts are wanted") // or all would be well with nothing
	}
	var out []compare.Difference
	for _, a := range want {
		d, err := compareOne(a, wantDir, gotDir)
		if err != nil {
			return nil, err
		}
		if d != nil {
			out = append(out, *d)
		}
	}
	files, err := listFiles(gotDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, name := range files {
		if name == ManifestFile || slices.ContainsFunc(want, func(a Artifact) bool { return a.Path == name }) {
			continue
		}
		got, err := os.ReadFile(filepath.Join(gotDir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		out = append(out, *compare.Bytes(name, nil, got))
	}
	slices.SortFunc(out, func(a, b compare.Difference) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

func compareOne(a Artifact, wantDir, gotDir string) (*compare.Difference, error) {
	got, err := readIfThere(gotDir, a.Path)
	if err != nil {
		return nil, err
	}
	have := compare.SideOf(got)
	want := compare.Side{Present: true, Length: a.Length, SHA256: a.SHA256}
	if have == want {
		return nil, nil
	}
	d := compare.Difference{Path: a.Path, Want: want, Got: have, Offset: -1, Cause: "differs; the other side's bytes are not at hand"}
	if got == nil {
		d.Cause = "missing: it was not made"
		return &d, nil
	}
	if wantDir == "" {
		return &d, nil
	}
	theirs, err := readIfThere(wantDir, a.Path)
	switch {
	case err != nil:
		return nil, err
	case theirs == nil:
		return &d, nil
	case compare.SideOf(theirs) != want:
		d.Cause = fmt.Sprintf("differs; the other side's file does not have the hash it announced either, but %s", compare.SideOf(theirs).SHA256)
		return &d, nil
	}
	return compare.Bytes(a.Path, theirs, got), nil
}

// readIfThere returns nil for a file that does not exist.
func readIfThere(dir, path string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, err
}
