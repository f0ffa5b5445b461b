package hermetic

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"
)

// ToolchainError says that a GOROOT is not the toolchain that the recipe names.
type ToolchainError struct {
	Goroot    string
	What      string // "version", "hash", "host", or the file that has no place in a toolchain
	Got, Want string
}

func (e *ToolchainError) Error() string {
	switch e.What {
	case "version":
		return fmt.Sprintf("toolchain %s is %q, want %q", e.Goroot, e.Got, e.Want)
	case "hash":
		return fmt.Sprintf("toolchain %s has hash %s, want %s: it is not the one in the Go checksum database, a file was added, changed or removed", e.Goroot, e.Got, e.Want)
	case "host":
		return fmt.Sprintf("no toolchain hash is known for building on %s", e.Got)
	}
	return fmt.Sprintf("toolchain %s holds %q, which is neither a plain file nor a directory", e.Goroot, e.What)
}

// Refused reports true.
func (e *ToolchainError) Refused() bool { return true }

// leftOut are folders that an installed toolchain has and the module form in the checksum database has
// not. Nothing below them is compiled or run.
var leftOut = map[string]bool{"api": true, "doc": true, "misc": true, "test": true}

// VerifyToolchain hashes every file of a GOROOT and wants the checksum database's hash of
// golang.org/toolchain@v0.0.1-<version>.<os>-<arch> (host is "os/arch", want is "h1:…" or empty when the
// recipe has none for this host). A mismatch is a *ToolchainError.
//
// An installed toolchain differs from the module form in four ways, and only these are allowed for: the
// folders of leftOut; go.mod files are named _go.mod in modules; and go.env may say GOTOOLCHAIN=local
// where the distributed file says auto, an edit that packagers make. The last cannot matter, since the
// box sets GOTOOLCHAIN and ignores go.env's other defaults by pinning each of them.
//
// The files are checked once, before the build. Whoever can write to them during the build owns the
// machine's account already.
func VerifyToolchain(goroot, version, host, want string) error {
	goroot, err := filepath.EvalSymlinks(goroot)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	if want == "" {
		return &ToolchainError{goroot, "host", host, ""}
	}
	head, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return &ToolchainError{goroot, "version", "", version} // a GOROOT has one, and ours is in the hash
	}
	if err != nil {
		return err
	}
	// The hash covers this file too; reading it first answers the most common mistake at once.
	if first, _, _ := strings.Cut(string(head), "\n"); first != version {
		return &ToolchainError{goroot, "version", first, version}
	}
	got, err := ToolchainHash(goroot, version, host)
	if err != nil {
		return err
	}
	if got != want {
		return &ToolchainError{goroot, "hash", got, want}
	}
	return nil
}

// ToolchainHash is the h1 of a GOROOT in the form the checksum database has it.
func ToolchainHash(goroot, version, host string) (string, error) {
	prefix := "golang.org/toolchain@v0.0.1-" + version + "." + strings.Replace(host, "/", "-", 1) + "/"
	var names []string
	paths := map[string]string{}
	err := filepath.WalkDir(goroot, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == goroot {
			return err
		}
		rel, err := filepath.Rel(goroot, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && leftOut[rel]:
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return &ToolchainError{goroot, rel, "", ""}
		}
		if rel == "go.mod" || strings.HasSuffix(rel, "/go.mod") {
			rel = strings.TrimSuffix(rel, "go.mod") + "_go.mod"
		}
		names = append(names, prefix+rel) // both spellings present make two lines, and another hash
		paths[prefix+rel] = p
		return nil
	})
	if err != nil {
		return "", err
	}
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		if name == prefix+"go.env" {
			return openGoEnv(paths[name])
		}
		return os.Open(paths[name])
	})
}

// openGoEnv reads GOROOT/go.env with the packagers' edit undone.
func openGoEnv(path string) (io.ReadCloser, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		if line == "GOTOOLCHAIN=local" {
			lines[i] = "GOTOOLCHAIN=auto"
		}
	}
	return io.NopCloser(bytes.NewReader([]byte(strings.Join(lines, "\n")))), nil
}

// FindToolchain returns the GOROOT that an environment means: GOROOT itself, or the one around the go
// program in PATH. It is a guess; VerifyToolchain decides.
func FindToolchain(environ []string) (string, error) {
	var path string
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if name == "GOROOT" && value != "" {
			return value, nil
		}
		if strings.EqualFold(name, "PATH") {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		for _, name := range []string{"go", "go.exe"} {
			p, err := filepath.EvalSymlinks(filepath.Join(dir, name))
			if err != nil || !filepath.IsAbs(p) {
				continue
			}
			root := filepath.Dir(filepath.Dir(p))
			if _, err := os.Stat(filepath.Join(root, "VERSION")); err == nil {
				return root, nil
			}
		}
	}
	return "", errors.New("no Go toolchain in PATH or GOROOT")
}
