package site

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/countersign-project/countersign/tuf/durable"
)

// A folder is ours to change when its style sheet begins as ours does. lockFile is held while it changes.
const (
	mark     = "style.css"
	marking  = "/* Countersign: the public record. "
	lockFile = ".lock"
)

// NotOursError says that a folder holds other things than a site.
type NotOursError struct {
	Dir   string
	Found string // one thing that is in it
}

func (e *NotOursError) Error() string {
	return fmt.Sprintf("%s is not empty and not a site made by this program: it holds %q; nothing was changed", e.Dir, e.Found)
}

// Write brings a folder to hold exactly these files, and tells how many it changed. Each file is replaced
// by one rename, index.html last, and pages that are no longer made are removed after that, so a reader
// never meets a broken page, and a crash leaves old pages beside new ones, which the next Write mends. A
// folder that is not empty and holds no site, or something we do not make, is not touched.
func Write(dir string, files map[string][]byte) (changed int, err error) {
	old, err := listed(dir)
	if err != nil {
		return 0, err
	}
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	unlock, err := durable.Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := sweep(dir); err != nil {
		return 0, err
	}
	names := slices.Sorted(maps.Keys(files))
	slices.SortStableFunc(names, func(a, b string) int { return last(a) - last(b) })
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if had, err := os.ReadFile(path); err == nil && bytes.Equal(had, files[name]) {
			continue
		}
		if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return changed, err
		}
		if err := durable.WriteFile(path, files[name], 0o644); err != nil {
			return changed, err
		}
		changed++
	}
	for _, name := range old {
		if _, wanted := files[name]; !wanted {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return changed, err
			}
			changed++
		}
	}
	return changed, nil
}

// last orders what refers to others behind what it refers to: pages of a channel, pages, the first page.
func last(name string) int {
	switch {
	case name == "index.html":
		return 3
	case filepath.Base(name) == "index.html":
		return 2
	case name == mark:
		return 0
	}
	return 1
}

// listed returns the files of a site. It refuses a folder of anything else.
func listed(dir string) ([]string, error) {
	var names []string
	foreign := ""
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch ext := filepath.Ext(rel); {
		case durable.IsTemp(e.Name()) || rel == lockFile:
		case e.Type().IsRegular() && (ext == ".html" || rel == mark):
			names = append(names, filepath.ToSlash(rel))
		default:
			foreign = rel
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if css, err := os.ReadFile(filepath.Join(dir, mark)); len(names) > 0 && (err != nil || !bytes.HasPrefix(css, []byte(marking))) {
		foreign = names[0]
	}
	if foreign != "" {
		return nil, &NotOursError{dir, foreign}
	}
	return names, nil
}

func sweep(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if durable.IsTemp(e.Name()) {
			return filepath.SkipDir
		}
		return durable.Sweep(path)
	})
}
