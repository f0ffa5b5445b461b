package proof

import (
	"bytes"
	"fmt"
	"slices"
)

// Limits of a proof file.
const (
	MaxLeaves = 256
	MaxProof  = 512 << 10 // bytes
)

// Proof shows that some entries are in a log under one head. A value made by New or Parse is sound in
// itself: its hashes lead from its leaves to the root that its checkpoint names. Whether to believe the
// checkpoint is for Verify.
type Proof struct {
	leaves     []IndexedLeaf // in order of their indices, no index and no hash twice
	hashes     []Hash        // of the parts of the tree without one of the leaves, from left to right
	checkpoint []byte        // as the log and its witnesses signed it
	size       uint64        // of the checkpoint
}

// Included is an entry with its own inclusion proof.
type Included struct {
	Entry  []byte
	Index  uint64 // from 0
	Hashes []Hash // RFC 6962 section 2.1.1: the leaf's neighbour first
}

// New joins the inclusion proofs of several entries under one checkpoint. The order of the entries does
// not matter.
func New(checkpoint []byte, entries []Included) (Proof, error) {
	c, err := parseCheckpoint(checkpoint)
	if err != nil {
		return Proof{}, err
	}
	if err := checkCount(len(entries)); err != nil {
		return Proof{}, err
	}
	p := Proof{checkpoint: bytes.Clone(checkpoint), size: c.size}
	known := map[span]Hash{}
	for _, e := range entries {
		if _, err := ParseLeaf(e.Entry); err != nil {
			return Proof{}, err
		}
		if e.Index >= c.size {
			return Proof{}, fmt.Errorf("proof: entry %d of a log of %d", e.Index, c.size)
		}
		spans := path(e.Index, c.size)
		if len(spans) != len(e.Hashes) {
			return Proof{}, fmt.Errorf("proof: %d hashes for entry %d of %d, want %d", len(e.Hashes), e.Index, c.size, len(spans))
		}
		for i, s := range spans {
			known[s] = e.Hashes[i]
		}
		p.leaves = append(p.leaves, IndexedLeaf{e.Index, LeafHash(e.Entry)})
	}
	slices.SortFunc(p.leaves, func(a, b IndexedLeaf) int {
		if a.Index < b.Index {
			return -1
		}
		return 1
	})
	if p.hashes, err = gather(span{0, c.size}, p.leaves, known); err != nil {
		return Proof{}, fmt.Errorf("proof: %w", err)
	}
	return p, p.check(c)
}

// check holds the rules of the fields.
func (p Proof) check(c checkpoint) error {
	if err := checkCount(len(p.leaves)); err != nil {
		return err
	}
	seen := map[Hash]bool{}
	for i, l := range p.leaves {
		if l.Index >= c.size || i > 0 && l.Index <= p.leaves[i-1].Index {
			return fmt.Errorf("proof: leaf %d is out of order, there twice, or not in a log of %d", l.Index, c.size)
		}
		if seen[l.Hash] {
			return fmt.Errorf("proof: leaf %v is there twice", l.Hash)
		}
		seen[l.Hash] = true
	}
	root, err := rootOf(c.size, p.leaves, p.hashes, nil)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	if root != c.root {
		return fmt.Errorf("proof: %w: got %v, want %v", ErrNotTheRoot, root, c.root)
	}
	return nil
}

func checkCount(leaves int) error {
	if leaves < 1 || leaves > MaxLeaves {
		return fmt.Errorf("proof: %d leaves, want 1 to %d", leaves, MaxLeaves)
	}
	return nil
}

// Verify checks the proof's checkpoint by a policy and says which of these entries it shows to be in
// the log. An entry that is no leaf in canonical form (see ParseLeaf) is an error.
func (p Proof) Verify(pol Policy, entries [][]byte) (Head, []bool, error) {
	head, err := pol.Open(p.checkpoint)
	if err != nil {
		return Head{}, nil, err
	}
	shown := make([]bool, len(entries))
	for i, e := range entries {
		if _, err := ParseLeaf(e); err != nil {
			return Head{}, nil, err
		}
		_, shown[i] = p.Find(e)
	}
	return head, shown, nil
}

// Find returns the place of an entry among Leaves.
func (p Proof) Find(entry []byte) (int, bool) {
	h := LeafHash(entry)
	i := slices.IndexFunc(p.leaves, func(l IndexedLeaf) bool { return l.Hash == h })
	return i, i >= 0
}

// Leaves returns the leaves that the proof shows, in order of their indices.
func (p Proof) Leaves() []IndexedLeaf { return slices.Clone(p.leaves) }

// Checkpoint returns the checkpoint with its signatures, as it is kept for evidence.
func (p Proof) Checkpoint() []byte { return bytes.Clone(p.checkpoint) }
