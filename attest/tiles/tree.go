package tiles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-project/countersign/attest/proof"
)

// maxCache is how many whole tiles are held in memory: 512 KiB.
const maxCache = 64

// ErrCorrupt says that files of a log do not lead to the head they are read for. Whoever keeps them changed
// them, or they are of a fork.
var ErrCorrupt = errors.New("does not lead to the log's head")

// Tree is a log at one head. It is not safe for use by several goroutines.
type Tree struct {
	source Source
	head   proof.Head
	edge   map[File][]proof.Hash // by file; Width is that of the partial tile
	cache  map[File][]proof.Hash // whole tiles, verified
}

// Open reads the right edge of the log at a head and verifies it. The head must be trusted already: see
// proof.Policy.Open. A size beyond proof.MaxSize is refused.
func Open(ctx context.Context, s Source, head proof.Head) (*Tree, error) {
	t := &Tree{source: s, head: head, edge: map[File][]proof.Hash{}, cache: map[File][]proof.Hash{}}
	if head.Size > proof.MaxSize {
		return nil, fmt.Errorf("log of %d entries, at most 2^62 allowed", head.Size)
	}
	for {
		if err := t.readEdge(ctx); err != nil {
			return nil, err
		}
		root, err := t.root(ctx)
		if err != nil || root == head.Root {
			return t, err
		}
		err = fmt.Errorf("right edge of %d entries: %w: root %v, want %v", head.Size, ErrCorrupt, root, head.Root)
		if !t.reject(err) {
			return nil, err
		}
	}
}

// RootOf computes the root of a log of this size from the right edge of its files. It believes the files:
// it is for the one who wrote them.
func RootOf(ctx context.Context, s Source, size uint64) (proof.Hash, error) {
	t := &Tree{source: s, head: proof.Head{Size: size}, edge: map[File][]proof.Hash{}}
	if err := t.readEdge(ctx); err != nil {
		return proof.Hash{}, err
	}
	return t.root(ctx)
}

// Head is the head the tree was opened with.
func (t *Tree) Head() proof.Head { return t.head }

// reject tells a source of several places that the edge was wrong; they could not be told apart.
func (t *Tree) reject(why error) bool {
	r, ok := t.source.(rejecter)
	if !ok {
		return false
	}
	again := false
	for f := range t.edge {
		again = r.Reject(f.Path(), why) || again
	}
	return again
}

// readEdge reads the partial tiles. One that is no longer there has become a whole one since.
func (t *Tree) readEdge(ctx context.Context) error {
	for _, f := range edge(t.head.Size) {
		b, err := t.fetch(ctx, f, func(b []byte) error { return nil })
		if err != nil {
			return err
		}
		t.edge[f] = hashes(b[:f.Width*32])
	}
	return nil
}

// fetch brings a tile of at least the file's width: the file itself, or the whole one that took its place.
func (t *Tree) fetch(ctx context.Context, f File, check func([]byte) error) ([]byte, error) {
	checked := func(want int) func([]byte) error {
		return func(b []byte) error {
			if len(b) != want*32 {
				return fmt.Errorf("tile of %d bytes, want %d: %w", len(b), want*32, ErrCorrupt)
			}
			return check(b)
		}
	}
	b, err := t.source.FetchChecked(ctx, f.Path(), f.maxFile(), checked(f.Width))
	if errors.Is(err, fs.ErrNotExist) && f.Width < Width {
		return t.source.FetchChecked(ctx, f.whole().Path(), f.whole().maxFile(), checked(Width))
	}
	return b, err
}

// tile returns the verified hashes of a tile of hashes: all that the tree has of it.
func (t *Tree) tile(ctx context.Context, level int, index uint64) ([]proof.Hash, error) {
	at := t.head.Size >> (8 * level)
	if index > at/Width || index == at/Width && at%Width == 0 {
		return nil, fmt.Errorf("internal error: tile %d of level %d in a log of %d entries", index, level, t.head.Size)
	}
	if index == at/Width {
		return t.edge[File{Level: level, Index: index, Width: int(at % Width)}], nil
	}
	f := File{Level: level, Index: index, Width: Width}
	if h, ok := t.cache[f]; ok {
		return h, nil
	}
	above, err := t.tile(ctx, level+1, index/Width)
	if err != nil {
		return nil, err
	}
	want := above[index%Width]
	b, err := t.fetch(ctx, f, func(b []byte) error {
		if got := fold(hashes(b)); got != want {
			return fmt.Errorf("%w: hash %v, want %v", ErrCorrupt, got, want)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(t.cache) >= maxCache {
		clear(t.cache)
	}
	t.cache[f] = hashes(b)
	return t.cache[f], nil
}

// root computes the root from the right edge.
func (t *Tree) root(ctx context.Context) (proof.Hash, error) {
	h, err := tlog.TreeHash(int64(t.head.Size), reader{ctx, t})
	return proof.Hash(h), err
}

// reader gives golang.org/x/mod/sumdb/tlog the hashes it asks for.
type reader struct {
	ctx  context.Context
	tree *Tree
}

func (r reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		below := level % 8 // levels of the tree inside the tile
		first := uint64(n) << below
		list, err := r.tree.tile(r.ctx, level/8, first/Width)
		if err != nil {
			return nil, err
		}
		from := int(first % Width)
		if from+1<<below > len(list) {
			return nil, fmt.Errorf("internal error: hash %d of level %d in a log of %d entries", n, level, r.tree.head.Size)
		}
		out[i] = tlog.Hash(fold(list[from : from+1<<below]))
	}
	return out, nil
}

// Inclusion proves that the entry of that index is in the log (RFC 6962 section 2.1.1).
func (t *Tree) Inclusion(ctx context.Context, index uint64) ([]proof.Hash, error) {
	if index >= t.head.Size {
		return nil, fmt.Errorf("entry %d of a log of %d", index, t.head.Size)
	}
	list, err := tlog.ProveRecord(int64(t.head.Size), int64(index), reader{ctx, t})
	return own(list), err
}

// Consistency proves that the log of the size old is the beginning of this one (RFC 6962 section 2.1.2).
// The proof is of no hashes when old is 0 or the size itself.
func (t *Tree) Consistency(ctx context.Context, old uint64) ([]proof.Hash, error) {
	if old > t.head.Size {
		return nil, fmt.Errorf("a log of %d entries was once one of %d", t.head.Size, old)
	}
	if old == 0 || old == t.head.Size {
		return nil, nil
	}
	list, err := tlog.ProveTree(int64(t.head.Size), int64(old), reader{ctx, t})
	return own(list), err
}

// Extends verifies that the log of an older head is the beginning of this one. An error that wraps
// proof.ErrNotConsistent says that it is not: the log was forked or went back, and the two checkpoints are
// the evidence.
func (t *Tree) Extends(ctx context.Context, old proof.Head) error {
	if old.Size > t.head.Size {
		return fmt.Errorf("%w: from %d entries to %d", proof.ErrNotConsistent, old.Size, t.head.Size)
	}
	list, err := t.Consistency(ctx, old.Size)
	if err != nil {
		return err
	}
	return proof.CheckConsistency(old, t.head, list)
}

func own[S ~[]tlog.Hash](list S) []proof.Hash {
	var out []proof.Hash
	for _, h := range list {
		out = append(out, proof.Hash(h))
	}
	return out
}

func hashes(b []byte) []proof.Hash {
	var out []proof.Hash
	for c := range slices.Chunk(b, 32) {
		out = append(out, proof.Hash(c))
	}
	return out
}

// fold is the hash of the perfect subtree over a power of two of hashes.
func fold(list []proof.Hash) proof.Hash {
	for list = slices.Clone(list); len(list) > 1; list = list[:len(list)/2] {
		for i := range len(list) / 2 {
			list[i] = proof.NodeHash(list[2*i], list[2*i+1])
		}
	}
	return list[0]
}
