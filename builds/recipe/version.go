package recipe

import (
	"strings"

	"golang.org/x/mod/semver"
)

// Version reads the committed version file: one version as this project writes them (three numbers and
// perhaps a pre-release, no leading "v", no build metadata), one newline, nothing else. The version
// comes from here alone, never from a linker flag or a tag, so that a tarball, a clone and a bundle of
// one tree agree on it.
func (r Recipe) Version(file []byte) (string, error) {
	v, ok := strings.CutSuffix(string(file), "\n")
	if !ok || len(v) > 64 || !semver.IsValid("v"+v) || semver.Canonical("v"+v) != "v"+v {
		if len(file) > 80 {
			file = append(file[:80:80], "…"...)
		}
		return "", wrong("version_file", "%s holds %q, want a version such as \"1.4.0\" and a newline", r.VersionFile, file)
	}
	return v, nil
}
