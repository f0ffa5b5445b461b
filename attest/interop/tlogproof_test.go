package interop_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// foreigner is the program in tlogproof, which shares no code with attest/proof.
type foreigner struct{ program string }

// newForeigner builds it from its own go.mod; its modules must be there or within reach.
func newForeigner(t *testing.T) foreigner {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tlogproof")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = "tlogproof"
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must judge our proofs with a foreign program: %v\n%s", err, out)
		}
		t.Skipf("not judging our proofs with a foreign program, it cannot be built here: %v\n%s", err, out)
	}
	return foreigner{program}
}

func (f foreigner) run(t *testing.T, verb string, in, out any) {
	t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, f.program, verb)
	cmd.Stdin = bytes.NewReader(b)
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", verb, err)
	}
	if err := json.Unmarshal(said, out); err != nil {
		t.Fatalf("%s says %q: %v", verb, said, err)
	}
}

// judgedProof is what the foreign judge gets.
type judgedProof struct {
	Log       string
	Witnesses []string
	Need      int
	Entry     []byte
	Proof     []byte
}

func releaseLeaf(n int) []byte {
	return proof.ReleaseLeaf("stable", fmt.Sprintf("1.%d.0", n), sha256.Sum256(fmt.Append(nil, n)))
}

// What is exported as tlog-proofs is accepted by foreign code for the right entry and the right keys only.
func TestForeignJudgeOfTLogProofs(t *testing.T) {
	f := newForeigner(t)
	witnesses := []*prooftest.Signer{
		prooftest.NewSigner("ana.example/w", proof.Ed25519Cosi),
		prooftest.NewSigner("ana.example/w", proof.MLDSA44),
		prooftest.NewSigner("bo.example/w", proof.Ed25519Cosi),
	}
	var keys []string
	for _, w := range witnesses {
		keys = append(keys, w.Key.String())
	}
	var cases []judgedProof
	var good []bool
	add := func(c judgedProof, ok bool) { cases, good = append(cases, c), append(good, ok) }
	for _, size := range []int{1, 2, 3, 8, 13, 100, 257} {
		log := prooftest.NewLog("log.example/countersign")
		var entries [][]byte
		for i := range size {
			if i%5 == 0 {
				entries = append(entries, releaseLeaf(i))
				log.Append(releaseLeaf(i))
			} else {
				log.Fill(1)
			}
		}
		p := log.Prove(entries, witnesses...)
		for i := range p.Leaves() {
			b, err := p.TLogProof(i)
			if err != nil {
				t.Fatal(err)
			}
			c := judgedProof{log.Key.String(), keys, 3, entries[i], b}
			add(c, true)
			other := c
			other.Entry = releaseLeaf(i + 10_000)
			add(other, false)
			other = c
			other.Log = prooftest.NewSigner("log.example/countersign2", proof.Ed25519).Key.String()
			add(other, false)
			other = c
			other.Proof = bytes.Replace(b, fmt.Appendf(nil, "index %d\n", p.Leaves()[i].Index), fmt.Appendf(nil, "index %d\n", p.Leaves()[i].Index+1), 1)
			add(other, false)
			other = c
			other.Proof = bytes.Replace(b, []byte("\nlog.example"), []byte("\nlig.example"), 1)
			add(other, false)
		}
	}
	var wrong []string
	f.run(t, "judge", cases, &wrong)
	for i, c := range cases {
		if (wrong[i] == "") != good[i] {
			t.Errorf("case %d (want accepted: %v): %q for %q in\n%s", i, good[i], wrong[i], c.Entry, c.Proof)
		}
	}
}

// Whatever we accept as a checkpoint of one changed byte, foreign code accepts, too: we are never laxer.
func TestNeverLaxerThanForeignCode(t *testing.T) {
	f := newForeigner(t)
	log := prooftest.NewLog("log.example/countersign")
	log.Append(releaseLeaf(1), releaseLeaf(2))
	w := prooftest.NewSigner("ana.example/w", proof.Ed25519Cosi)
	pol, err := proof.ParsePolicy(log.PolicyText(1, w))
	if err != nil {
		t.Fatal(err)
	}
	head := log.Prove([][]byte{releaseLeaf(1)}, w)
	b, err := head.TLogProof(0)
	if err != nil {
		t.Fatal(err)
	}
	start := bytes.Index(b, []byte("\n\n")) + 2
	var cases []judgedProof
	var ours []bool
	for i := start; i < len(b); i++ {
		for _, flip := range []byte{0, 1, 2, 4, 8, 16, 32, 64, 128} {
			changed := bytes.Clone(b)
			changed[i] ^= flip
			_, err := pol.Open(changed[start:])
			cases = append(cases, judgedProof{log.Key.String(), []string{w.Key.String()}, 1, releaseLeaf(1), changed})
			ours = append(ours, err == nil)
			if (err == nil) != (flip == 0) {
				t.Errorf("byte %d changed by %d: %v", i, flip, err)
			}
		}
	}
	var wrong []string
	f.run(t, "judge", cases, &wrong)
	laxer := 0
	for i := range cases {
		if ours[i] && wrong[i] != "" {
			t.Errorf("we accept what foreign code refuses (%s):\n%s", wrong[i], cases[i].Proof)
		}
		if !ours[i] && wrong[i] == "" {
			laxer++
		}
	}
	t.Logf("of %d changed checkpoints foreign code accepts %d that we refuse", len(cases), laxer)
}

// A log and cosignatures made by torchwood and formats are accepted by us.
func TestForeignLogAndCosignatures(t *testing.T) {
	f := newForeigner(t)
	entries := [][]byte{releaseLeaf(1), releaseLeaf(2)}
	var m struct {
		Log        string
		Witnesses  []string
		Hashes     [][][]byte
		Checkpoint []byte
	}
	f.run(t, "make", entries, &m)
	pol, err := proof.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness torchwood %s\nwitness formats %s\nwitness formats-pq %s\ngroup all-three all torchwood formats formats-pq\nquorum all-three\n",
		m.Log, m.Witnesses[0], m.Witnesses[1], m.Witnesses[2]))
	if err != nil {
		t.Fatal(err)
	}
	var in []proof.Included
	for i, e := range entries {
		in = append(in, proof.Included{Entry: e, Index: uint64(i), Hashes: []proof.Hash{proof.Hash(m.Hashes[i][0])}})
	}
	p, err := proof.New(m.Checkpoint, in)
	if err != nil {
		t.Fatal(err)
	}
	head, shown, err := p.Verify(pol, append(entries, releaseLeaf(3)))
	if err != nil || fmt.Sprint(shown) != "[true true false]" || len(head.Witnesses) != 3 {
		t.Errorf("%v: shown %v, head %+v", err, shown, head)
	}
}
