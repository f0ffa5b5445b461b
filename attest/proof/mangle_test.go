package proof_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// small is a proof of two leaves with all its signatures by keys of the policy, and that policy.
func small(t testing.TB) (pol proof.Policy, entries [][]byte, text []byte) {
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(4)
	log.Append(release(1))
	log.Fill(7)
	log.Append(release(2))
	log.Fill(3)
	w := witnesses(2)
	entries = [][]byte{release(1), release(2)}
	text, err := log.Prove(entries, w...).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return policy(t, log.PolicyText(2, w...)), entries, text
}

// accepted reports whether a text shows one of the entries.
func accepted(pol proof.Policy, entries [][]byte, text []byte) bool {
	p, err := proof.Parse(text)
	if err != nil {
		return false
	}
	_, shown, err := p.Verify(pol, entries)
	return err == nil && (shown[0] || shown[1])
}

// Nothing that differs from a good proof by one byte, a cut or an addition is a proof.
func TestManglings(t *testing.T) {
	pol, entries, text := small(t)
	if !accepted(pol, entries, text) {
		t.Fatal("the good proof was refused")
	}
	for i := range text {
		for _, flip := range []byte{0x01, 0x04, 0x20, 0x80} {
			b := bytes.Clone(text)
			b[i] ^= flip
			if accepted(pol, entries, b) {
				t.Fatalf("byte %d changed by %#x: still accepted:\n%s", i, flip, around(b, i))
			}
		}
		if accepted(pol, entries, text[:i]) {
			t.Fatalf("the first %d of %d bytes were accepted", i, len(text))
		}
		if i > 0 && accepted(pol, entries, text[i:]) {
			t.Fatalf("the text from byte %d on was accepted", i)
		}
		if b := append(bytes.Clone(text[:i]), text[i+1:]...); accepted(pol, entries, b) {
			t.Fatalf("without byte %d it was accepted:\n%s", i, around(b, i))
		}
		for _, c := range []byte("\n A=0") {
			b := append(append(bytes.Clone(text[:i]), c), text[i:]...)
			if accepted(pol, entries, b) {
				t.Fatalf("with %q at byte %d it was accepted:\n%s", c, i, around(b, i))
			}
		}
	}
	for _, tail := range []string{"\n", " ", "x", "\x00", "— x AAAA\n"} {
		if accepted(pol, entries, append(bytes.Clone(text), tail...)) {
			t.Errorf("with %q at the end it was accepted", tail)
		}
	}
	// The one thing that may be added: a signature by a stranger, which says nothing.
	if !accepted(pol, entries, append(bytes.Clone(text), "— x.example AAAAAAAA\n"...)) {
		t.Error("a stranger's signature spoiled the proof")
	}
}

func around(b []byte, i int) string { return string(b[max(0, i-60):min(len(b), i+60)]) }

// A policy of which one byte is changed is refused, or is the same policy but for a name that only it
// uses, a spelling or a number: it never has other keys.
func TestPolicyManglings(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	text := log.PolicyText(2, witnesses(3)...)
	good := policy(t, text)
	keys := func(p proof.Policy) string {
		var b strings.Builder
		b.WriteString(p.Log().Key.String())
		for _, w := range p.Witnesses() {
			b.WriteString("\n" + w.Key.String())
		}
		return b.String()
	}
	for i := range text {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(text)
			b[i] ^= flip
			p, err := proof.ParsePolicy(b)
			if err != nil {
				continue
			}
			if keys(p) != keys(good) {
				t.Fatalf("byte %d changed by %#x: other keys:\n%s", i, flip, around(b, i))
			}
			if _, err := proof.ParsePolicy(p.Encode()); err != nil {
				t.Fatalf("byte %d changed by %#x: its canonical form is refused: %v", i, flip, err)
			}
		}
		if p, err := proof.ParsePolicy(text[:i]); err == nil {
			t.Fatalf("the first %d bytes are a policy: %s", i, p.Encode())
		}
	}
}

// Sizes above the limits are refused before anything is made of them.
func TestLimits(t *testing.T) {
	long := func(n int) []byte { return bytes.Repeat([]byte("x"), n+1) }
	if _, err := proof.ParsePolicy(long(proof.MaxPolicy)); err == nil || !strings.Contains(err.Error(), "at most 262144 allowed") {
		t.Error(err)
	}
	if _, err := proof.Parse(long(proof.MaxProof)); err == nil || !strings.Contains(err.Error(), "at most 524288 allowed") {
		t.Error(err)
	}
	if _, err := proof.UnverifiedHead(long(proof.MaxCheckpoint)); err == nil || !strings.Contains(err.Error(), "at most 147456 allowed") {
		t.Error(err)
	}
	if _, err := proof.ParseLeaf(long(proof.MaxLeaf)); err == nil || !strings.Contains(err.Error(), "at most 512 allowed") {
		t.Error(err)
	}
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(1)
	many := log.Checkpoint()
	for range proof.MaxSignatures {
		many = append(many, "— x.example AAAAAAAA\n"...)
	}
	if _, err := proof.UnverifiedHead(many); err == nil || !strings.Contains(err.Error(), "97 signatures, at most 96 allowed") {
		t.Error(err)
	}
	var signers []*prooftest.Signer
	for i := range proof.MaxWitnesses + 1 {
		signers = append(signers, prooftest.NewSigner(strings.Repeat("w", i+1)+".example", proof.Ed25519Cosi))
	}
	if _, err := proof.ParsePolicy(log.PolicyText(1, signers...)); err == nil || !strings.Contains(err.Error(), "more than 64 witnesses") {
		t.Error(err)
	}
	policy(t, log.PolicyText(1, signers[1:]...))
}
