package proof_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// usual is the proof of a usual release (itself, three rebuilds, two reviews) under three Ed25519 and two
// ML-DSA-44 cosignatures.
func usual(size int) (pol []byte, entries [][]byte, text []byte) {
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(size - 6 - 4)
	entries = [][]byte{release(1)}
	for i := range 5 {
		entries = append(entries, proof.StatementLeaf([32]byte{byte(i)}, sha256.Sum256(fmt.Append(nil, size, i))))
	}
	for _, e := range entries[1:] {
		log.Append(e)
	}
	log.Append(entries[0])
	log.Fill(4)
	var w []*prooftest.Signer
	for i := range 5 {
		w = append(w, prooftest.NewSigner(fmt.Sprintf("w%d.example", i), []proof.Algorithm{proof.Ed25519Cosi, proof.MLDSA44}[i/3]))
	}
	text, err := log.Prove(entries, w...).Encode()
	if err != nil {
		panic(err)
	}
	return log.PolicyText(5, w...), entries, text
}

// BenchmarkVerify reads the policy and the proof and verifies it, as a device does for an update.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		pol, entries, text := usual(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				p, err := proof.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				rule, err := proof.ParsePolicy(pol)
				if err != nil {
					b.Fatal(err)
				}
				if _, shown, err := p.Verify(rule, entries); err != nil || !shown[0] || !shown[5] {
					b.Fatal(err, shown)
				}
			}
			b.ReportMetric(float64(len(text)), "proof-bytes")
		})
	}
}
