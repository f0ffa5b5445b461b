package tiles

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/countersign-project/countersign/attest/proof"
)

// MaxEntry is the longest entry that is read, in bytes.
const MaxEntry = proof.MaxLeaf

// Entries calls yield with the entries from index from up to, not including, to, until it returns an error.
// An entry is verified before it is given out.
func (t *Tree) Entries(ctx context.Context, from, to uint64, yield func(index uint64, entry []byte) error) error {
	if from > to || to > t.head.Size {
		return fmt.Errorf("entries %d to %d of a log of %d", from, to, t.head.Size)
	}
	for n := from; n < to; {
		list, _, err := t.bundle(ctx, n/Width)
		if err != nil {
			return err
		}
		for i := n % Width; i < uint64(len(list)) && n < to; i, n = i+1, n+1 {
			if err := yield(n, list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// bundle returns the verified entries of a bundle: all that the tree has of it; and the file that holds just
// them.
func (t *Tree) bundle(ctx context.Context, index uint64) (list [][]byte, raw []byte, err error) {
	want, err := t.tile(ctx, 0, index)
	if err != nil {
		return nil, nil, err
	}
	f := File{Entries: true, Index: index, Width: len(want)}
	check := func(width int) func([]byte) error {
		return func(b []byte) (err error) {
			if list, err = ParseBundle(b, width); err != nil {
				return fmt.Errorf("%w: %w", err, ErrCorrupt)
			}
			list = list[:len(want)]
			for i, e := range list {
				if got := proof.LeafHash(e); got != want[i] {
					return fmt.Errorf("entry %d %w: hash %v, want %v", index*Width+uint64(i), ErrCorrupt, got, want[i])
				}
			}
			return nil
		}
	}
	raw, err = t.source.FetchChecked(ctx, f.Path(), f.maxFile(), check(f.Width))
	if errors.Is(err, fs.ErrNotExist) && f.Width < Width {
		raw, err = t.source.FetchChecked(ctx, f.whole().Path(), f.whole().maxFile(), check(Width))
		if err == nil {
			raw = formatBundle(list)
		}
	}
	return list, raw, err
}

// ParseBundle reads a bundle of so many entries.
func ParseBundle(b []byte, width int) ([][]byte, error) {
	var list [][]byte
	for len(b) > 0 {
		if len(b) < 2 || len(list) == width {
			return nil, fmt.Errorf("bundle: %d bytes after entry %d of %d", len(b), len(list), width)
		}
		n := int(binary.BigEndian.Uint16(b))
		if n > MaxEntry || n > len(b)-2 {
			return nil, fmt.Errorf("bundle: entry %d of %d bytes, with %d left and at most %d allowed", len(list), n, len(b)-2, MaxEntry)
		}
		list = append(list, b[2:2+n:2+n])
		b = b[2+n:]
	}
	if len(list) != width {
		return nil, fmt.Errorf("bundle of %d entries, want %d", len(list), width)
	}
	return list, nil
}

func formatBundle(list [][]byte) []byte {
	var b []byte
	for _, e := range list {
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b
}

// File returns a file of the log as it is at this head, verified: what a mirror stores.
func (t *Tree) File(ctx context.Context, f File) ([]byte, error) {
	if f.Entries {
		list, raw, err := t.bundle(ctx, f.Index)
		if err == nil && len(list) != f.Width {
			err = fmt.Errorf("internal error: %s in a log of %d entries", f.Path(), t.head.Size)
		}
		return raw, err
	}
	list, err := t.tile(ctx, f.Level, f.Index)
	if err != nil {
		return nil, err
	}
	var b []byte
	for _, h := range list {
		b = append(b, h[:]...)
	}
	return b, nil
}
