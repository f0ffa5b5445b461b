// Command tlogproof is a foreign judge and a foreign maker of log evidence, for the tests of attest/interop.
// It shares no code with attest/proof: tlog-proofs are read by transparency-dev/formats/proof, checkpoints
// by filippo.io/torchwood, inclusion is checked by transparency-dev/merkle; logs and witnesses sign with
// torchwood (Ed25519) and formats (Ed25519 and ML-DSA-44).
//
//	tlogproof judge < cases.json    prints for each case "" or what is wrong with it
//	tlogproof make < entries.json   prints a log of the entries on standard input, signed and cosigned
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	fproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// judged is one proof with what it is to be judged by.
type judged struct {
	Log       string   // verifier key
	Witnesses []string // verifier keys
	Need      int      // so many of them
	Entry     []byte
	Proof     []byte // C2SP tlog-proof
}

func (c judged) check() error {
	var p fproof.TLogProof
	if err := p.Unmarshal(c.Proof); err != nil {
		return err
	}
	logKey, err := note.NewVerifier(c.Log)
	if err != nil {
		return err
	}
	verifiers := []note.Verifier{logKey}
	for _, w := range c.Witnesses {
		v, err := fnote.NewVerifierForCosignatureV1(w)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(p.Checkpoint, note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	// The log's own signature is among the verified ones, and all others are witnesses'.
	if _, _, _, err := log.ParseCheckpoint(p.Checkpoint, logKey.Name(), logKey); err != nil {
		return err
	}
	if len(n.Sigs)-1 < c.Need {
		return fmt.Errorf("%d cosignatures, want %d", len(n.Sigs)-1, c.Need)
	}
	head, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return err
	}
	var hashes [][]byte
	for _, h := range p.Hashes {
		hashes = append(hashes, h[:])
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(c.Entry)
	return proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, uint64(head.N), leaf, hashes, head.Hash[:])
}

// made is a log of two entries by foreign hands.
type made struct {
	Log        string
	Witnesses  []string
	Entries    [][]byte
	Hashes     [][][]byte // inclusion proof of each
	Checkpoint []byte
}

func makeLog(entries [][]byte) (made, error) {
	m := made{Entries: entries}
	h := rfc6962.DefaultHasher
	left, right := h.HashLeaf(entries[0]), h.HashLeaf(entries[1])
	m.Hashes = [][][]byte{{right}, {left}}
	text := log.Checkpoint{Origin: "foreign.example/log", Size: 2, Hash: h.HashChildren(left, right)}.Marshal()

	skey, vkey, err := note.GenerateKey(rand.Reader, "foreign.example/log")
	if err != nil {
		return m, err
	}
	logSigner, err := note.NewSigner(skey)
	if err != nil {
		return m, err
	}
	m.Log = vkey
	signers := []note.Signer{logSigner}

	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return m, err
	}
	tw, err := torchwood.NewCosignatureSigner("torchwood.example", private)
	if err != nil {
		return m, err
	}
	signers, m.Witnesses = append(signers, tw), append(m.Witnesses, tw.Verifier().String())

	edSkey, edVkey, err := note.GenerateKey(rand.Reader, "formats.example")
	if err != nil {
		return m, err
	}
	cosiVkey, err := fnote.VKeyToCosignatureV1(edVkey)
	if err != nil {
		return m, err
	}
	pqSkey, pqVkey, err := fnote.GenerateMLDSAKey("formats.example")
	if err != nil {
		return m, err
	}
	for _, k := range []struct{ skey, vkey string }{{edSkey, cosiVkey}, {pqSkey, pqVkey}} {
		s, err := fnote.NewSignerForCosignatureV1(k.skey)
		if err != nil {
			return m, err
		}
		signers, m.Witnesses = append(signers, s), append(m.Witnesses, k.vkey)
	}
	m.Checkpoint, err = note.Sign(&note.Note{Text: string(text)}, signers...)
	return m, err
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tlogproof:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want judge or make")
	}
	out := json.NewEncoder(os.Stdout)
	switch args[0] {
	case "judge":
		var cases []judged
		if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
			return err
		}
		wrong := make([]string, len(cases))
		for i, c := range cases {
			if err := c.check(); err != nil {
				wrong[i] = err.Error()
			}
		}
		return out.Encode(wrong)
	case "make":
		var entries [][]byte
		if err := json.NewDecoder(os.Stdin).Decode(&entries); err != nil {
			return err
		}
		m, err := makeLog(entries)
		if err != nil {
			return err
		}
		return out.Encode(m)
	}
	return fmt.Errorf("%q, want judge or make", args[0])
}
