package source

import (
	"bytes"
	"encoding/hex"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/module"
)

// Git's modes for what a tree may hold here.
const (
	modeFile    = "100644"
	modeProgram = "100755"
	modeLink    = "120000"
	modeDir     = "40000"
	modeModule  = "160000" // submodule: a commit of another repository
)

// file is one entry of the whole tree, directories left out.
type file struct {
	path string // slash separated
	mode string
	id   string
}

// list walks a tree object and returns its files sorted by path, or refuses it.
func list(objects *objects, tree string) ([]file, error) {
	var files []file
	count := 0 // directories too, since a tree can name one subtree many times over
	var walk func(id, dir string) error
	walk = func(id, dir string) error {
		body, err := objects.read(id, "tree")
		if err != nil {
			return err
		}
		entries, err := parseTree(id, body)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if dir != "" {
				e.path = dir + "/" + e.path // not path.Join, which would resolve a name ".."
			}
			if err := checkName(e.path); err != nil {
				return err
			}
			switch e.mode {
			case modeDir:
				err = walk(e.id, e.path)
			case modeFile, modeProgram, modeLink:
				files = append(files, e)
			case modeModule:
				err = refusef("source has a submodule %q: its files are not part of the tree's hash", e.path)
			default:
				err = refusef("source has %q with git mode %s, want a plain file, a program, a link or a directory", e.path, e.mode)
			}
			if err != nil {
				return err
			}
			if count++; count > maxFiles {
				return refusef("source has more than %d files", maxFiles)
			}
		}
		return nil
	}
	if err := walk(tree, ""); err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, checkCollisions(files)
}

// parseTree reads a tree object: entries of "mode name NUL" and 20 bytes of SHA-1.
func parseTree(id string, body []byte) ([]file, error) {
	var out []file
	for len(body) > 0 {
		head, rest, ok := bytes.Cut(body, []byte{0})
		mode, name, ok2 := bytes.Cut(head, []byte(" "))
		if !ok || !ok2 || len(rest) < 20 || len(name) == 0 {
			return nil, refusef("git tree %s is malformed", id)
		}
		if bytes.ContainsRune(name, '/') {
			return nil, refusef("git tree %s has a name with a slash: %q", id, name)
		}
		out = append(out, file{path: string(name), mode: string(mode), id: hex.EncodeToString(rest[:20])})
		body = rest[20:]
	}
	return out, nil
}

// checkName refuses what is not the same plain file name on every system: control characters, "..",
// names Windows reserves, and git's own directory.
func checkName(p string) error {
	for _, r := range p {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return refusef("source has a file name with a control character or bad UTF-8: %q", p)
		}
	}
	if err := module.CheckFilePath(p); err != nil {
		return refusef("source has a file name that not every system can hold: %v", err)
	}
	if strings.EqualFold(path.Base(p), ".git") {
		return refusef("source has a file named %q", p)
	}
	return nil
}

// checkCollisions refuses two names that are one file on systems that ignore case.
func checkCollisions(files []file) error {
	seen := map[string]string{}
	for _, f := range files {
		for p := f.path; p != "."; p = path.Dir(p) {
			fold := strings.ToLower(strings.ToUpper(p))
			if other, ok := seen[fold]; ok && other != p {
				return refusef("source has both %q and %q, which are one file on some systems", other, p)
			}
			seen[fold] = p
		}
	}
	return nil
}

// write creates the files with fixed modes, whatever the umask.
func write(objects *objects, files []file, dir string) error {
	plain := map[string]bool{}
	for _, f := range files {
		plain[f.path] = f.mode != modeLink
	}
	for _, f := range files {
		body, err := objects.read(f.id, "blob")
		if err != nil {
			return err
		}
		name := filepath.Join(dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if f.mode == modeLink {
			if err := checkLink(f.path, string(body), plain); err != nil {
				return err
			}
			if err := os.Symlink(filepath.FromSlash(string(body)), name); err != nil {
				return err
			}
			continue
		}
		mode := os.FileMode(0o644)
		if f.mode == modeProgram {
			mode = 0o755
		}
		if err := os.WriteFile(name, body, mode); err != nil {
			return err
		}
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
	}
	return nil
}

// checkLink refuses a symbolic link unless it names a plain file of the same tree. A link to anything
// else could bring bytes of the builder's machine into the build.
func checkLink(link, target string, plain map[string]bool) error {
	to := path.Join(path.Dir(link), target)
	if path.IsAbs(target) || strings.ContainsAny(target, "\\:\x00") || to == ".." || strings.HasPrefix(to, "../") {
		return refusef("source has a link %q that leaves the tree: it points to %q", link, target)
	}
	if !plain[to] {
		return refusef("source has a link %q to %q, which is not a plain file of the tree", link, target)
	}
	return nil
}
