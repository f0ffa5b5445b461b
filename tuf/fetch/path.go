package fetch

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// rootPath matches the one kind of file whose absence is normal, see the package comment.
var rootPath = regexp.MustCompile(`^metadata/[0-9]+\.root\.json$`)

// checkPath refuses names that could leave the repository or mean different files on different systems.
// Paths may come from signed metadata, but a signer's mistake shall not become a hole either.
func checkPath(path string) error {
	if !fs.ValidPath(path) || path == "." || strings.ContainsAny(path, "\\\x00") {
		return fmt.Errorf("path %q, want a relative one with slashes and without dots", path)
	}
	for _, r := range path {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("path %q holds a control character", path)
		}
	}
	return nil
}

// TargetPath is where a repository with consistent snapshots keeps the target path: the sum stands before
// the file name (TUF 6.2).
func TargetPath(path string, sum [32]byte) string {
	dir, base := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, base = path[:i+1], path[i+1:]
	}
	return fmt.Sprintf("targets/%s%x.%s", dir, sum, base)
}
