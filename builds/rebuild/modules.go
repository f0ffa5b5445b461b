package rebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/countersign-project/countersign/builds/archive"
	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/recipe"
)

// Limits of a module tree that comes from others.
const (
	maxModuleFiles = 20_000
	maxModuleFile  = 256 << 20
	maxModuleTotal = 2 << 30
)

// FetchModules brings the modules that a source tree's programs need on all platforms of its recipe
// into dir, as a file tree in GOPROXY layout. It is the one step that uses the network, from this
// process's environment; see Fetch.
func FetchModules(ctx context.Context, sourceTree, dir string) error {
	return Fetch{Environ: os.Environ()}.Modules(ctx, sourceTree, dir)
}

// Fetch is how modules are fetched: with the person's own proxy, credentials and module cache. None of
// these is believed: every module is checked against the tree's go.sum when it arrives, and again by
// each build that uses it.
type Fetch struct {
	Toolchain string   // GOROOT; "" for the one that Environ has
	Environ   []string // ambient environment
}

// Modules fetches into dir, which must be empty or not exist. What the person's module cache already
// has is taken from there, so a second run needs no network. A module that is not what go.sum says, or
// is not in it, is an error with Refused() true.
func (f Fetch) Modules(ctx context.Context, sourceTree, dir string) (err error) {
	r, err := readRecipe(sourceTree)
	if err != nil {
		return err
	}
	if err := checkReplacements(sourceTree); err != nil {
		return err
	}
	goroot, err := verifiedToolchain(f.Toolchain, r, f.Environ)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("module tree %s is not empty", dir))
	}
	box, err := hermetic.New(ctx, hermetic.Options{Goroot: goroot})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if err := download(ctx, box, r, r.Platforms, f.Environ, sourceTree); err != nil {
		return err
	}
	return keepDownloads(box.ModuleDownloads(), dir)
}

// furnish makes the box with the modules: the tree given, unpacked if need be, or fetched now. In each
// case the go command of this box unpacks them into a module cache that nobody else has touched, and
// checks every one against go.sum as it does.
func (b *build) furnish(ctx context.Context) error {
	o := hermetic.Options{Goroot: b.goroot, Cache: b.o.Cache, Temp: b.work}
	if b.o.Modules != "" {
		var err error
		if o.Modules, err = b.moduleTree(); err != nil {
			return err
		}
	}
	var err error
	if b.box, err = hermetic.New(ctx, o); err != nil || b.o.Modules != "" {
		return err
	}
	return download(ctx, b.box, b.recipe, b.platforms, b.o.Environ, b.tree())
}

// moduleTree returns the directory of the modules that were given.
func (b *build) moduleTree() (string, error) {
	f, err := os.Open(b.o.Modules)
	if err != nil {
		return "", fmt.Errorf("module tree: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return b.o.Modules, err
	}
	dir := filepath.Join(b.work, "modules")
	return dir, UnpackModules(f, dir)
}

// download fills the box's module cache with what builds for these platforms need.
func download(ctx context.Context, box *hermetic.Box, r recipe.Recipe, platforms []recipe.Platform, environ []string, tree string) error {
	settings, err := userSettings(ctx, box, environ)
	if err != nil {
		return err
	}
	for _, p := range platforms {
		args := []string{"list", "-deps", "-f", "{{.ImportPath}}"}
		if len(r.Tags) > 0 {
			args = append(args, "-tags="+strings.Join(r.Tags, ","))
		}
		for _, program := range r.Programs {
			args = append(args, program.Package)
		}
		// go list for a platform reads just the modules that a build for it will.
		if _, err := box.GoOnline(ctx, tree, p.OS, p.Arch, settings, environ, args...); err != nil {
			return fmt.Errorf("modules for %s: %w", p, err)
		}
	}
	return nil
}

// userSettings asks the person's own go command, with their environment and go/env file, where modules
// come from. Their module cache is put in front.
func userSettings(ctx context.Context, box *hermetic.Box, environ []string) ([]string, error) {
	empty, err := box.Dir("empty")
	if err != nil {
		return nil, err
	}
	names := []string{"GOPROXY", "GOPRIVATE", "GONOPROXY", "GOINSECURE", "GOAUTH", "GOVCS"}
	env := append(append([]string{}, environ...), "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=")
	out, err := box.GoWith(ctx, empty, env, append([]string{"env", "-json", "GOMODCACHE"}, names...)...)
	if err != nil {
		return nil, err
	}
	var got map[string]string
	if err := json.Unmarshal(out, &got); err != nil {
		return nil, fmt.Errorf("go env -json: %v", err)
	}
	if cache := filepath.Join(got["GOMODCACHE"], "cache", "download"); got["GOMODCACHE"] != "" {
		if u, err := hermetic.FileURL(cache); err == nil {
			got["GOPROXY"] = u + "," + got["GOPROXY"]
		}
	}
	var settings []string
	for _, name := range names {
		settings = append(settings, name+"="+got[name])
	}
	return settings, nil
}

// keepDownloads copies what a build can ask a proxy for, and nothing of the go command's own notes.
func keepDownloads(from, to string) error {
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == from {
			return nil // no dependencies
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if checkModuleFile(filepath.ToSlash(rel)) != nil {
			return nil
		}
		return copyFile(p, filepath.Join(to, rel))
	})
	return err
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}

// PackModules writes a module tree as the one modules.tar that its files make.
func PackModules(dir string, w io.Writer) error {
	files, err := listFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := checkModuleFile(name); err != nil {
			return fmt.Errorf("module tree %s: %w", dir, err)
		}
	}
	return archive.WriteDir(w, os.DirFS(dir))
}

// UnpackModules reads a modules.tar from anybody into dir, which must be empty or not exist. Only files
// of modules get in; what is in them is checked against go.sum by the build. Errors with Refused() true
// mean a bad archive.
func UnpackModules(r io.Reader, dir string) error {
	return archive.Unpack(r, dir, archive.Limits{Files: maxModuleFiles, Length: maxModuleFile, Total: maxModuleTotal, Check: checkModuleFile})
}

// checkModuleFile wants "<escaped module path>/@v/<escaped version>.info", ".mod" or ".zip".
func checkModuleFile(name string) error {
	path, file, ok := strings.Cut(name, "/@v/")
	ext := filepath.Ext(file)
	if !ok || strings.Contains(file, "/") || ext != ".info" && ext != ".mod" && ext != ".zip" {
		return fmt.Errorf("%q is not a file of a module tree", name)
	}
	if _, err := module.UnescapePath(path); err != nil {
		return fmt.Errorf("%q is not a file of a module tree: %v", name, err)
	}
	if _, err := module.UnescapeVersion(strings.TrimSuffix(file, ext)); err != nil {
		return fmt.Errorf("%q is not a file of a module tree: %v", name, err)
	}
	return nil
}
