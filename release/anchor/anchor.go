// Package anchor holds what a program believes before it has talked to anyone: its own version, the
// distribution's TUF root, the policy floor, the log's policy and the first list of mirrors. All are committed
// files, so that auditors read them and a rebuild reproduces them; nothing is stamped in by a linker.
//
// Who may change it: whoever can get a source change past the auditors. The worst a bad anchor can do
// is everything, which is why its files are part of every review.
package anchor

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

	"golang.org/x/mod/semver"
)

//go:embed VERSION
var version string

//go:embed distribution
var distribution embed.FS

// MaxFile is the largest anchor file that is read, in bytes.
const MaxFile = 1 << 20

// ErrNoDistribution says that this build carries no distribution: updates are off.
var ErrNoDistribution = errors.New("no distribution: updates are off")

// Anchor is what a build starts from.
type Anchor struct {
	Name    string   // the distribution's name, from mirrors.json
	Root    []byte   // root.json: TUF root metadata
	Policy  []byte   // policy.json: parsed by release/genuine
	Mirrors []string // base URLs of repositories, in the order of mirrors.json
	// LogPolicy is log.policy: who runs the log and which witnesses must have cosigned, as attest/proof
	// reads it; nil when the distribution has none. It is no TUF target on purpose: whoever could change it
	// by signature could lead one victim to a private log.
	LogPolicy []byte
}

// Version returns the version of the source this program was built from, such as "1.4.0".
func Version() string { return strings.TrimSpace(version) }

// ValidVersion reports whether v is a version as this project writes them: three numbers and perhaps
// a pre-release, no leading "v", no build metadata, canonical.
func ValidVersion(v string) bool {
	return semver.IsValid("v"+v) && semver.Canonical("v"+v) == "v"+v
}

// CompareVersions orders two valid versions as semver does: negative when a is older than b.
func CompareVersions(a, b string) int { return semver.Compare("v"+a, "v"+b) }

// Embedded returns the distribution compiled into this program, or ErrNoDistribution.
func Embedded() (Anchor, error) {
	sub, err := fs.Sub(distribution, "distribution")
	if err != nil {
		return Anchor{}, err
	}
	return Load(sub)
}

// Load reads an anchor from a directory that holds root.json, policy.json, mirrors.json and perhaps
// log.policy. Without a root.json it returns ErrNoDistribution; with another of the first three missing it
// is an error.
func Load(dir fs.FS) (Anchor, error) {
	root, err := fs.ReadFile(dir, "root.json")
	if errors.Is(err, fs.ErrNotExist) {
		return Anchor{}, ErrNoDistribution
	}
	if err != nil {
		return Anchor{}, err
	}
	policy, err := fs.ReadFile(dir, "policy.json")
	if err != nil {
		return Anchor{}, fmt.Errorf("anchor has a root.json but no policy: %w", err)
	}
	list, err := fs.ReadFile(dir, "mirrors.json")
	if err != nil {
		return Anchor{}, fmt.Errorf("anchor has a root.json but no mirror list: %w", err)
	}
	name, mirrors, err := ParseMirrors(list)
	if err != nil {
		return Anchor{}, err
	}
	log, err := fs.ReadFile(dir, "log.policy")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Anchor{}, err
	}
	if len(log) > MaxFile {
		return Anchor{}, fmt.Errorf("log.policy: %d bytes, at most %d allowed", len(log), MaxFile)
	}
	return Anchor{Name: name, Root: root, Policy: policy, Mirrors: mirrors, LogPolicy: log}, nil
}

// mirrorsFormat names the format of mirrors.json.
const mirrorsFormat = "countersign-mirrors-1"

type mirrorsFile struct {
	Format  string   `json:"format"`
	Name    string   `json:"name"`
	Mirrors []string `json:"mirrors"`
}

// FormatMirrors prints a mirrors.json.
func FormatMirrors(name string, mirrors []string) ([]byte, error) {
	b, err := json.MarshalIndent(mirrorsFile{mirrorsFormat, name, mirrors}, "", "  ")
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	_, _, err = ParseMirrors(b)
	return b, err
}

// ParseMirrors reads a mirrors.json: {"format": "countersign-mirrors-1", "name": …, "mirrors": [URL …]}.
// Each mirror is an absolute http or https URL, or a file URL for a repository on a disk.
func ParseMirrors(b []byte) (name string, mirrors []string, err error) {
	if len(b) > MaxFile {
		return "", nil, fmt.Errorf("mirrors.json: %d bytes, at most %d allowed", len(b), MaxFile)
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	var f mirrorsFile
	if err := dec.Decode(&f); err != nil {
		return "", nil, fmt.Errorf("mirrors.json: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return "", nil, errors.New("mirrors.json: something follows the object")
	}
	if f.Format != mirrorsFormat {
		return "", nil, fmt.Errorf("mirrors.json: format %q, want %q", f.Format, mirrorsFormat)
	}
	if len(f.Mirrors) == 0 {
		return "", nil, errors.New("mirrors.json: no mirrors")
	}
	for _, m := range f.Mirrors {
		u, err := url.Parse(m)
		if err != nil {
			return "", nil, fmt.Errorf("mirrors.json: %v", err)
		}
		switch {
		case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		case u.Scheme == "file" && u.Path != "":
		default:
			return "", nil, fmt.Errorf("mirrors.json: mirror %q, want an http, https or file URL", m)
		}
	}
	return f.Name, f.Mirrors, nil
}
