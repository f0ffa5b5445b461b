package genuine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
)

// MaxManifest is the largest release.json that is read, in bytes.
const MaxManifest = 256 << 10

const manifestFormat = "countersign-release-1"

// The kinds of artifact a release holds.
const (
	KindProgram = "program" // an executable that people run
	KindDebug   = "debug"   // its unstripped twin, for debuggers
	KindArchive = "archive" // a tar of one platform's programs
)

// Manifest is a release.json: everything a release is, by name and hash. It is a TUF target, so the
// quorum that signs the channel signs it. Its bytes are canonical: ParseManifest refuses any text that
// Encode would not have written, so one manifest has one hash.
type Manifest struct {
	Format    string     `json:"format"` // "countersign-release-1"
	Version   string     `json:"version"`
	Channel   string     `json:"channel"`
	Previous  string     `json:"previous"` // version before this one in the channel, or ""
	Minimum   string     `json:"minimum"`  // nobody may go below this version any more, or ""
	Notes     string     `json:"notes"`    // for users
	Made      time.Time  `json:"made"`     // UTC, whole seconds
	Source    Source     `json:"source"`
	Recipe    string     `json:"recipe"` // sha256 of builds/recipe.toml, hex
	Toolchain Toolchain  `json:"toolchain"`
	Modules   string     `json:"modules"`   // sha256 of go.sum, hex
	Artifacts []Artifact `json:"artifacts"` // sorted by path
}

// Source names the source a release was built from.
type Source struct {
	Commit string `json:"commit"` // git commit, 40 hex digits
	Tree   string `json:"tree"`   // git tree, 40 hex digits
	H1     string `json:"h1"`     // hash of all exported files, as x/mod's dirhash writes it
}

// Toolchain names the compiler. Its hash depends on the building machine, so it stands in each
// auditor's statement and not here.
type Toolchain struct {
	Go string `json:"go"` // "go1.26.8"
}

// Artifact is one file of a release.
type Artifact struct {
	Path    string `json:"path"` // "linux-amd64/messenger"; below <channel>/<version>/ in the repository
	OS      string `json:"os"`   // as in GOOS
	Arch    string `json:"arch"` // as in GOARCH
	Program string `json:"program"`
	Kind    string `json:"kind"`
	Length  int64  `json:"length"` // bytes
	SHA256  Digest `json:"sha256"`
}

// Digest is a SHA-256. In JSON it is 64 lower case hex digits.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the digest as hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads exactly 64 lower case hex digits.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != 2*sha256.Size || strings.ToLower(string(b)) != string(b) {
		return fmt.Errorf("digest %q, want 64 lower case hex digits", b)
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// TargetPath is the TUF target path of an artifact of this release.
func (m Manifest) TargetPath(a Artifact) string { return path.Join(m.Channel, m.Version, a.Path) }

// ManifestPath is the TUF target path of the release.json of a version in a channel.
func ManifestPath(channel, version string) string { return path.Join(channel, version, "release.json") }

// Find returns the program artifact for a program and platform.
func (m Manifest) Find(program, os, arch string) (Artifact, bool) {
	for _, a := range m.Artifacts {
		if a.Kind == KindProgram && a.Program == program && a.OS == os && a.Arch == arch {
			return a, true
		}
	}
	return Artifact{}, false
}

// Encode prints the manifest in its one canonical form.
func (m Manifest) Encode() ([]byte, error) {
	m.Format = manifestFormat
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("release.json: %w", err)
	}
	return canonical(m)
}

// ParseManifest reads a release.json and refuses anything Encode would not have written.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := parseCanonical(b, MaxManifest, &m); err != nil {
		return Manifest{}, fmt.Errorf("release.json: %w", err)
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("release.json: %w", err)
	}
	return m, nil
}

var (
	gitHash    = regexp.MustCompile(`^[0-9a-f]{40}$`)
	hexDigest  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	dirHash    = regexp.MustCompile(`^h1:[A-Za-z0-9+/]{43}=$`)
	goVersion  = regexp.MustCompile(`^go1\.[0-9]+(\.[0-9]+)?$`)
	plainName  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	pathPieces = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,99}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
)

// check holds the rules of the fields, in their order.
func (m Manifest) check() error {
	if m.Format != manifestFormat {
		return fmt.Errorf("format %q, want %q", m.Format, manifestFormat)
	}
	if !anchor.ValidVersion(m.Version) {
		return fmt.Errorf("version %q is not of the form 1.4.0", m.Version)
	}
	if !plainName.MatchString(m.Channel) {
		return fmt.Errorf("channel %q is not a plain name", m.Channel)
	}
	for what, v := range map[string]string{"previous": m.Previous, "minimum": m.Minimum} {
		if v != "" && !anchor.ValidVersion(v) {
			return fmt.Errorf("%s version %q is not of the form 1.4.0", what, v)
		}
	}
	if m.Minimum != "" && anchor.CompareVersions(m.Minimum, m.Version) > 0 {
		return fmt.Errorf("minimum version %s is above the release itself, %s", m.Minimum, m.Version)
	}
	if m.Made.IsZero() || !m.Made.Equal(m.Made.UTC().Truncate(time.Second)) || m.Made.Location() != time.UTC {
		return fmt.Errorf("made %v, want whole seconds in UTC", m.Made)
	}
	for _, f := range []struct {
		name, value string
		want        *regexp.Regexp
	}{
		{"source.commit", m.Source.Commit, gitHash}, {"source.tree", m.Source.Tree, gitHash},
		{"source.h1", m.Source.H1, dirHash}, {"recipe", m.Recipe, hexDigest},
		{"toolchain.go", m.Toolchain.Go, goVersion}, {"modules", m.Modules, hexDigest},
	} {
		if !f.want.MatchString(f.value) {
			return fmt.Errorf("%s %q, want %s", f.name, f.value, f.want)
		}
	}
	return checkArtifacts(m.Artifacts)
}

func checkArtifacts(list []Artifact) error {
	if len(list) == 0 {
		return fmt.Errorf("no artifacts")
	}
	type program struct{ program, os, arch, kind string }
	seen := map[program]bool{}
	for i, a := range list {
		if i > 0 && list[i-1].Path >= a.Path {
			return fmt.Errorf("artifact %q is out of order or there twice", a.Path)
		}
		if !pathPieces.MatchString(a.Path) || strings.Contains(a.Path, "..") || a.Path == "release.json" {
			return fmt.Errorf("artifact path %q is not a plain name in at most one folder", a.Path)
		}
		if !plainName.MatchString(a.OS) || !plainName.MatchString(a.Arch) || !plainName.MatchString(a.Program) {
			return fmt.Errorf("artifact %q: os %q, arch %q, program %q: want plain names", a.Path, a.OS, a.Arch, a.Program)
		}
		if a.Kind != KindProgram && a.Kind != KindDebug && a.Kind != KindArchive {
			return fmt.Errorf("artifact %q: unknown kind %q", a.Path, a.Kind)
		}
		if a.Length <= 0 {
			return fmt.Errorf("artifact %q: length %d", a.Path, a.Length)
		}
		k := program{a.Program, a.OS, a.Arch, a.Kind}
		if seen[k] {
			return fmt.Errorf("artifact %q: a second %s of %s for %s/%s", a.Path, a.Kind, a.Program, a.OS, a.Arch)
		}
		seen[k] = true
	}
	return nil
}

// canonical prints v as this package's formats are written: two spaces, one newline at the end, and no
// HTML escapes, so that notes read as they were written.
func canonical(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// parseCanonical reads v and refuses any text that canonical(v) would not print: unknown or repeated
// fields, other spellings and trailing bytes all fail this one comparison.
func parseCanonical(b []byte, limit int, v any) error {
	if len(b) > limit {
		return fmt.Errorf("%d bytes, at most %d allowed", len(b), limit)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	again, err := canonical(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("not in canonical form (first difference at byte %d)", firstDifference(again, b))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
