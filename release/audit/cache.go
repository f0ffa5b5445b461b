package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/tuf/durable"
)

// cacheOwner names the file in a build cache that says whose it is: the sha256 of the statement key in
// hex, and a newline. What a cache holds goes into the programs unseen, so whoever filled it built them;
// a rebuild with somebody else's cache would be their word twice.
const cacheOwner = "countersign-auditor"

// cache claims the cache directory for this auditor and returns the builder's directory inside it. An
// empty or new one is claimed; any other must have been claimed with the same key.
func (w *rebuilding) cache() (string, error) {
	if w.o.Cache == "" {
		return "", nil
	}
	dir, err := filepath.Abs(w.o.Cache)
	if err != nil {
		return "", err
	}
	if w.key == nil {
		return "", refusef("a build cache belongs to one auditor: with --cache the statement key is needed (--keys)")
	}
	own := keySum(w.key.Public())
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	mark := filepath.Join(dir, cacheOwner)
	got, err := os.ReadFile(mark)
	switch {
	case err == nil && strings.TrimSpace(string(got)) == own:
		return filepath.Join(dir, "build"), nil
	case err == nil:
		return "", refusef("build cache %s was filled by another auditor (statement key %s, yours is %s): a cache is never shared", dir, clip(strings.TrimSpace(string(got))), own[:16])
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if !durable.IsTemp(e.Name()) {
			return "", refusef("build cache %s is not empty and does not say whose it is: it holds %q", dir, e.Name())
		}
	}
	if err := durable.WriteFile(mark, []byte(own+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("build cache: %w", err)
	}
	return filepath.Join(dir, "build"), nil
}

func clip(s string) string {
	if s = plain(s); len(s) > 16 {
		return s[:16]
	}
	return s
}
