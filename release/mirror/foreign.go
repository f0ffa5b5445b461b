package mirror

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
)

var versioned = regexp.MustCompile(`^metadata/([1-9][0-9]*)\.([a-z][a-z0-9-]*)\.json$`)

// foreign lists what lies in the mirror and is not accounted for: neither named by the metadata now, nor an
// older version of it, nor stored by us before.
func (d *directory) foreign(p plan) ([]string, error) {
	known := p.names()
	older := func(name string) bool {
		if _, ours := d.stored.Files[name]; ours {
			return true
		}
		m := versioned.FindStringSubmatch(name)
		if m == nil {
			return false
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		role, ok := p.set.Role(m[2])
		return err == nil && ok && n <= role.Version
	}
	list := []string{}
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(d.dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case hidden(name), name == "site": // the pages are made from all this by release/site, which minds its folder
			return fs.SkipDir
		case e.IsDir():
			return nil
		case ofLog(name) && e.Type().IsRegular():
			return nil // ours by its path; readers believe none of it unseen
		case !e.Type().IsRegular() || !known[name] && !older(name):
			list = append(list, name)
		}
		return nil
	})
	sort.Strings(list)
	return list, err
}

func ofLog(name string) bool { _, ok := logFile(name); return ok }
