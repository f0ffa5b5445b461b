// Package source exports one git tree, named by its hash, into a fresh directory, so that what is
// compiled is exactly what was committed and reviewed.
//
// The parties: whoever made the repository or bundle (a stranger, perhaps an attacker), and the person
// who builds. The export trusts nothing but the commit's hash: every object read from git is hashed
// again here, names that could escape the directory or mean different files on different systems are
// refused, and after writing, the tree hash is computed once more from the files on the disk. Line-end
// conversion, attributes, filters, hooks, submodules and replaced objects play no part: objects are read
// raw and written as they are. Git itself runs with a clean environment, so the user's settings cannot
// matter.
//
// Git's hash is SHA-1. Whoever can make two trees with one SHA-1 could show auditors one and build the
// other; therefore each export also has an h1, a SHA-256 over all files, which releases and statements
// carry beside the tree's hash.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// Source is what was exported.
type Source struct {
	Commit string `json:"commit"` // 40 hex digits
	Tree   string `json:"tree"`   // 40 hex digits: the commit's tree, and what the files on disk hash to
	H1     string `json:"h1"`     // "h1:…": golang.org/x/mod/sumdb/dirhash.HashDir(dir, "", Hash1)
}

// Limits of an export. They are far above any source this project will have; they keep a hostile bundle
// from filling the disk.
const (
	maxFiles  = 200_000
	maxObject = 256 << 20 // bytes of one file
	maxTotal  = 2 << 30   // bytes of all files
)

// refusal is an error that means: looked at, and found wrong.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Export writes the tree of a commit into dir, which must not exist or be empty, and proves it.
//
// From is a git work tree (or a directory inside one), a bare repository, or a git bundle file. Rev
// names the commit: anything git understands, or for a bundle the full hash. An empty rev means the
// commit checked out in a work tree, and then the work tree must be clean, untracked files included:
// a *DirtyError says what is not. Environ is the ambient environment; only PATH and a few system
// variables of it reach git. Errors with Refused() true mean that the source is unacceptable.
func Export(ctx context.Context, from, rev, dir string, environ []string) (Source, error) {
	if err := emptyDir(dir); err != nil {
		return Source{}, err
	}
	g, done, err := open(ctx, from, rev, environ)
	if err != nil {
		return Source{}, err
	}
	defer done()
	commit, err := g.commit(ctx, rev)
	if err != nil {
		return Source{}, err
	}
	objects, err := g.objects(ctx)
	if err != nil {
		return Source{}, err
	}
	defer objects.close()
	tree, err := treeOf(objects, commit)
	if err != nil {
		return Source{}, err
	}
	files, err := list(objects, tree)
	if err != nil {
		return Source{}, err
	}
	if err := write(objects, files, dir); err != nil {
		return Source{}, err
	}
	h1, err := prove(dir, tree, files)
	if err != nil {
		return Source{}, err
	}
	return Source{Commit: commit, Tree: tree, H1: h1}, nil
}

// open finds the repository; a bundle is first unpacked into a bare one of its own.
func open(ctx context.Context, from, rev string, environ []string) (git, func(), error) {
	info, err := os.Stat(from)
	if err != nil {
		return git{}, nil, fmt.Errorf("source: %w", err)
	}
	g, err := newGit(from, environ)
	if err != nil {
		return git{}, nil, err
	}
	if !info.IsDir() {
		return g.unbundle(ctx, from, rev)
	}
	if rev == "" {
		if err := g.clean(ctx); err != nil {
			return git{}, nil, err
		}
	}
	return g, func() {}, nil
}

// treeOf reads a commit and returns the tree it names on its first line.
func treeOf(objects *objects, commit string) (string, error) {
	body, err := objects.read(commit, "commit")
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(body, []byte("\n"))
	tree, ok := bytes.CutPrefix(line, []byte("tree "))
	if !ok || !commitID.Match(tree) {
		return "", refusef("commit %s names no tree: %q", commit, line)
	}
	return string(tree), nil
}

// prove computes the git tree hash and the h1 of the files on disk.
func prove(dir, tree string, files []file) (h1 string, err error) {
	got, err := hashTree(dir, files)
	if err != nil {
		return "", err
	}
	if got != tree {
		return "", refusef("exported files hash to tree %s, want %s: something changed them on the disk", got, tree)
	}
	return hashH1(dir)
}

func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: it holds %q", dir, filepath.Base(entries[0].Name()))
	}
	return nil
}
