package proof

import (
	"bytes"
	"fmt"
	"strings"
)

const proofFormat = "countersign-proof-1"

// tlogProofFormat is the first line of the standard's format for one entry (C2SP tlog-proof).
const tlogProofFormat = "c2sp.org/tlog-proof@v1"

// Encode prints the proof file.
func (p Proof) Encode() ([]byte, error) {
	if len(p.leaves) == 0 {
		return nil, fmt.Errorf("proof: no leaves")
	}
	var b bytes.Buffer
	b.WriteString(proofFormat + "\n")
	for _, l := range p.leaves {
		fmt.Fprintf(&b, "leaf %d %v\n", l.Index, l.Hash)
	}
	for _, h := range p.hashes {
		fmt.Fprintf(&b, "%v\n", h)
	}
	b.WriteByte('\n')
	b.Write(p.checkpoint)
	if b.Len() > MaxProof {
		return nil, fmt.Errorf("proof: %d bytes, at most %d allowed", b.Len(), MaxProof)
	}
	return b.Bytes(), nil
}

// Parse reads a proof file and refuses anything Encode would not have written.
func Parse(b []byte) (Proof, error) {
	if len(b) > MaxProof {
		return Proof{}, fmt.Errorf("proof: %d bytes, at most %d allowed", len(b), MaxProof)
	}
	first, rest, _ := strings.Cut(string(b), "\n")
	if first != proofFormat {
		return Proof{}, fmt.Errorf("proof: format %q, want %q", clip(first), proofFormat)
	}
	top, signed, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return Proof{}, fmt.Errorf("proof: no empty line before the checkpoint")
	}
	c, err := parseCheckpoint([]byte(signed))
	if err != nil {
		return Proof{}, err
	}
	p := Proof{checkpoint: []byte(signed), size: c.size}
	for _, line := range strings.Split(top, "\n") {
		if err := p.parseLine(line); err != nil {
			return Proof{}, err
		}
	}
	return p, p.check(c)
}

// parseLine reads a line above the checkpoint: leaves first, then hashes.
func (p *Proof) parseLine(line string) error {
	words := strings.Split(line, " ")
	if words[0] != "leaf" {
		h, err := ParseHash(line)
		if err != nil {
			return fmt.Errorf("proof: line %w", err)
		}
		p.hashes = append(p.hashes, h)
		return nil
	}
	if len(words) != 3 || len(p.hashes) > 0 || len(p.leaves) == MaxLeaves {
		return fmt.Errorf("proof: line %q, want at most %d leaves with an index and a hash, and then hashes only", clip(line), MaxLeaves)
	}
	index, err := parseNumber(words[1])
	if err != nil {
		return fmt.Errorf("proof: index %q is not a number", clip(words[1]))
	}
	hash, err := ParseHash(words[2])
	if err != nil {
		return fmt.Errorf("proof: leaf %d: %w", index, err)
	}
	p.leaves = append(p.leaves, IndexedLeaf{index, hash})
	return nil
}

// TLogProof prints the i-th of Leaves as a file of the standard (C2SP tlog-proof), which other people's
// tools check with the entry, the log's key and the witnesses' keys.
func (p Proof) TLogProof(i int) ([]byte, error) {
	if i < 0 || i >= len(p.leaves) {
		return nil, fmt.Errorf("proof: leaf number %d of %d", i, len(p.leaves))
	}
	nodes := map[span]Hash{}
	if _, err := rootOf(p.size, p.leaves, p.hashes, nodes); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", tlogProofFormat, p.leaves[i].Index)
	for _, s := range path(p.leaves[i].Index, p.size) {
		fmt.Fprintf(&b, "%v\n", nodes[s])
	}
	b.WriteByte('\n')
	b.Write(p.checkpoint)
	return b.Bytes(), nil
}
