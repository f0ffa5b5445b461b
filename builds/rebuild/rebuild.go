// Package rebuild turns a commit into its artifacts, the same bytes for everyone who does it.
//
// The parties: a publisher builds first and says what came out; auditors, who trust neither the
// publisher nor each other, build again from the commit's hash and compare. Everything that reaches a
// byte is named by a hash in the manifest: the source tree, the recipe in it, the toolchain, the modules
// (through go.sum). What brought them (a clone, a bundle on a stick, a mirror of modules) can only keep a
// build from happening, never change it.
//
// A build goes through these steps and refuses, naming the culprit, before the first compile: the
// ambient environment, the source export, the recipe, the toolchain's hash, the module tree, the settings
// that the go command itself reports. Then each platform is compiled once and linked twice, stripped and
// whole, packed into one tar, and all of it appears in the output directory at once, or nothing does.
//
// The worst a publisher can do with a hostile source is to waste the auditor's time and disk: what is
// built is never run here.
package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/recipe"
	"github.com/countersign-project/countersign/builds/source"
)

// Options says what to build, with what, and where to.
type Options struct {
	Source    string   // git work tree, bare repository or bundle file
	Rev       string   // commit; "" is the one checked out in a clean work tree
	Modules   string   // module tree in GOPROXY layout, or a modules.tar of it; "" fetches what is needed first, over the network
	Out       string   // directory for artifacts and build.json; new, empty, or holding an earlier build
	Cache     string   // the auditor's private cache directory, never shared; "" for a fresh build cache
	Toolchain string   // GOROOT; "" for the one that Environ has
	Platforms []string // "os/arch" out of the recipe; none means all
	Environ   []string // the ambient environment, usually os.Environ()

	// Progress, when set, is told each step as it starts: done steps of total are behind it.
	Progress func(step string, done, total int)
}

// refusal is an error that means: looked at, and found wrong.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// Build makes the artifacts of a commit in o.Out, with a build.json beside them, and returns what it
// says. Errors with Refused() true mean that something was checked and found wrong; others that the build
// could not be done. A *recipe.PlatformError means a platform the recipe does not have. When ctx ends,
// all processes are killed. Nothing is left behind but a finished Out.
func Build(ctx context.Context, o Options) (m Manifest, err error) {
	if err := hermetic.CheckAmbient(o.Environ); err != nil {
		return Manifest{}, err
	}
	if err := replaceable(o.Out); err != nil {
		return Manifest{}, err
	}
	work, err := os.MkdirTemp("", "countersign-rebuild-")
	if err != nil {
		return Manifest{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if work, err = filepath.EvalSymlinks(work); err != nil {
		return Manifest{}, err
	}
	b := &build{o: o, work: work}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.prepare(ctx); err != nil {
		return Manifest{}, err
	}
	out, err := openOutput(o.Out)
	if err != nil {
		return Manifest{}, err
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	if err := b.make(ctx, out); err != nil {
		return Manifest{}, err
	}
	if err := out.commit(b.m); err != nil {
		return Manifest{}, err
	}
	return b.m, nil
}

// build is one build under way.
type build struct {
	o         Options
	work      string
	recipe    recipe.Recipe
	platforms []recipe.Platform
	goroot    string
	box       *hermetic.Box // nil until furnish
	m         Manifest
	done      int // steps
}

func (b *build) tree() string { return filepath.Join(b.work, "source") }

// total is the number of steps: source, toolchain, modules, two links and an archive for each platform.
func (b *build) total() int { return 3 + 3*max(1, len(b.platforms)) }

func (b *build) step(format string, args ...any) {
	if b.o.Progress != nil {
		b.o.Progress(fmt.Sprintf(format, args...), b.done, b.total())
	}
	b.done++
}

// prepare brings everything that the build is made of together and checks it.
func (b *build) prepare(ctx context.Context) error {
	b.step("exporting the source")
	src, err := source.Export(ctx, b.o.Source, b.o.Rev, b.tree(), b.o.Environ)
	if err != nil {
		return err
	}
	if err := b.readTree(src); err != nil {
		return err
	}
	b.step("hashing the toolchain %s", b.recipe.Go)
	if b.goroot, err = verifiedToolchain(b.o.Toolchain, b.recipe, b.o.Environ); err != nil {
		return err
	}
	b.step("preparing the modules")
	return b.furnish(ctx)
}

func (b *build) close() error {
	if b.box == nil {
		return nil
	}
	return b.box.Close()
}

// readTree reads what the tree says about itself, and starts the manifest with it.
func (b *build) readTree(src source.Source) error {
	r, err := readRecipe(b.tree())
	if err != nil {
		return err
	}
	if b.platforms, err = r.Select(b.o.Platforms); err != nil {
		return err
	}
	text, err := readPlain(b.tree(), r.VersionFile)
	if err != nil {
		return err
	}
	version, err := r.Version(text)
	if err != nil {
		return err
	}
	if err := checkReplacements(b.tree()); err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(b.tree(), "go.sum"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a source without dependencies has none
		return err
	}
	modules := sha256.Sum256(sum)
	b.recipe = r
	b.m = Manifest{
		Format: manifestFormat, Version: version, Source: src, Recipe: hex.EncodeToString(r.SHA256[:]),
		Go: r.Go, Host: host(), ToolchainH1: r.ToolchainH1[host()], Modules: hex.EncodeToString(modules[:]),
	}
	return nil
}

func host() string { return runtime.GOOS + "/" + runtime.GOARCH }

func readRecipe(tree string) (recipe.Recipe, error) {
	b, err := readPlain(tree, recipe.Path)
	if err != nil {
		return recipe.Recipe{}, err
	}
	return recipe.Parse(b)
}

// readPlain reads a file that the tree must have.
func readPlain(tree, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(tree, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refusef("the source has no %s", name)
	}
	return b, err
}

// checkReplacements refuses a go.mod that would compile files from outside the tree: a replacement by a
// directory is not covered by go.sum.
func checkReplacements(tree string) error {
	b, err := readPlain(tree, "go.mod")
	if err != nil {
		return err
	}
	f, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		return refusal{err}
	}
	for _, r := range f.Replace {
		to := strings.ReplaceAll(r.New.Path, `\`, "/")
		if r.New.Version == "" && (path.IsAbs(to) || filepath.VolumeName(r.New.Path) != "" || !filepath.IsLocal(path.Clean(to))) {
			return refusef("go.mod replaces %s by %q, which is outside the source tree", r.Old.Path, r.New.Path)
		}
	}
	return nil
}

// verifiedToolchain finds the toolchain and wants it to be the recipe's, file by file.
func verifiedToolchain(goroot string, r recipe.Recipe, environ []string) (string, error) {
	if goroot == "" {
		var err error
		if goroot, err = hermetic.FindToolchain(environ); err != nil {
			return "", err
		}
	}
	return goroot, hermetic.VerifyToolchain(goroot, r.Go, host(), r.ToolchainH1[host()])
}
