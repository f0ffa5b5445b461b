package signer_test

import (
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
)

// A key file of the first version, which knew no witnesses, was made by that version's own program.
func TestAKeyFileOfTheFirstVersionStillOpens(t *testing.T) {
	ring, err := signer.Open([]string{filepath.Join("testdata", "before-witness.key")}, pass("correct horse"), noEnv)
	if err != nil || len(ring) != 3 {
		t.Fatalf("%v, %v", ring, err)
	}
	for i, purpose := range []string{"root", "auditor", "statement"} {
		if got := ring[i].(interface{ Purpose() string }).Purpose(); got != purpose {
			t.Errorf("key %d is for %s, want %s", i, got, purpose)
		}
		if _, err := ring[i].Sign(message); err != nil {
			t.Error(err)
		}
	}
}

func TestLogAndWitnessKeysAreFoundByTheirVerifierKeys(t *testing.T) {
	path, keys := newFile(t)
	ring, err := signer.Open([]string{path}, pass("correct horse"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	algorithms := map[string]proof.Algorithm{"log": proof.Ed25519, "witness": proof.Ed25519Cosi, "witness-mldsa": proof.MLDSA44}
	seen := 0
	for _, k := range keys {
		key, err := signer.NoteKey("example.org/ana", k.Purpose, k.Public())
		if !signer.IsNote(k.Purpose) {
			if err == nil {
				t.Errorf("a %s key was taken for a log's or witness's", k.Purpose)
			}
			continue
		}
		seen++
		if err != nil || key.Algorithm != algorithms[k.Purpose] {
			t.Fatalf("%s: %v %v", k.Purpose, key, err)
		}
		s, ok := ring.FindNote(key)
		if !ok || signer.Fingerprint(s.Public()) != signer.Fingerprint(k.Public()) {
			t.Errorf("no %s in the ring", k)
		}
		if again, err := proof.ParseKey(key.String()); err != nil || again != key {
			t.Errorf("%s reads back as %v, %v", key, again, err)
		}
		// The same bytes under another algorithm: a witness's key as a log's would sign for both.
		if key.Algorithm == proof.Ed25519Cosi {
			key, err := proof.NewKey(key.Name, proof.Ed25519, []byte(key.Public))
			if _, ok := ring.FindNote(key); err != nil || ok {
				t.Errorf("a witness key was found as a log's")
			}
		}
	}
	if seen != 3 {
		t.Errorf("%d kinds of note keys, want 3", seen)
	}
	if _, err := signer.NoteKey("two words", "log", keys[0].Public()); err == nil {
		t.Error("a key name with a space was taken")
	}
}
