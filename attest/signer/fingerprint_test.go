package signer_test

import (
	"crypto/rand"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/tuf/repo"
)

// Auditors compare what a proposal shows (tuf/repo) with what their key tool shows (this package).
func TestBothFingerprintsAreTheSame(t *testing.T) {
	keys, err := signer.Generate([]string{"auditor", "statement"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if a, b := signer.Fingerprint(k.Public()), repo.Fingerprint(k.Public()); a != b {
			t.Errorf("%s here, %s in tuf/repo", a, b)
		}
	}
}
