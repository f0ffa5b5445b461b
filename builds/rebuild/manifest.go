package rebuild

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/builds/compare"
	"github.com/countersign-project/countersign/builds/recipe"
	"github.com/countersign-project/countersign/builds/source"
)

// MaxManifest is the largest build.json that is read, in bytes.
const MaxManifest = 256 << 10

// ManifestFile is the manifest's name beside the artifacts.
const ManifestFile = "build.json"

const manifestFormat = "countersign-build-1"

// The kinds of artifact.
const (
	KindProgram = "program" // an executable that people run
	KindDebug   = "debug"   // its unstripped twin, for debuggers
	KindArchive = "archive" // a tar of one platform's programs
)

// Manifest says what a build was made of and what came out. It has no times and no places, so two
// builds of one commit on hosts of one kind have the same manifest; hosts of different kinds differ
// in Host, ToolchainH1 and Network only.
type Manifest struct {
	Format      string        `json:"format"`  // "countersign-build-1"
	Version     string        `json:"version"` // from the version file of the tree
	Source      source.Source `json:"source"`
	Recipe      string        `json:"recipe"` // sha256 of builds/recipe.toml, hex
	Go          string        `json:"go"`     // "go1.26.8"
	Host        string        `json:"host"`   // "linux/amd64": where the toolchain ran
	ToolchainH1 string        `json:"toolchain_h1"`
	Modules     string        `json:"modules"`   // sha256 of go.sum (of nothing, where there is none), hex
	Network     string        `json:"network"`   // what kept the compiler off the network
	Env         []string      `json:"env"`       // every variable the compiler had, sorted; places are shown as such
	Artifacts   []Artifact    `json:"artifacts"` // sorted by path
}

// Artifact is one file that was made.
type Artifact struct {
	Path    string      `json:"path"` // "linux-amd64/messenger", slash separated
	OS      string      `json:"os"`   // as in GOOS
	Arch    string      `json:"arch"` // as in GOARCH
	Program string      `json:"program"`
	Kind    string      `json:"kind"`
	Length  int64       `json:"length"` // bytes
	SHA256  compare.Sum `json:"sha256"`
}

// Encode prints the manifest in its one form: indented, fields in their order, a newline at the end.
func (m Manifest) Encode() ([]byte, error) {
	m.Format = manifestFormat
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	return m.print()
}

func (m Manifest) print() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(m)
	return b.Bytes(), err
}

// ParseManifest reads a build.json and refuses anything that Encode would not have written.
func ParseManifest(b []byte) (Manifest, error) {
	m, err := parseManifest(b)
	if err != nil {
		return Manifest{}, refusef("%s: %w", ManifestFile, err)
	}
	return m, nil
}

func parseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if len(b) > MaxManifest {
		return m, fmt.Errorf("%d bytes, at most %d allowed", len(b), MaxManifest)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, err
	}
	if err := m.check(); err != nil {
		return m, err
	}
	// One comparison refuses repeated and misspelt fields, other layouts and trailing bytes.
	again, err := m.print()
	if err != nil {
		return m, err
	}
	if !bytes.Equal(again, b) {
		return m, fmt.Errorf("not in the one form that this program writes")
	}
	return m, nil
}

var (
	gitID     = regexp.MustCompile(`^[0-9a-f]{40}$`)
	hexSum    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	h1Sum     = regexp.MustCompile(`^h1:[A-Za-z0-9+/]{43}=$`)
	goRelease = regexp.MustCompile(`^go1\.[0-9]+\.[0-9]+$`)
	oneFile   = regexp.MustCompile(`^([a-z0-9][a-z0-9-]*/)?[a-z0-9][A-Za-z0-9.+-]*$`)
)

func (m Manifest) check() error {
	if m.Format != manifestFormat {
		return fmt.Errorf("format %q, want %q", m.Format, manifestFormat)
	}
	if _, err := (recipe.Recipe{}).Version([]byte(m.Version + "\n")); err != nil {
		return fmt.Errorf("version %q is not of the form 1.4.0", m.Version)
	}
	for _, f := range []struct {
		name, value string
		want        *regexp.Regexp
	}{
		{"source.commit", m.Source.Commit, gitID}, {"source.tree", m.Source.Tree, gitID}, {"source.h1", m.Source.H1, h1Sum},
		{"recipe", m.Recipe, hexSum}, {"go", m.Go, goRelease}, {"toolchain_h1", m.ToolchainH1, h1Sum}, {"modules", m.Modules, hexSum},
	} {
		if !f.want.MatchString(f.value) {
			return fmt.Errorf("%s %q, want %s", f.name, f.value, f.want)
		}
	}
	if _, err := recipe.ParsePlatform(m.Host); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	if !slices.IsSorted(m.Env) {
		return fmt.Errorf("env is not sorted")
	}
	if len(m.Artifacts) == 0 {
		return fmt.Errorf("no artifacts")
	}
	for i, a := range m.Artifacts {
		if err := a.check(); err != nil {
			return err
		}
		if i > 0 && m.Artifacts[i-1].Path >= a.Path {
			return fmt.Errorf("artifact %q is out of order or there twice", a.Path)
		}
	}
	return nil
}

func (a Artifact) check() error {
	if !oneFile.MatchString(a.Path) || strings.Contains(a.Path, "..") || path.Base(a.Path) == ManifestFile {
		return fmt.Errorf("artifact path %q is not a plain name in at most one folder", a.Path)
	}
	if _, err := recipe.ParsePlatform(a.OS + "/" + a.Arch); err != nil {
		return fmt.Errorf("artifact %q: %w", a.Path, err)
	}
	if !slices.Contains([]string{KindProgram, KindDebug, KindArchive}, a.Kind) {
		return fmt.Errorf("artifact %q: unknown kind %q", a.Path, a.Kind)
	}
	if a.Program == "" || a.Length <= 0 {
		return fmt.Errorf("artifact %q: program %q, length %d", a.Path, a.Program, a.Length)
	}
	return nil
}
