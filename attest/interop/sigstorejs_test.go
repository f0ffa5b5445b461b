package interop_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
)

// sigstorejs finds node and the pinned verifier, which it installs where it is missing and npm is there.
func sigstorejs(t *testing.T) {
	t.Helper()
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must verify our bundles with @sigstore/verify: "+format, args...)
		}
		t.Skipf("not verifying our bundles with @sigstore/verify: "+format, args...)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat("sigstorejs/node_modules/@sigstore/verify"); err == nil {
		return
	}
	if _, err := exec.LookPath("npm"); err != nil {
		missing("sigstorejs/node_modules is missing and npm is not installed")
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = "sigstorejs"
	if out, err := npm.CombinedOutput(); err != nil {
		missing("npm ci: %v\n%s", err, out)
	}
}

// asked is one bundle and the keys a verifier knows by their hints.
type asked struct {
	Bundle string            `json:"bundle"`
	Keys   map[string]string `json:"keys"`
}

type answer struct {
	Payload []byte
	Refused string
	Message string
}

func ask(t *testing.T, b []byte, keys ...crypto.PublicKey) asked {
	t.Helper()
	pems := map[string]string{}
	for _, k := range keys {
		hint, err := bundle.Hint(k)
		if err != nil {
			t.Fatal(err)
		}
		pems[hint] = string(pemOf(t, k))
	}
	return asked{string(b), pems}
}

// answers asks npm's verifier about all of them, in one process.
func answers(t *testing.T, questions []asked) []answer {
	t.Helper()
	in, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	node := exec.CommandContext(ctx, "node", "sigstorejs/verify.mjs")
	node.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	var stderr bytes.Buffer
	node.Stdin, node.Stderr = bytes.NewReader(in), &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("verify.mjs: %v\n%s", err, stderr.String())
	}
	var list []answer
	if err := json.Unmarshal(out, &list); err != nil || len(list) != len(questions) {
		t.Fatalf("verify.mjs printed %q for %d questions: %v", out, len(questions), err)
	}
	return list
}

// ours is our own reader's opinion.
func ours(b []byte, keys ...crypto.PublicKey) error {
	_, _, err := bundle.Open(b, keys)
	return err
}

// npm's verifier accepts every kind of statement, and so do we; and of what was changed neither accepts
// anything. It looks at the signature alone: comparing the subject is its caller's work.
func TestSigstoreJSVerifies(t *testing.T) {
	sigstorejs(t)
	for _, purpose := range []string{"statement", "auditor"} { // P-256, Ed25519
		all := statements(t, purpose)
		for i, s := range all {
			other := all[(i+1)%len(all)]
			wrong := append(statementForgeries(t, s), envelopeForgeries(t, s, other)...)
			questions := []asked{ask(t, s.bundle, s.key, other.key), ask(t, s.bundle, other.key), ask(t, hinted(t, s, other), s.key, other.key)}
			for _, f := range wrong {
				questions = append(questions, ask(t, f.bundle, s.key, other.key))
			}
			got := answers(t, questions)
			if !bytes.Equal(got[0].Payload, s.payload) {
				t.Errorf("%s %s: %s: %s", purpose, s.kind, got[0].Refused, got[0].Message)
			}
			if got[1].Refused != "NO_KEY" {
				t.Errorf("%s %s, another key: %q: %s", purpose, s.kind, got[1].Refused, got[1].Message)
			}
			if got[2].Refused != "SIGNATURE_ERROR" {
				t.Errorf("%s %s, another key's hint: %q: %s", purpose, s.kind, got[2].Refused, got[2].Message)
			}
			for j, f := range wrong {
				if got[3+j].Refused == "" {
					t.Errorf("%s %s: npm's verifier accepts it", purpose, f.what)
				}
				if ours(f.bundle, s.key, other.key) == nil {
					t.Errorf("%s %s: our reader accepts it", purpose, f.what)
				}
			}
		}
	}
}
