package event

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// Sizes and counts no honest event reaches; they bound what a hostile courier can make us read.
const (
	maxFiles     = 1000
	maxSmall     = 16 << 20 // release.json, distribution.toml, base/…, metadata/…
	maxBig       = 4 << 30  // artifacts/…, source.bundle, modules.tar
	maxSignature = 4 << 10
	maxStatement = 512 << 10
	maxAnswers   = 2000 // files of signatures/ and statements/ together
)

// The names of files in an event.
const (
	fileEvent        = "event.json"
	FileRelease      = "release.json"
	FileDistribution = "distribution.toml"
	FileSource       = "source.bundle"
	FileModules      = "modules.tar"
	dirArtifacts     = "artifacts/"
	dirBase          = "base/"
	dirMetadata      = "metadata/"
	dirSignatures    = "signatures/"
	dirStatements    = "statements/"
)

var (
	roleName      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	hexNonce      = regexp.MustCompile(`^[0-9a-f]{32}$`)
	pathPiece     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)
	baseName      = regexp.MustCompile(`^base/([1-9][0-9]{0,8}\.root|[a-z][a-z0-9-]{0,31})\.json$`)
	metadataName  = regexp.MustCompile(`^metadata/[a-z][a-z0-9-]{0,31}\.json$`)
	signatureName = regexp.MustCompile(`^signatures/([a-z][a-z0-9-]{0,31})\.([0-9a-f]{64})\.json$`)
	statementName = regexp.MustCompile(`^statements/[0-9a-f]{16}\.[0-9a-f]{16}\.json$`)
)

// checkName refuses every path that is not plain: absolute, with "..", with a backslash, a drive letter,
// a hidden piece, more than three levels. Slashes only, whatever the system.
func checkName(name string) error {
	pieces := strings.Split(name, "/")
	if len(pieces) > 4 || path.Clean(name) != name {
		return fmt.Errorf("file name %q is not a plain relative path", name)
	}
	for _, p := range pieces {
		if !pathPiece.MatchString(p) || strings.Contains(p, "..") || strings.HasSuffix(p, ".") {
			return fmt.Errorf("file name %q is not a plain relative path", name)
		}
	}
	return nil
}

// limit is the largest length a file of that name may have; 0 when an event has no such file.
func limit(name string) int64 {
	switch {
	case name == fileEvent:
		return MaxEvent
	case name == FileRelease, name == FileDistribution, baseName.MatchString(name), metadataName.MatchString(name):
		return maxSmall
	case name == FileSource, name == FileModules, strings.HasPrefix(name, dirArtifacts):
		return maxBig
	case signatureName.MatchString(name):
		return maxSignature
	case statementName.MatchString(name):
		return maxStatement
	}
	return 0
}

// isBig tells the files that an export may leave behind.
func isBig(name string) bool { return limit(name) == maxBig }

// checkFiles refuses names an event of this kind does not have, and the absence of those it must have.
func (e Event) checkFiles() error {
	if len(e.Files) > maxFiles {
		return fmt.Errorf("%d files, at most %d allowed", len(e.Files), maxFiles)
	}
	for name, f := range e.Files {
		if err := checkName(name); err != nil {
			return err
		}
		if !e.mayHave(name) {
			return fmt.Errorf("file %q has no place in an event of kind %s", name, e.Kind)
		}
		if f.Length < 0 || f.Length > limit(name) {
			return fmt.Errorf("file %q: length %d, want 0 to %d", name, f.Length, limit(name))
		}
	}
	must := []string{FileDistribution}
	if e.Kind == KindRelease {
		must = []string{FileRelease, FileSource, FileModules}
	}
	if e.Kind != KindDistribution {
		must = append(must, baseTimestamp, baseSnapshot, baseTargets, basePolicy, baseMirrors)
		for n := int64(1); n <= e.Base["root"] && n <= maxFiles; n++ {
			must = append(must, baseRoot(n))
		}
	}
	for _, name := range must {
		if _, ok := e.Files[name]; !ok {
			return fmt.Errorf("file %q is missing in an event of kind %s", name, e.Kind)
		}
	}
	return nil
}

func (e Event) mayHave(name string) bool {
	switch {
	case name == FileRelease, name == FileSource, name == FileModules, strings.HasPrefix(name, dirArtifacts):
		return e.Kind == KindRelease
	case name == FileDistribution:
		return e.Kind != KindRelease
	case baseName.MatchString(name):
		return e.Kind != KindDistribution
	}
	return false
}

// printable refuses control characters and the marks that turn text around, which could make a terminal
// show something else than what is signed.
func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
