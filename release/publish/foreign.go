package publish

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/trust"
)

var versioned = regexp.MustCompile(`^metadata/([1-9][0-9]*)\.([a-z][a-z0-9-]*)\.json$`)

// Foreign lists files of the repository directory that nothing published names: somebody's own, or what
// an interrupted publication left. They are named and left alone; no program and no mirror asks for them.
func (r *Repository) Foreign(s State) ([]string, error) {
	known := s.names()
	var out []string
	err := filepath.WalkDir(r.Dir, func(path string, f fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && f.IsDir() && path == filepath.Join(r.Dir, "site") {
			return fs.SkipDir // the pages are made from all this by release/site, which minds its folder
		}
		if err == nil && f.IsDir() && path == filepath.Join(r.Dir, "log") {
			return fs.SkipDir // attest/log minds this one
		}
		if err != nil || f.IsDir() {
			return err
		}
		rel, err := filepath.Rel(r.Dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !known[name] && !s.older(name) || !f.Type().IsRegular() {
			out = append(out, name)
		}
		return nil
	})
	sort.Strings(out)
	return out, err
}

// names lists every file the served metadata names, and where evidence may lie.
func (s State) names() map[string]bool {
	known := map[string]bool{"metadata/timestamp.json": true}
	if s.Set == nil {
		return known
	}
	for _, role := range s.Set.Roles() {
		for _, t := range s.Set.Targets(role.Name) {
			known[TargetPath(t.Path, t.SHA256)] = true
			if strings.HasSuffix(t.Path, "/release.json") && genuine.ManifestPath(role.Name, strings.Split(t.Path, "/")[1]) == t.Path {
				known[evidence.Path(t.SHA256)] = true
			}
		}
	}
	return known
}

// older recognises metadata up to the served versions. Target files of targets' own former versions
// (policy.json, mirrors.json) are recognised by their names.
func (s State) older(name string) bool {
	if m := versioned.FindStringSubmatch(name); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if m[2] == trust.Withdrawn {
			return err == nil && n <= s.Base.Withdrawn.Version
		}
		return err == nil && n <= s.Published.Versions[m[2]]
	}
	return formerTarget.MatchString(name)
}

var formerTarget = regexp.MustCompile(`^targets/[0-9a-f]{64}\.(policy|mirrors)\.json$`)

func isRefusal(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}
