package proof

import (
	"fmt"
	"math/bits"
)

// span is the part of the tree over the entries from lo up to but not including hi.
type span struct{ lo, hi uint64 }

// split parts a span as RFC 6962 section 2.1 does: the left side is the largest power of two that is
// smaller than the whole.
func (s span) split() (left, right span) {
	mid := s.lo + 1<<(bits.Len64(s.hi-s.lo-1)-1)
	return span{s.lo, mid}, span{mid, s.hi}
}

// IndexedLeaf is a leaf of the tree and where it stands.
type IndexedLeaf struct {
	Index uint64
	Hash  Hash
}

// climber computes the hash of a span from some of its leaves and the hashes of all parts without one.
type climber struct {
	rest  []Hash        // not yet used
	nodes map[span]Hash // if not nil, each hash that was used or computed
}

// climb returns the hash of a span. leaves are those within it, in order of their indices; at least one
// for the whole tree. It visits no more than 62 nodes for each leaf.
func (c *climber) climb(s span, leaves []IndexedLeaf) (h Hash, err error) {
	switch {
	case len(leaves) == 0:
		if len(c.rest) == 0 {
			return Hash{}, fmt.Errorf("too few hashes")
		}
		h, c.rest = c.rest[0], c.rest[1:]
	case s.hi-s.lo == 1:
		h = leaves[0].Hash
	default:
		left, right := s.split()
		n := 0
		for n < len(leaves) && leaves[n].Index < left.hi {
			n++
		}
		l, err := c.climb(left, leaves[:n])
		if err != nil {
			return Hash{}, err
		}
		r, err := c.climb(right, leaves[n:])
		if err != nil {
			return Hash{}, err
		}
		h = NodeHash(l, r)
	}
	if c.nodes != nil {
		c.nodes[s] = h
	}
	return h, nil
}

// rootOf returns the root of a tree of so many entries; every hash must be used.
func rootOf(size uint64, leaves []IndexedLeaf, hashes []Hash, nodes map[span]Hash) (Hash, error) {
	c := climber{rest: hashes, nodes: nodes}
	root, err := c.climb(span{0, size}, leaves)
	if err == nil && len(c.rest) > 0 {
		err = fmt.Errorf("%d hashes too many", len(c.rest))
	}
	return root, err
}

// gather lists the hashes that rootOf wants, in its order, out of known ones.
func gather(s span, leaves []IndexedLeaf, known map[span]Hash) ([]Hash, error) {
	if len(leaves) == 0 {
		h, ok := known[s]
		if !ok {
			return nil, fmt.Errorf("no hash for the entries %d to %d", s.lo, s.hi-1)
		}
		return []Hash{h}, nil
	}
	if s.hi-s.lo == 1 {
		return nil, nil
	}
	left, right := s.split()
	n := 0
	for n < len(leaves) && leaves[n].Index < left.hi {
		n++
	}
	l, err := gather(left, leaves[:n], known)
	if err != nil {
		return nil, err
	}
	r, err := gather(right, leaves[n:], known)
	return append(l, r...), err
}

// path lists the spans beside the way from a leaf up to the root: those whose hashes are its inclusion
// proof (RFC 6962 section 2.1.1), the leaf's neighbour first.
func path(index, size uint64) []span {
	var down []span
	for s := (span{0, size}); s.hi-s.lo > 1; {
		left, right := s.split()
		if index < left.hi {
			down, s = append(down, right), left
		} else {
			down, s = append(down, left), right
		}
	}
	for i, j := 0, len(down)-1; i < j; i, j = i+1, j-1 {
		down[i], down[j] = down[j], down[i]
	}
	return down
}
