package rebuild

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/builds/archive"
	"github.com/countersign-project/countersign/builds/recipe"
)

// make compiles, links and packs every platform into the output.
func (b *build) make(ctx context.Context, out *output) error {
	b.m.Env, b.m.Network = b.box.Pinned(), string(b.box.Isolation())
	for _, p := range b.platforms {
		if err := b.box.Check(ctx, b.tree(), b.recipe.Go, p.OS, p.Arch); err != nil {
			return err
		}
	}
	for _, p := range b.platforms {
		b.step("%s: compiling and linking", p)
		if err := b.link(ctx, p, out, b.recipe.Ldflags, ""); err != nil {
			return err
		}
		b.step("%s: linking with debug data", p)
		if err := b.link(ctx, p, out, b.recipe.DebugLdflags, ".debug"); err != nil {
			return err
		}
		b.step("%s: packing", p)
		if err := b.pack(p, out); err != nil {
			return err
		}
	}
	slices.SortFunc(b.m.Artifacts, func(a, c Artifact) int { return strings.Compare(a.Path, c.Path) })
	return nil
}

// link makes all programs of a platform in one go build. Flags of the linker do not reach the compiler,
// so the second call for a platform finds everything compiled.
func (b *build) link(ctx context.Context, p recipe.Platform, out *output, ldflags []string, suffix string) error {
	fresh := filepath.Join(out.stage, "linked")
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	args := []string{"build", "-o", fresh + string(filepath.Separator), "-ldflags=" + strings.Join(ldflags, " ")}
	if len(b.recipe.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(b.recipe.Tags, ","))
	}
	for _, program := range b.recipe.Programs {
		args = append(args, program.Package)
	}
	if _, err := b.box.Go(ctx, b.tree(), p.OS, p.Arch, args...); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	for _, program := range b.recipe.Programs {
		a := Artifact{Path: path.Join(p.Dir(), p.File(program.Name)+suffix), OS: p.OS, Arch: p.Arch, Program: program.Name, Kind: KindProgram}
		mode := os.FileMode(0o755)
		if suffix != "" {
			a.Kind, mode = KindDebug, 0o644
		}
		from, to := filepath.Join(fresh, p.File(program.Name)), out.file(a.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Chmod(filepath.Dir(to), 0o755)); err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return fmt.Errorf("%s: go build made no %s: %w", p, p.File(program.Name), err)
		}
		if err := b.add(out, a, mode); err != nil {
			return err
		}
	}
	return os.Remove(fresh) // fails if go build made anything else
}

// pack writes the platform's tar: its programs and the recipe's files, in one folder.
func (b *build) pack(p recipe.Platform, out *output) (err error) {
	top := fmt.Sprintf("%s-%s-%s", b.recipe.Archive, b.m.Version, p.Dir())
	files := []archive.File{{Name: top + "/"}}
	add := func(name, from string, program bool) error {
		info, err := os.Stat(from)
		if err != nil {
			return err
		}
		files = append(files, archive.File{Name: top + "/" + name, Program: program, Length: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(from) }})
		return nil
	}
	for _, program := range b.recipe.Programs {
		name := p.File(program.Name)
		if err := add(name, out.file(path.Join(p.Dir(), name)), true); err != nil {
			return err
		}
	}
	for _, name := range b.recipe.Files {
		if _, err := readPlain(b.tree(), name); err != nil {
			return err
		}
		if err := add(path.Base(name), filepath.Join(b.tree(), filepath.FromSlash(name)), false); err != nil {
			return err
		}
	}
	a := Artifact{Path: top + ".tar", OS: p.OS, Arch: p.Arch, Program: b.recipe.Archive, Kind: KindArchive}
	f, err := os.OpenFile(out.file(a.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(archive.Write(f, files), f.Close()); err != nil {
		return err
	}
	return b.add(out, a, 0o644)
}

// add measures a finished artifact and puts it on the manifest, with a mode that no umask changes.
func (b *build) add(out *output, a Artifact, mode os.FileMode) error {
	name := out.file(a.Path)
	if err := os.Chmod(name, mode); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if a.Length, err = io.Copy(h, f); err != nil {
		return err
	}
	h.Sum(a.SHA256[:0])
	b.m.Artifacts = append(b.m.Artifacts, a)
	return nil
}
