package proof_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// release is a leaf that tests look for.
func release(n int) []byte {
	return proof.ReleaseLeaf("stable", fmt.Sprintf("1.%d.0", n), sha256.Sum256(fmt.Append(nil, n)))
}

// witnesses returns n signers, the odd ones with ML-DSA-44.
func witnesses(n int) []*prooftest.Signer {
	var list []*prooftest.Signer
	for i := range n {
		list = append(list, prooftest.NewSigner(fmt.Sprintf("w%d.example", i), []proof.Algorithm{proof.Ed25519Cosi, proof.MLDSA44}[i%2]))
	}
	return list
}

func policy(t testing.TB, text []byte) proof.Policy {
	t.Helper()
	p, err := proof.ParsePolicy(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return p
}

// From entries to bytes to a verdict: the entries of the proof are shown, others are not.
func TestVerify(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(5)
	log.Append(release(0))
	log.Fill(20)
	log.Append(release(1), proof.StatementLeaf([32]byte{1}, [32]byte{2}))
	log.Fill(6)
	w := witnesses(4)
	pol := policy(t, log.PolicyText(3, w...))
	entries := [][]byte{release(1), release(0), proof.StatementLeaf([32]byte{1}, [32]byte{2})}
	b, err := log.Prove(entries, w[0], w[1], w[3]).Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proof.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	head, shown, err := p.Verify(pol, append(entries, release(2), log.Entries[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(shown); got != "[true true true false false]" {
		t.Errorf("shown: %v", got)
	}
	if head.Size != 34 || head.Origin != "log.example/countersign" || len(head.Witnesses) != 3 {
		t.Errorf("head %+v", head)
	}
	for i, name := range []string{"w1", "w2", "w4"} {
		if c := head.Witnesses[i]; c.Name != name || !c.Time.Equal(prooftest.Time) {
			t.Errorf("cosigned %v, want %s", c, name)
		}
	}
	again, err := p.Encode()
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("printed again, it is another text: %v", err)
	}
	if _, _, err := p.Verify(pol, [][]byte{[]byte("countersign release stable 1.0\n")}); err == nil {
		t.Error("an entry that is no leaf was accepted")
	}
	_, _, err = log.Prove(entries, w[0], w[1]).Verify(pol, entries)
	var q *proof.QuorumError
	if !errors.As(err, &q) || strings.Join(q.Missing, " ") != "w3 w4" || strings.Join(q.Signed, " ") != "w1 w2" {
		t.Errorf("two of three witnesses: %v", err)
	}
}
