package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign-project/countersign/builds/source"
)

// What became of a file or module, as git's letters.
const (
	Added   = "A"
	Removed = "D"
	Changed = "M"
	Retyped = "T" // a file became a link, or the like
	Moved   = "R" // other path, same bytes
)

// Side is one of the two things compared.
type Side struct {
	Tree    string            // git tree, 40 hex digits; EmptyTree for nothing
	Modules map[string]Module // by module path
}

// Module is one version of a module, as a git tree in the repository.
type Module struct {
	Version string `json:"version"`
	Tree    string `json:"tree"`
}

// File is one changed file.
type File struct {
	What             string // Added, Removed, Changed, Retyped or Moved
	OldMode, OldBlob string // zeros when there was none
	Mode, Blob       string // zeros when there is none any more
	Path             string // as in the tree: any bytes but NUL
	OldPath          string // of a moved file
}

// Item is one unit of reading: a file of the source, or a module.
type Item struct {
	Name   string // unique; printable ASCII
	Module string // path of the module; "" for a file of the source
	What   string // Added, …; never Moved or Retyped for a module
	Old    Module // of a module that was there before
	New    Module // of a module that is there now
	Files  []File // the file itself; or those of the module, perhaps none

	Generated  string   // how to check it, when it is a file that a program made
	Mechanical int      // when its edit is that of other files too: the number of the group, from 1
	Lines      int      // added and removed; what git cannot count as text counts nothing
	Notes      []string // what a reader should know first
}

// Changes is a change list.
type Changes struct {
	Base, Head string // git trees
	Items      []Item // files by path, then modules by path
}

// Compare computes the change list. The trees and the modules must be in the repository.
func Compare(ctx context.Context, r *source.Repository, base, head Side) (*Changes, error) {
	c := &Changes{Base: base.Tree, Head: head.Tree}
	files, err := compareTrees(ctx, r, base.Tree, head.Tree)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		c.Items = append(c.Items, Item{Name: Quote(f.Path), What: f.What, Files: []File{f}})
	}
	paths := slices.Collect(maps.Keys(base.Modules))
	paths = slices.AppendSeq(paths, maps.Keys(head.Modules))
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		was, now := base.Modules[path], head.Modules[path]
		if was == now {
			continue
		}
		item := Item{Name: "module " + path + "/", Module: path, What: Changed, Old: was, New: now}
		oldTree, newTree := was.Tree, now.Tree
		switch {
		case was == Module{}:
			item.What, oldTree = Added, EmptyTree
		case now == Module{}:
			item.What, newTree = Removed, EmptyTree
		}
		if item.Files, err = compareTrees(ctx, r, oldTree, newTree); err != nil {
			return nil, fmt.Errorf("module %s: %w", path, err)
		}
		c.Items = append(c.Items, item)
	}
	return c, nil
}

func compareTrees(ctx context.Context, r *source.Repository, base, head string) ([]File, error) {
	old, err := listTree(ctx, r, base)
	if err != nil {
		return nil, err
	}
	now, err := listTree(ctx, r, head)
	if err != nil {
		return nil, err
	}
	return compare(old, now), nil
}

// Encode prints the change list in its one form.
func (c *Changes) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "countersign changes 1\nbase %s\nhead %s\n", c.Base, c.Head)
	for _, item := range c.Items {
		if item.Module != "" {
			fmt.Fprintf(&b, "module %s %s %s %s\n", item.What, item.Module, item.Old, item.New)
		}
		for _, f := range item.Files {
			fmt.Fprintf(&b, ":%s %s %s %s %s\t", f.OldMode, f.Mode, f.OldBlob, f.Blob, f.What)
			if f.What == Moved {
				fmt.Fprintf(&b, "%s\t", Quote(f.OldPath))
			}
			fmt.Fprintf(&b, "%s\n", Quote(f.Path))
		}
	}
	return b.Bytes()
}

// String is "<version> <tree>", or "- -" for none.
func (m Module) String() string {
	if m == (Module{}) {
		return "- -"
	}
	return m.Version + " " + m.Tree
}

// SHA256 is the hash by which a review names the change list.
func (c *Changes) SHA256() [32]byte { return sha256.Sum256(c.Encode()) }

// Counts returns how many files of the source, modules and lines there are to read.
func (c *Changes) Counts() (files, modules, lines int) {
	for _, item := range c.Items {
		if item.Module != "" {
			modules++
		} else {
			files++
		}
		lines += item.Lines
	}
	return files, modules, lines
}

// Pages is how many pages the item has: a module's first says what became of it.
func (i Item) Pages() int {
	if i.Module != "" {
		return len(i.Files) + 1
	}
	return 1
}

// Page returns the file that page n (from 0) shows; nil for the first page of a module.
func (i Item) Page(n int) *File {
	if i.Module != "" {
		n--
	}
	if n < 0 {
		return nil
	}
	return &i.Files[n]
}

// Title is what page n is called: the file's path, quoted, or the module's name.
func (i Item) Title(n int) string {
	if f := i.Page(n); f != nil && i.Module != "" {
		return Quote(f.Path)
	}
	return i.Name
}
