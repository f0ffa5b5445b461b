package proof_test

import (
	"bytes"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
)

// seeds adds one part of all vectors, and its halves.
func seeds(f *testing.F, folder, part string) {
	for _, v := range vectors(f, folder) {
		b := v.part[part]
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
}

// FuzzParsePolicy: whatever is read has a canonical form that reads as the same policy.
func FuzzParsePolicy(f *testing.F) {
	seeds(f, "policy", "policy")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := proof.ParsePolicy(b)
		if err != nil {
			return
		}
		once := p.Encode()
		again, err := proof.ParsePolicy(once)
		if err != nil {
			t.Fatalf("%v in the canonical form\n%s", err, once)
		}
		if !bytes.Equal(again.Encode(), once) || again.Quorum().String() != p.Quorum().String() {
			t.Fatalf("the canonical form is another policy:\n%s", once)
		}
		if p.Quorum().Satisfied(func(proof.Witness) bool { return false }) {
			t.Fatalf("nobody is a quorum:\n%s", once)
		}
		if !p.Quorum().Satisfied(func(proof.Witness) bool { return true }) {
			t.Fatalf("all together are no quorum:\n%s", once)
		}
	})
}

// FuzzParse: whatever is read prints as it was.
func FuzzParse(f *testing.F) {
	seeds(f, "proof", "proof")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := proof.Parse(b)
		if err != nil {
			return
		}
		again, err := p.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read and printed again, it is another text: %v", err)
		}
		for i := range p.Leaves() {
			if _, err := p.TLogProof(i); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzParseLeaf: whatever is read prints as it was.
func FuzzParseLeaf(f *testing.F) {
	seeds(f, "proof", "entries")
	f.Add(proof.ReleaseLeaf("stable", "1.0.0", [32]byte{}))
	f.Add(proof.MetadataLeaf("root", 1, [32]byte{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := proof.ParseLeaf(b); err == nil && !bytes.Equal(l.Entry(), b) {
			t.Fatalf("%q reads as %q", b, l.Entry())
		}
	})
}

// FuzzOpen: no checkpoint is accepted but by the log and the witnesses, whose keys the fuzzer has not:
// so it can only put lines of the vectors together, and what those signed is known.
func FuzzOpen(f *testing.F) {
	seeds(f, "head", "checkpoint")
	pol := policy(f, vectors(f, "head")[0].part["policy"])
	f.Fuzz(func(t *testing.T, b []byte) {
		head, err := pol.Open(b)
		if err != nil {
			return
		}
		if head.Size != 9 && head.Size != 0 || head.Origin != pol.Origin() || len(head.Witnesses) < 2 {
			t.Fatalf("a head that nobody signed: %+v", head)
		}
	})
}
