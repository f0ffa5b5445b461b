package statement

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a statement's parts.
const (
	maxArtifacts = 1000
	maxEnv       = 200
	maxText      = 4096 // bytes of a reason or an environment entry
	maxLine      = 200  // bytes of other free text
)

var (
	hex64   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	gitID   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	dirHash = regexp.MustCompile(`^h1:[A-Za-z0-9+/]{43}=$`)
	goName  = regexp.MustCompile(`^go[0-9]+(\.[0-9]+){1,2}([a-z]+[0-9]+)?$`)
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_()]*=`)
	path    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$`)
)

func (r Rebuild) check() error {
	for _, f := range []struct {
		name, text string
		form       *regexp.Regexp
		want       string
	}{
		{"event", r.Event, hex64, "64 hex digits"},
		{"source commit", r.SourceCommit, gitID, "a git object id"},
		{"source tree", r.SourceTree, gitID, "a git object id"},
		{"source h1", r.SourceH1, dirHash, "h1: and 44 base64 digits"},
		{"recipe", r.Recipe, hex64, "64 hex digits"},
		{"go", r.Go, goName, "a Go version such as go1.26.8"},
		{"toolchain h1", r.ToolchainH1, dirHash, "h1: and 44 base64 digits"},
		{"go.sum", r.ModulesSum, hex64, "64 hex digits"},
	} {
		if !f.form.MatchString(f.text) {
			return fmt.Errorf("%s %q, want %s", f.name, f.text, f.want)
		}
	}
	if r.Release == [32]byte{} {
		return fmt.Errorf("release has no sha256")
	}
	if err := checkText("bootstrap", r.Bootstrap, maxLine); err != nil {
		return err
	}
	if err := checkText("builder", r.Builder, maxLine); err != nil {
		return err
	}
	if err := checkSpan(r.Started, r.Finished); err != nil {
		return err
	}
	if err := checkEnv(r.Env); err != nil {
		return err
	}
	return checkArtifacts(r.Artifacts)
}

func checkEnv(env []string) error {
	if len(env) > maxEnv {
		return fmt.Errorf("%d environment entries, at most %d", len(env), maxEnv)
	}
	for _, e := range env {
		if !envName.MatchString(e) {
			return fmt.Errorf("environment entry %q, want NAME=value", e)
		}
		if err := checkText("environment entry", e, maxText); err != nil {
			return err
		}
	}
	return nil
}

func checkArtifacts(list []Artifact) error {
	if len(list) == 0 || len(list) > maxArtifacts {
		return fmt.Errorf("%d artifacts, want 1 to %d", len(list), maxArtifacts)
	}
	for i, a := range list {
		if !path.MatchString(a.Path) || len(a.Path) > maxLine {
			return fmt.Errorf("artifact %q is no path we use", a.Path)
		}
		if i > 0 && list[i-1].Path >= a.Path {
			return fmt.Errorf("artifact %q after %q, want them sorted by path, each once", a.Path, list[i-1].Path)
		}
		if a.Length < 1 {
			return fmt.Errorf("artifact %s has %d bytes", a.Path, a.Length)
		}
	}
	return nil
}

// checkText refuses text that could break out of a line on a terminal.
func checkText(name, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%s has %d bytes, at most %d", name, len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not UTF-8", name)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s %q has characters that do not print", name, s)
	}
	return nil
}
