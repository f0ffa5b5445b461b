package tiles

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Sweep removes files below a log's folder dir/tile: the partial tiles that none of these sizes needs, and what
// also names, by its path from dir with slashes; also may be nil. Folders of partial tiles that are empty then
// go too. A log that is not there is no error.
func Sweep(dir string, also func(name string) bool, sizes ...uint64) error {
	keep := map[string]bool{}
	for _, size := range sizes {
		for _, f := range Partials(size) {
			keep[f.Path()] = true
		}
	}
	var partials []string
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case e.IsDir() && strings.HasSuffix(name, ".p"):
			partials = append(partials, path)
		case e.IsDir():
		case IsPartial(name) && !keep[name], also != nil && also(name):
			return os.Remove(path)
		}
		return nil
	})
	for _, path := range partials {
		_ = os.Remove(path) // fails where it is not empty
	}
	return err
}
