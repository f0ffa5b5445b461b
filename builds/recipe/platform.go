package recipe

import (
	"fmt"
	"slices"
	"strings"
)

// Platform is what a program runs on, in Go's words.
type Platform struct{ OS, Arch string }

// String returns "linux/amd64".
func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Dir returns "linux-amd64", the folder of its artifacts.
func (p Platform) Dir() string { return p.OS + "-" + p.Arch }

// File returns the file name of a program there: "messenger", or "messenger.exe" on Windows.
func (p Platform) File(program string) string {
	if p.OS == "windows" {
		return program + ".exe"
	}
	return program
}

// ParsePlatform reads "os/arch". It knows the systems and processors whose architecture variables the
// hermetic environment pins; for another one the bytes could depend on the builder's machine.
func ParsePlatform(s string) (Platform, error) {
	os, arch, ok := strings.Cut(s, "/")
	if !ok {
		return Platform{}, fmt.Errorf("platform %q, want os/arch such as \"linux/amd64\"", s)
	}
	if known := []string{"darwin", "freebsd", "linux", "windows"}; !slices.Contains(known, os) {
		return Platform{}, fmt.Errorf("platform %q: unknown system %q, want one of %s", s, os, strings.Join(known, ", "))
	}
	if known := []string{"amd64", "arm64"}; !slices.Contains(known, arch) {
		return Platform{}, fmt.Errorf("platform %q: unknown processor %q, want one of %s", s, arch, strings.Join(known, ", "))
	}
	return Platform{os, arch}, nil
}

// PlatformError says that a platform was asked for that the recipe does not have.
type PlatformError struct {
	Platform string
	Known    []Platform
}

func (e *PlatformError) Error() string {
	var known []string
	for _, p := range e.Known {
		known = append(known, p.String())
	}
	return fmt.Sprintf("platform %q is not in %s, which has %s", e.Platform, Path, strings.Join(known, ", "))
}

// Select returns the recipe's platforms that are asked for, in the recipe's order; all when none is.
// An unknown one is a *PlatformError.
func (r Recipe) Select(asked []string) ([]Platform, error) {
	if len(asked) == 0 {
		return r.Platforms, nil
	}
	for _, a := range asked {
		if !slices.ContainsFunc(r.Platforms, func(p Platform) bool { return p.String() == a }) {
			return nil, &PlatformError{a, r.Platforms}
		}
	}
	var out []Platform
	for _, p := range r.Platforms {
		if slices.Contains(asked, p.String()) {
			out = append(out, p)
		}
	}
	return out, nil
}
