package interop_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
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

type answer struct {
	Payload []byte
	Refused string
	Message string
}

// verify asks npm's verifier, which knows these keys by their hints.
func verify(t *testing.T, text []byte, keys ...crypto.PublicKey) answer {
	t.Helper()
	pems := map[string]string{}
	for _, k := range keys {
		hint, err := bundle.Hint(k)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		pems[hint] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	in, err := json.Marshal(map[string]any{"bundle": string(text), "keys": pems})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	node := exec.CommandContext(ctx, "node", "sigstorejs/verify.mjs")
	node.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	var stderr bytes.Buffer
	node.Stdin, node.Stderr = bytes.NewReader(in), &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("verify.mjs: %v\n%s", err, stderr.String())
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("verify.mjs printed %q: %v", out, err)
	}
	return a
}

func TestSigstoreJSVerifies(t *testing.T) {
	sigstorejs(t)
	w := repotest.New(t, 3, 2)
	m := w.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("m")})
	payload, key, err := bundle.Open(m.Statements[0], []crypto.PublicKey{w.People[0].Statement.Public()})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signer.Generate([]string{"statement", "auditor"}, rand.Reader) // P-256, Ed25519
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		s, err := k.Signer()
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Sign(payload, s)
		if err != nil {
			t.Fatal(err)
		}
		if a := verify(t, b, k.Public(), key); !bytes.Equal(a.Payload, payload) {
			t.Errorf("%s: %s: %s", k, a.Refused, a.Message)
		}
		changed := strings.Replace(string(b), base64.StdEncoding.EncodeToString(payload[:30]), base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 30))), 1)
		if a := verify(t, []byte(changed), k.Public()); a.Refused != "SIGNATURE_ERROR" {
			t.Errorf("%s, another payload: %q: %s", k, a.Refused, a.Message)
		}
		if a := verify(t, b, key); a.Refused != "NO_KEY" {
			t.Errorf("%s, another key: %q: %s", k, a.Refused, a.Message)
		}
	}
}
