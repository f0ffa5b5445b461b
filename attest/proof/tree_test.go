package proof_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// Every set of leaves of every small log, and some of larger ones: joined, printed, read, and taken
// apart again into what each leaf's own proof was; each checked by x/mod's tlog as well.
func TestEverySetOfLeaves(t *testing.T) {
	for size := 1; size <= 10; size++ {
		log := prooftest.NewLog("log.example/countersign")
		log.Fill(size)
		for bits := 1; bits < 1<<size; bits++ {
			var chosen []int
			for i := range size {
				if bits&(1<<i) != 0 {
					chosen = append(chosen, i)
				}
			}
			joinAndPart(t, log, chosen)
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(1000)
	for range 50 {
		joinAndPart(t, log, r.Perm(1000)[:1+r.IntN(12)])
	}
	joinAndPart(t, log, r.Perm(1000)[:proof.MaxLeaves])
}

func joinAndPart(t *testing.T, log *prooftest.Log, chosen []int) {
	t.Helper()
	var in []proof.Included
	single := map[proof.Hash]bool{}
	for _, i := range chosen {
		in = append(in, log.Included(log.Entries[i], len(log.Entries)))
		for _, h := range in[len(in)-1].Hashes {
			single[h] = true
		}
	}
	p, err := proof.New(log.Checkpoint(), in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("\n")) - 7 - len(chosen); n < 0 || n > len(single) {
		t.Fatalf("%d hashes for leaves %v of %d; their single proofs have %d different ones", n, chosen, len(log.Entries), len(single))
	}
	if p, err = proof.Parse(b); err != nil {
		t.Fatalf("%v of %d: %v", chosen, len(log.Entries), err)
	}
	head, err := proof.UnverifiedHead(p.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(chosen)
	for n, l := range p.Leaves() {
		if int(l.Index) != chosen[n] {
			t.Fatalf("leaf %d, want %d", l.Index, chosen[n])
		}
		got := inclusion(t, p, n)
		if want := log.Included(log.Entries[l.Index], len(log.Entries)).Hashes; !slices.Equal(got, want) {
			t.Fatalf("leaf %d of %v: another inclusion proof than its own", l.Index, chosen)
		}
		list := make(tlog.RecordProof, len(got))
		for i, h := range got {
			list[i] = tlog.Hash(h)
		}
		if err := tlog.CheckRecord(list, int64(head.Size), tlog.Hash(head.Root), int64(l.Index), tlog.RecordHash(log.Entries[l.Index])); err != nil {
			t.Fatalf("leaf %d of %v: %v", l.Index, chosen, err)
		}
	}
}

// inclusion reads the hashes out of a tlog-proof.
func inclusion(t *testing.T, p proof.Proof, n int) []proof.Hash {
	t.Helper()
	b, err := p.TLogProof(n)
	if err != nil {
		t.Fatal(err)
	}
	top, _, _ := bytes.Cut(b, []byte("\n\n"))
	var list []proof.Hash
	for _, line := range bytes.Split(top, []byte("\n"))[2:] {
		h, err := proof.ParseHash(string(line))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
	return list
}

func TestNewRefuses(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	log.Fill(9)
	good := func(i int) proof.Included { return log.Included(log.Entries[i], 9) }
	change := func(f func(*proof.Included)) []proof.Included {
		in := good(3)
		f(&in)
		return []proof.Included{good(5), in}
	}
	var many []proof.Included
	for range proof.MaxLeaves + 1 {
		many = append(many, good(1))
	}
	for want, in := range map[string][]proof.Included{
		"proof: 0 leaves, want 1 to 256":                           nil,
		"proof: 257 leaves, want 1 to 256":                         many,
		"proof: leaf 5 is out of order, there twice":               {good(5), good(5)},
		"proof: entry 9 of a log of 9":                             change(func(in *proof.Included) { in.Index = 9 }),
		"proof: 3 hashes for entry 3 of 9, want 4":                 change(func(in *proof.Included) { in.Hashes = in.Hashes[:3] }),
		"proof: the inclusion hashes do not lead to the":           change(func(in *proof.Included) { in.Entry = log.Entries[4] }),
		"proof: the inclusion hashes do not lead to the checkpoin": change(func(in *proof.Included) { in.Hashes[0] = proof.Hash{} }),
		`log entry "x\n": is not a line`:                           change(func(in *proof.Included) { in.Entry = []byte("x\n") }),
	} {
		if _, err := proof.New(log.Checkpoint(), in); err == nil || !bytes.HasPrefix([]byte(err.Error()), []byte(want)) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := (proof.Proof{}).Encode(); err == nil {
		t.Error("a proof of nothing was printed")
	}
	if _, _, err := (proof.Proof{}).Verify(policy(t, log.PolicyText(1, witnesses(1)...)), nil); err == nil {
		t.Error("a proof of nothing was verified")
	}
	if _, err := (proof.Policy{}).Open(log.Checkpoint()); fmt.Sprint(err) != "no log policy" {
		t.Errorf("no policy: %v", err)
	}
}
