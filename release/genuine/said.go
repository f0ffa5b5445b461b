package genuine

import (
	"crypto"
	"crypto/sha256"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/statement"
)

// said is one statement by a person of the policy.
type said struct {
	by    Person
	what  any    // *statement.Rebuild, *statement.Review, …
	entry []byte // by which the log knows it
}

// open reads the statements that a person of the policy signed, each once. What does not open is noise that
// anybody can add. The work that hostile evidence can cause is bounded by the number of bundles and by
// their bytes, MaxStatements and MaxFile.
func (b believed) open(bundles [][]byte) []said {
	holders := b.policy.StatementKeys()
	var pubs []crypto.PublicKey
	for _, h := range holders {
		pubs = append(pubs, h.Public)
	}
	var list []said
	seen, left := map[string]bool{}, MaxFile
	for _, raw := range bundles[:min(len(bundles), MaxStatements)] {
		if left -= len(raw); left < 0 {
			break
		}
		payload, by, err := bundle.Open(raw, pubs)
		if err != nil {
			continue
		}
		what, err := statement.Parse(payload)
		if err != nil {
			continue
		}
		h := holderOf(holders, by)
		entry := proof.StatementLeaf(sha256.Sum256(h.PKIX), sha256.Sum256(payload))
		if !seen[string(entry)] {
			seen[string(entry)] = true
			list = append(list, said{h.Person, what, entry})
		}
	}
	return list
}

func holderOf(holders []StatementKey, by crypto.PublicKey) StatementKey {
	for _, h := range holders {
		if k, ok := h.Public.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(by) {
			return h
		}
	}
	panic("internal error: a bundle opened with a key nobody gave it")
}

func keys(m map[Person]bool) []Person {
	var list []Person
	for p := range m {
		list = append(list, p)
	}
	return list
}
