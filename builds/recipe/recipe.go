// Package recipe reads builds/recipe.toml, the committed file that says how a source tree becomes
// programs: which Go toolchain, which programs and platforms, which flags, what goes into archives.
//
// The recipe is part of the source, so auditors review a change to it like any other, and its sha256
// is in every release and every rebuild statement. Whoever can change it can choose another compiler
// flag or leave a program out; they cannot run a command of their own, since the recipe has no place
// to name one: flags are taken from a short list, packages are directories inside the tree.
//
// The file is TOML. Every key below must be known and well formed; an unknown key is refused, since it
// is either misspelt or something this builder would silently not do.
//
//	version_file = "release/anchor/VERSION"   # holds the version and a newline, nothing else
//	[toolchain]
//	go = "go1.26.8"                           # exact release
//	[toolchain.h1]                            # host "os/arch" = hash in the Go checksum database
//	"linux/amd64" = "h1:…="
//	[[program]]                               # at least one
//	name = "messenger"                        # must be the last part of package: it names the file
//	package = "./cmd/messenger"
//	[build]
//	platforms = ["linux/amd64"]               # at least one
//	tags = []                                 # build tags
//	ldflags = ["-s", "-w"]                    # shipped programs: from -s, -w
//	debug_ldflags = []                        # the unstripped twins: the same list
//	[archive]
//	name = "countersign"                      # countersign-<version>-<os>-<arch>.tar
//	files = ["LICENSE"]                       # files of the tree that go in besides the programs
package recipe

import (
	"crypto/sha256"
	"fmt"
	"path"
	"strings"

	"github.com/BurntSushi/toml"
)

// Path is where a source tree keeps its recipe.
const Path = "builds/recipe.toml"

// MaxFile is the largest recipe that is read, in bytes.
const MaxFile = 64 << 10

// Recipe is a checked recipe: every field is well formed, and no list names a thing twice.
type Recipe struct {
	VersionFile  string            // slash path inside the tree
	Go           string            // "go1.26.8"
	ToolchainH1  map[string]string // host "os/arch" → "h1:…"
	Programs     []Program
	Platforms    []Platform
	Tags         []string
	Ldflags      []string // for the shipped programs
	DebugLdflags []string // for the debug twins
	Archive      string   // first part of an archive's name
	Files        []string // slash paths inside the tree, put into every archive by their last part
	SHA256       [32]byte // of the recipe's bytes
}

// Program is one main package and the name of the file it becomes.
type Program struct {
	Name    string // "messenger"
	Package string // "./cmd/messenger"
}

// Error is a refusal of a recipe: Where names the key, Reason says what is wrong with its value.
type Error struct{ Where, Reason string }

func (e *Error) Error() string { return Path + ": " + e.Where + ": " + e.Reason }

// Refused reports true: the file was read and found wrong.
func (e *Error) Refused() bool { return true }

func wrong(where, format string, args ...any) error {
	return &Error{where, fmt.Sprintf(format, args...)}
}

// file is the recipe as TOML has it.
type file struct {
	VersionFile string `toml:"version_file"`
	Toolchain   struct {
		Go string            `toml:"go"`
		H1 map[string]string `toml:"h1"`
	} `toml:"toolchain"`
	Program []struct {
		Name    string `toml:"name"`
		Package string `toml:"package"`
	} `toml:"program"`
	Build struct {
		Platforms    []string `toml:"platforms"`
		Tags         []string `toml:"tags"`
		Ldflags      []string `toml:"ldflags"`
		DebugLdflags []string `toml:"debug_ldflags"`
	} `toml:"build"`
	Archive struct {
		Name  string   `toml:"name"`
		Files []string `toml:"files"`
	} `toml:"archive"`
}

// Parse reads and checks a recipe. Its errors are of type *Error.
func Parse(b []byte) (Recipe, error) {
	if len(b) > MaxFile {
		return Recipe{}, wrong("file", "%d bytes, at most %d allowed", len(b), MaxFile)
	}
	var f file
	meta, err := toml.Decode(string(b), &f)
	if err != nil {
		return Recipe{}, wrong("file", "%v", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Recipe{}, wrong(unknown[0].String(), "unknown key")
	}
	// TOML keys match struct fields whatever their case; two spellings of one key would let the
	// reader of the file see another value than the builder.
	for _, key := range meta.Keys() {
		if len(key) > 2 {
			key = key[:2] // below toolchain.h1 come hosts, which are checked as such
		}
		if s := key.String(); s != strings.ToLower(s) {
			return Recipe{}, wrong(s, "unknown key")
		}
	}
	r := Recipe{SHA256: sha256.Sum256(b)}
	for _, step := range []func(*file) error{r.source, r.toolchain, r.programs, r.build, r.archive} {
		if err := step(&f); err != nil {
			return Recipe{}, err
		}
	}
	return r, nil
}

func (r *Recipe) source(f *file) error {
	r.VersionFile = f.VersionFile
	return checkPath("version_file", f.VersionFile)
}

func (r *Recipe) toolchain(f *file) error {
	if !goVersion.MatchString(f.Toolchain.Go) {
		return wrong("toolchain.go", "%q, want an exact release such as \"go1.26.8\"", f.Toolchain.Go)
	}
	if len(f.Toolchain.H1) == 0 {
		return wrong("toolchain.h1", "empty, want at least one host that may build")
	}
	for host, h1 := range f.Toolchain.H1 {
		if _, err := ParsePlatform(host); err != nil {
			return wrong("toolchain.h1", "%v", err)
		}
		if err := checkH1(h1); err != nil {
			return wrong("toolchain.h1."+host, "%v", err)
		}
	}
	r.Go, r.ToolchainH1 = f.Toolchain.Go, f.Toolchain.H1
	return nil
}

func (r *Recipe) programs(f *file) error {
	if len(f.Program) == 0 {
		return wrong("program", "none, want at least one")
	}
	seen := map[string]bool{}
	for i, p := range f.Program {
		where := fmt.Sprintf("program[%d]", i)
		if !programName.MatchString(p.Name) {
			return wrong(where+".name", "%q, want lower-case letters, digits and hyphens, starting with a letter", p.Name)
		}
		if seen[p.Name] {
			return wrong(where+".name", "%q is named twice", p.Name)
		}
		seen[p.Name] = true
		dir, ok := strings.CutPrefix(p.Package, "./")
		if !ok {
			return wrong(where+".package", "%q, want a directory of the tree that starts with \"./\"", p.Package)
		}
		if err := checkPath(where+".package", dir); err != nil {
			return err
		}
		if path.Base(dir) != p.Name { // go build names its output by it
			return wrong(where+".package", "%q, want its last part to be the name %q", p.Package, p.Name)
		}
		r.Programs = append(r.Programs, Program{p.Name, p.Package})
	}
	return nil
}

func (r *Recipe) build(f *file) error {
	if len(f.Build.Platforms) == 0 {
		return wrong("build.platforms", "none, want at least one")
	}
	if err := noRepeat("build.platforms", f.Build.Platforms); err != nil {
		return err
	}
	for _, s := range f.Build.Platforms {
		p, err := ParsePlatform(s)
		if err != nil {
			return wrong("build.platforms", "%v", err)
		}
		r.Platforms = append(r.Platforms, p)
	}
	for _, tag := range f.Build.Tags {
		if !buildTag.MatchString(tag) {
			return wrong("build.tags", "%q, want letters, digits, dots and underscores", tag)
		}
	}
	for where, flags := range map[string][]string{"build.ldflags": f.Build.Ldflags, "build.debug_ldflags": f.Build.DebugLdflags} {
		for _, flag := range flags {
			// Anything else could put a value into the program (-X) or run another linker (-extld),
			// and Go's build information would not show it.
			if flag != "-s" && flag != "-w" {
				return wrong(where, "%q, want \"-s\" or \"-w\"", flag)
			}
		}
		if err := noRepeat(where, flags); err != nil {
			return err
		}
	}
	r.Tags, r.Ldflags, r.DebugLdflags = f.Build.Tags, f.Build.Ldflags, f.Build.DebugLdflags
	return noRepeat("build.tags", f.Build.Tags)
}

func (r *Recipe) archive(f *file) error {
	if !programName.MatchString(f.Archive.Name) {
		return wrong("archive.name", "%q, want lower-case letters, digits and hyphens, starting with a letter", f.Archive.Name)
	}
	taken := map[string]bool{}
	for _, p := range r.Programs {
		taken[p.Name], taken[p.Name+".exe"] = true, true
	}
	for _, p := range f.Archive.Files {
		if err := checkPath("archive.files", p); err != nil {
			return err
		}
		if base := path.Base(p); taken[base] {
			return wrong("archive.files", "%q: an archive already holds a %q", p, base)
		}
		taken[path.Base(p)] = true
	}
	r.Archive, r.Files = f.Archive.Name, f.Archive.Files
	return nil
}
