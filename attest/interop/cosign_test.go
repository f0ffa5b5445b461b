package interop_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// cosign finds the pinned cosign, built by cosign/build.sh into the user's cache, or any on the PATH.
func cosign(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("cosign/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	pin := regexp.MustCompile(`github\.com/sigstore/cosign/v3 (v3\.\S+)`).FindSubmatch(mod)
	if pin == nil {
		t.Fatal("cosign/go.mod pins no cosign")
	}
	if cache, err := os.UserCacheDir(); err == nil {
		path := filepath.Join(cache, "countersign-interop", "cosign-"+string(pin[1]))
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath("cosign")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must verify our bundles with cosign: run attest/interop/cosign/build.sh")
		}
		t.Skip("not verifying our bundles with cosign: it is not installed; attest/interop/cosign/build.sh builds it in about 7 minutes")
	}
	return path
}

// judge runs cosign offline, in an empty home, on a bundle, a key and the file the statement is about.
func judge(t *testing.T, program string, b, key []byte, predicate, artifact string) (ok bool, said string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, program, "verify-blob-attestation", "--bundle", write("bundle.json", b), "--key", write("key.pub", key),
		"--type", predicate, "--insecure-ignore-tlog", write("artifact", []byte(artifact)))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TUF_ROOT=" + dir}
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && (!errors.As(err, &failed) || failed.ExitCode() < 0) {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	if err == nil && !strings.Contains(string(out), "Verified OK") {
		t.Fatalf("%s exits 0 and says %s", program, out)
	}
	return err == nil, string(out)
}

// cosign accepts every kind of statement about each of its subjects, and nothing that was changed.
func TestCosignVerifies(t *testing.T) {
	program := cosign(t)
	for _, purpose := range []string{"statement", "auditor"} { // P-256, Ed25519
		all := statements(t, purpose)
		for i, s := range all {
			other := all[(i+1)%len(all)]
			t.Run(purpose+" "+s.kind, func(t *testing.T) {
				t.Parallel()
				key := pemOf(t, s.key)
				for name, content := range s.subjects {
					if ok, said := judge(t, program, s.bundle, key, s.predicate, content); !ok {
						t.Errorf("about %s: %s", name, said)
					}
				}
				content := s.subjects[slices.Sorted(maps.Keys(s.subjects))[0]]
				refuse := func(what string, b, key []byte, predicate, artifact string) {
					t.Helper()
					if ok, _ := judge(t, program, b, key, predicate, artifact); ok {
						t.Errorf("%s: cosign accepts it", what)
					}
				}
				refuse("another artifact", s.bundle, key, s.predicate, content+"!")
				refuse("another type", s.bundle, key, other.predicate, content)
				refuse("another key", s.bundle, pemOf(t, other.key), s.predicate, content)
				for _, f := range envelopeForgeries(t, s, other) {
					refuse(f.what, f.bundle, key, s.predicate, content)
				}
				if purpose == "auditor" {
					return // the fields are the same
				}
				for _, f := range statementForgeries(t, s) {
					refuse(f.what, f.bundle, key, s.predicate, content)
				}
			})
		}
	}
}

// The hint only says where to look for the key. cosign is told the key and does not look at it; our own
// reader refuses a bundle whose hint is not its key's.
func TestCosignIgnoresTheHint(t *testing.T) {
	program := cosign(t)
	all := statements(t, "statement")
	changed := hinted(t, all[1], all[2])
	if ok, said := judge(t, program, changed, pemOf(t, all[1].key), all[1].predicate, manifest); !ok {
		t.Errorf("cosign now looks at the hint, write that down: %s", said)
	}
	if err := ours(changed, all[1].key, all[2].key); err == nil {
		t.Error("our reader accepts a bundle with another key's hint")
	}
}
