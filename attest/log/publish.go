package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Publish makes the newest head public, with the witnesses' cosignatures. Without enough of them it changes
// nothing and returns what Cosign said. When the public head is the newest and good enough, witnesses
// are not asked.
func (l *Log) Publish(ctx context.Context) (proof.Head, error) {
	unlock, err := l.lock()
	if err != nil {
		return proof.Head{}, err
	}
	defer unlock()
	if err := l.catchUp(ctx); err != nil {
		return proof.Head{}, err
	}
	_, head, err := l.publish(ctx, l.size)
	return head, err
}

// publish makes sure that a head of at least so many entries is public.
func (l *Log) publish(ctx context.Context, atLeast uint64) ([]byte, proof.Head, error) {
	raw, head, err := l.Published()
	if err != nil {
		return nil, head, err
	}
	if raw != nil && head.Size >= atLeast && head.Witnesses != nil {
		return raw, head, nil
	}
	tree, public, err := l.next(ctx)
	if err != nil {
		return nil, head, err
	}
	signed, err := l.sign(tree.Head())
	if err != nil {
		return nil, head, err
	}
	cosigned, err := l.Cosign(ctx, signed, tree.Consistency)
	if err != nil {
		return nil, head, err
	}
	head, err = l.Policy.Open(cosigned)
	if err != nil {
		return nil, head, err
	}
	if head.Size != tree.Head().Size || head.Root != tree.Head().Root {
		return nil, head, fmt.Errorf("internal error: %d entries were to be cosigned, and %d were", tree.Head().Size, head.Size)
	}
	if err := l.show(ctx, tree, public, cosigned); err != nil {
		return nil, head, err
	}
	return cosigned, head, nil
}

// show copies what the new head needs, then the head itself, and clears away what became of no use.
func (l *Log) show(ctx context.Context, tree *tiles.Tree, public proof.Head, checkpoint []byte) error {
	size := tree.Head().Size
	for f := range tiles.Files(public.Size, size) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := tree.File(ctx, f)
		if err != nil {
			return err
		}
		if err := put(filepath.Join(l.Public, filepath.FromSlash(f.Path())), b); err != nil {
			return err
		}
	}
	if err := put(filepath.Join(l.Public, tiles.Checkpoint), checkpoint); err != nil {
		return err
	}
	if public.Size == size {
		return nil // the same head, with other cosignatures
	}
	for _, old := range l.shown {
		if err := clearAway(l.Public, old, public.Size, size); err != nil {
			return err
		}
	}
	l.shown = []uint64{public.Size}
	return nil
}

// put makes a file hold b, unless it does.
func put(path string, b []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.WriteFile(path, b, 0o644)
}

// clearAway removes the partial tiles of one size that no other of these sizes needs. Those are read by nobody
// who follows the head; a reader of an older one finds the whole tile, or begins again.
func clearAway(dir string, old uint64, needed ...uint64) error {
	keep := map[string]bool{}
	for _, size := range needed {
		for _, f := range tiles.Partials(size) {
			keep[f.Path()] = true
		}
	}
	for _, f := range tiles.Partials(old) {
		if keep[f.Path()] {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(f.Path()))
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(filepath.Dir(path)) // if it is empty now
	}
	return nil
}

// sweep clears both directories of all partial tiles but those of their heads, and of what interrupted writes
// left: whatever a crash kept from being cleared away.
func (l *Log) sweep() error {
	_, public, err := l.Published()
	if err != nil {
		return err
	}
	temp := func(name string) bool { return durable.IsTemp(path.Base(name)) }
	strange := func(name string) bool { return temp(name) || !tiles.IsPath(name) }
	if err := tiles.Sweep(l.Dir, strange, l.size); err != nil {
		return err
	}
	return tiles.Sweep(l.Public, temp, public.Size)
}

// Prove returns the proof that these entries, all appended before, are in the log under a head that is public
// and that the policy believes. A head that serves already is used; else a new one is published.
func (l *Log) Prove(ctx context.Context, entries [][]byte) (proof.Proof, error) {
	unlock, err := l.lock()
	if err != nil {
		return proof.Proof{}, err
	}
	defer unlock()
	if err := l.catchUp(ctx); err != nil {
		return proof.Proof{}, err
	}
	var list []proof.Included
	var atLeast uint64
	seen := map[uint64]bool{}
	for _, e := range entries {
		n, ok := l.index[proof.LeafHash(e)]
		if !ok {
			return proof.Proof{}, fmt.Errorf("%q is not in the log", e)
		}
		if !seen[n] {
			seen[n] = true
			list = append(list, proof.Included{Entry: e, Index: n})
			atLeast = max(atLeast, n+1)
		}
	}
	checkpoint, head, err := l.publish(ctx, atLeast)
	if err != nil {
		return proof.Proof{}, err
	}
	tree, err := tiles.Open(ctx, tiles.Dir(os.DirFS(l.Public)), head)
	if err != nil {
		return proof.Proof{}, fmt.Errorf("%s: %w", l.Public, err)
	}
	for i := range list {
		if list[i].Hashes, err = tree.Inclusion(ctx, list[i].Index); err != nil {
			return proof.Proof{}, fmt.Errorf("%s: %w", l.Public, err)
		}
	}
	return proof.New(checkpoint, list)
}
