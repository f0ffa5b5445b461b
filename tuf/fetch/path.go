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
