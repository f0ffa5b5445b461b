package review

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/builds/source"
)

// EmptyTree is git's hash of a tree without files: the base of whoever reads everything.
const EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// Modes of git.
const (
	modeNone   = "000000"
	modeLink   = "120000"
	modeModule = "160000"
	noBlob     = "0000000000000000000000000000000000000000"
)

// maxListing is the most bytes of a tree's listing that are read: 200,000 files with long names.
const maxListing = 64 << 20

// refusal is an error that means: looked at, and found wrong.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// entry is a file of a tree.
type entry struct{ path, mode, blob string }

// listTree returns all files of a tree, sorted by path. Git prints the entries as they stand in the tree
// objects; a path that comes twice, or out of order, is how a tree could show one file to us and another
// to the compiler, and is refused.
func listTree(ctx context.Context, r *source.Repository, tree string) ([]entry, error) {
	if tree == EmptyTree {
		return nil, nil // known to every reader, and perhaps not to this repository
	}
	out, err := r.Git(ctx, nil, maxListing, "ls-tree", "-r", "-z", "--full-tree", tree)
	if err != nil {
		return nil, err
	}
	var list []entry
	for record := range bytes.SplitSeq(out, []byte{0}) {
		if len(record) == 0 {
			continue
		}
		head, path, ok := strings.Cut(string(record), "\t")
		f := strings.Fields(head)
		if !ok || len(f) != 3 {
			return nil, fmt.Errorf("git ls-tree printed %q", record)
		}
		if n := len(list); n > 0 && list[n-1].path >= path {
			return nil, refusef("tree %s is malformed: %s comes after %s", tree, Quote(path), Quote(list[n-1].path))
		}
		list = append(list, entry{path, f[0], f[2]})
	}
	return list, nil
}

// compare returns what differs between two sorted listings, with moves recognised.
func compare(old, now []entry) []File {
	var out []File
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && old[0].path < now[0].path:
			out = append(out, File{What: Removed, OldMode: old[0].mode, OldBlob: old[0].blob, Mode: modeNone, Blob: noBlob, Path: old[0].path})
			old = old[1:]
		case len(old) == 0 || now[0].path < old[0].path:
			out = append(out, File{What: Added, OldMode: modeNone, OldBlob: noBlob, Mode: now[0].mode, Blob: now[0].blob, Path: now[0].path})
			now = now[1:]
		default:
			if o, n := old[0], now[0]; o != n {
				what := Changed
				if o.mode[:3] != n.mode[:3] {
					what = Retyped
				}
				out = append(out, File{What: what, OldMode: o.mode, OldBlob: o.blob, Mode: n.mode, Blob: n.blob, Path: n.path})
			}
			old, now = old[1:], now[1:]
		}
	}
	return moves(out)
}

// moves makes one of a file added and a file removed, when they are the only two with their blob.
func moves(list []File) []File {
	added, removed := map[string]int{}, map[string][]File{}
	for _, f := range list {
		switch {
		case f.What == Added && plainFile(f.Mode):
			added[f.Blob]++
		case f.What == Removed && plainFile(f.OldMode):
			removed[f.OldBlob] = append(removed[f.OldBlob], f)
		}
	}
	moved := func(blob string) bool { return added[blob] == 1 && len(removed[blob]) == 1 }
	var out []File
	for _, f := range list {
		switch {
		case f.What == Added && plainFile(f.Mode) && moved(f.Blob):
			from := removed[f.Blob][0]
			f.What, f.OldMode, f.OldBlob, f.OldPath = Moved, from.OldMode, from.OldBlob, from.Path
		case f.What == Removed && plainFile(f.OldMode) && moved(f.OldBlob):
			continue
		}
		out = append(out, f)
	}
	return out
}

func plainFile(mode string) bool { return strings.HasPrefix(mode, "100") }
