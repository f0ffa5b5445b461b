package recipe

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
)

var (
	goVersion   = regexp.MustCompile(`^go1\.[1-9][0-9]{0,3}\.(0|[1-9][0-9]{0,3})$`)
	programName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	buildTag    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.]{0,63}$`)
)

// checkPath wants a slash path of a file inside the tree: relative, clean, with names every system can
// hold.
func checkPath(where, p string) error {
	if p == "" {
		return wrong(where, "missing")
	}
	if err := module.CheckFilePath(p); err != nil {
		return wrong(where, "want a path inside the tree: %v", err)
	}
	return nil
}

// checkH1 wants a hash as go.sum has it: "h1:" and 32 bytes in standard base64.
func checkH1(s string) error {
	text, ok := strings.CutPrefix(s, "h1:")
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(b) != 32 || base64.StdEncoding.EncodeToString(b) != text {
		return fmt.Errorf("%q, want \"h1:\" and a sha256 in base64", s)
	}
	return nil
}

func noRepeat(where string, list []string) error {
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s] {
			return wrong(where, "%q is named twice", s)
		}
		seen[s] = true
	}
	return nil
}
