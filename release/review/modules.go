package review

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/builds/source"
)

// Limits of what is read from a tree's go.mod and go.sum, and of all modules together, in bytes.
const (
	maxModFile = 16 << 20
	maxModules = 2 << 30
)

// ImportModules puts the modules that a source tree is built from into the repository, each as a tree of
// its own, and returns them by path: those that go.mod requires (or puts in place of another) and whose
// zip is in the module tree, a modules.tar as an event has it. Every zip is compared with the tree's
// go.sum. What was imported before is not imported again. Work is an empty or missing directory for the
// unpacked archive; it is removed. Errors with Refused() true mean bad modules.
func ImportModules(ctx context.Context, r *source.Repository, tree, archive, work string) (map[string]Module, error) {
	wanted, sums, err := requirements(ctx, r, tree)
	if err != nil {
		return nil, err
	}
	out := map[string]Module{}
	if len(wanted) == 0 {
		return out, nil
	}
	defer os.RemoveAll(work)
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := rebuild.UnpackModules(f, work); err != nil {
		return nil, err
	}
	im := &importing{ctx: ctx, r: r}
	for _, m := range wanted {
		file, err := zipPath(work, m)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue // no package of it is needed on any platform
		}
		id, err := im.module(m, file, sums[m.Path+" "+m.Version])
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", m, err)
		}
		out[m.Path] = Module{m.Version, id}
	}
	return out, nil
}

// requirements reads what a tree's go.mod selects, replacements applied, and go.sum by "path version".
func requirements(ctx context.Context, r *source.Repository, tree string) ([]module.Version, map[string]string, error) {
	if tree == EmptyTree {
		return nil, nil, nil
	}
	list, err := listTree(ctx, r, tree)
	if err != nil {
		return nil, nil, err
	}
	text := map[string][]byte{}
	for _, e := range list {
		if (e.path == "go.mod" || e.path == "go.sum") && plainFile(e.mode) {
			if text[e.path], err = r.Git(ctx, nil, maxModFile, "cat-file", "blob", e.blob); err != nil {
				return nil, nil, err
			}
		}
	}
	mod, err := modfile.Parse("go.mod", text["go.mod"], nil)
	if err != nil {
		return nil, nil, refusef("source: %v", err)
	}
	var wanted []module.Version
	for _, req := range mod.Require {
		m := req.Mod
		for _, rep := range mod.Replace {
			if rep.Old.Path == m.Path && (rep.Old.Version == "" || rep.Old.Version == m.Version) {
				m = rep.New
			}
		}
		if m.Version != "" { // else a directory of the source, read with it
			wanted = append(wanted, m)
		}
	}
	sums := map[string]string{}
	for line := range bytes.Lines(text["go.sum"]) {
		if f := strings.Fields(string(line)); len(f) == 3 {
			sums[f[0]+" "+f[1]] = f[2]
		}
	}
	return wanted, sums, nil
}

func zipPath(dir string, m module.Version) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", refusef("go.mod: %v", err)
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", refusef("go.mod: %v", err)
	}
	return filepath.Join(dir, filepath.FromSlash(path), "@v", version+".zip"), nil
}

// importing counts the bytes of all modules that go into a repository.
type importing struct {
	ctx   context.Context
	r     *source.Repository
	total int64
}

// module returns the git tree of a zip whose h1 is the one go.sum has. The reference that keeps it is
// named by path, version and h1, and written last, so that it stands for the whole import.
func (im *importing) module(m module.Version, file, h1 string) (string, error) {
	if h1 == "" {
		return "", refusef("go.sum does not name it")
	}
	if _, err := modzip.CheckZip(m, file); err != nil {
		return "", refusef("%v", err)
	}
	got, err := dirhash.HashZip(file, dirhash.Hash1)
	if err != nil {
		return "", err
	}
	if got != h1 {
		return "", refusef("the zip in the module tree has %s, go.sum says %s", got, h1)
	}
	ref := fmt.Sprintf("refs/modules/%x", sha256.Sum256([]byte(m.Path+" "+m.Version+" "+h1)))
	if tree, err := im.tree(ref); err != nil || tree != "" {
		return tree, err
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return "", refusef("%v", err)
	}
	defer z.Close()
	in, out := io.Pipe()
	go func() { out.CloseWithError(im.feed(out, &z.Reader, ref, m.Path+"@"+m.Version+"/")) }()
	_, err = im.r.Git(im.ctx, in, 1<<20, "fast-import", "--quiet", "--force", "--done", "--date-format=raw")
	in.CloseWithError(io.ErrClosedPipe) // the feeder ends when git ended early
	if err != nil {
		return "", err
	}
	return im.tree(ref)
}

// feed writes a zip as one commit without history, in the language of git fast-import.
func (im *importing) feed(w io.Writer, z *zip.Reader, ref, prefix string) error {
	if _, err := fmt.Fprintf(w, "commit %s\ncommitter . <.> 0 +0000\ndata 0\n", ref); err != nil {
		return err
	}
	for _, f := range z.File {
		path, ok := strings.CutPrefix(f.Name, prefix)
		size := int64(f.UncompressedSize64)
		if im.total += size; !ok || im.total > maxModules {
			return fmt.Errorf("%s: a file of another module, or more than %d bytes of modules", f.Name, maxModules)
		}
		body, err := f.Open()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n", Quote(path), size)
		if err == nil {
			_, err = io.CopyN(w, body, size)
		}
		body.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "done\n")
	return err
}

// tree returns the tree a reference's commit has; "" when there is no such reference.
func (im *importing) tree(ref string) (string, error) {
	out, err := im.r.Git(im.ctx, nil, 1<<10, "for-each-ref", "--format=%(tree)", ref)
	return strings.TrimSpace(string(out)), err
}
