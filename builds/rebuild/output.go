package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// output is the directory that a build ends in. Everything is made in a directory beside it, which takes
// its place at the end, so nobody meets half a build.
type output struct {
	dir   string
	stage string // "" once committed
}

// openOutput makes the stage.
func openOutput(dir string) (*output, error) {
	if err := replaceable(dir); err != nil { // once more: a build takes long
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	stage, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-partial-")
	return &output{dir, stage}, err
}

// replaceable wants dir to be new, empty, or an earlier build with nothing added by others: a person's
// files are not deleted because a path was mistyped.
func replaceable(dir string) error {
	if dir == "" {
		return errors.New("no output directory")
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		return fmt.Errorf("output %s holds %q and is no earlier build; give a new directory", dir, entries[0].Name())
	}
	m, err := ParseManifest(text)
	if err != nil {
		return fmt.Errorf("output %s is no earlier build: %v", dir, err)
	}
	files, err := listFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		known := name == ManifestFile || slices.ContainsFunc(m.Artifacts, func(a Artifact) bool { return a.Path == name })
		if !known {
			return fmt.Errorf("output %s holds %q, which is not of the earlier build; give a new directory", dir, name)
		}
	}
	return nil
}

// listFiles returns the slash paths of everything in dir that is not a directory, sorted.
func listFiles(dir string) ([]string, error) {
	var out []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	})
	return out, err
}

func (o *output) file(path string) string { return filepath.Join(o.stage, filepath.FromSlash(path)) }

// commit writes the manifest and puts the stage in the place of dir.
func (o *output) commit(m Manifest) error {
	text, err := m.Encode()
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	if err := os.WriteFile(o.file(ManifestFile), text, 0o644); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(o.file(ManifestFile), 0o644), os.Chmod(o.stage, 0o755)); err != nil { // whatever the umask
		return err
	}
	old := o.stage + "-old"
	if err := os.Rename(o.dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash here leaves the earlier build under its other name, and the new one whole in the stage.
	if err := os.Rename(o.stage, o.dir); err != nil {
		return errors.Join(err, os.Rename(old, o.dir))
	}
	o.stage = ""
	return os.RemoveAll(old)
}

// discard removes a stage that was not committed.
func (o *output) discard() error {
	if o.stage == "" {
		return nil
	}
	return os.RemoveAll(o.stage)
}
