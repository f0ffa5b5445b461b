package log

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Cosign brings the cosignatures for a checkpoint that the log has signed; attest/witness.Gatherer does. It
// may ask for consistency proofs from sizes that witnesses know. What it returns is verified here.
type Cosign func(ctx context.Context, checkpoint []byte, prove func(ctx context.Context, old uint64) ([]proof.Hash, error)) ([]byte, error)

// Options say which log to write, and where.
type Options struct {
	Dir    string
	Public string
	Policy proof.Policy  // its log's key is Key's
	Key    signer.Signer // the log's, Ed25519
	Cosign Cosign
}

// Log is an opened log. It is for one goroutine; other processes are kept out while something changes.
type Log struct {
	Options
	size  uint64                // of the tree in Dir, as far as index goes
	index map[proof.Hash]uint64 // by leaf hash
	shown []uint64              // sizes of the heads before the published one whose partial tiles are still there
}

// ForkError says that the tree in Dir does not go on from the checkpoint that is published: publishing would
// fork the log. Both checkpoints are the evidence.
type ForkError struct {
	Published, Ours []byte
	Why             error
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("the log would fork: its tree does not go on from the published checkpoint: %v; bring back the newest copy of the log's directory, or begin a log of another name", e.Why)
}

// Refused is true: two heads were compared and do not fit.
func (e *ForkError) Refused() bool { return true }

// Open opens a log, or begins one in an empty directory. Every entry is read and verified once.
func Open(ctx context.Context, o Options) (*Log, error) {
	key, err := signer.NoteKey(o.Policy.Origin(), "log", o.Key.Public())
	if err != nil {
		return nil, err
	}
	if key != o.Policy.Log().Key {
		return nil, fmt.Errorf("%s is not the key of the log %s", o.Key, o.Policy.Log().Key)
	}
	l := &Log{Options: o, index: map[proof.Hash]uint64{}}
	unlock, err := l.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := l.catchUp(ctx); err != nil {
		return nil, err
	}
	if _, _, err := l.next(ctx); err != nil {
		return nil, err
	}
	return l, l.sweep()
}

func (l *Log) lock() (func() error, error) {
	if err := durable.MkdirAll(l.Dir, 0o755); err != nil {
		return nil, err
	}
	return durable.Lock(filepath.Join(l.Dir, "lock"))
}

// catchUp reads the entries that are in the tree and not in the index: all of them at first, later those
// another process appended.
func (l *Log) catchUp(ctx context.Context) error {
	size, err := l.sequence(ctx, nil)
	if err != nil || size == l.size {
		return err
	}
	if size < l.size {
		return fmt.Errorf("%s held %d entries and holds %d: it was put back while in use", l.Dir, l.size, size)
	}
	tree, err := l.tree(ctx, size)
	if err != nil {
		return err
	}
	err = tree.Entries(ctx, l.size, size, func(n uint64, entry []byte) error {
		l.index[proof.LeafHash(entry)] = n
		return nil
	})
	if err == nil {
		l.size = size
	}
	return err
}

// tree opens our own tree. Its root is computed from the files; they are checked against each other.
func (l *Log) tree(ctx context.Context, size uint64) (*tiles.Tree, error) {
	own := tiles.Dir(os.DirFS(l.Dir))
	root, err := tiles.RootOf(ctx, own, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Dir, err)
	}
	return tiles.Open(ctx, own, proof.Head{Origin: l.Policy.Origin(), Size: size, Root: root})
}

// Append adds entries, each a line in the form that proof.ParseLeaf reads. When it returns nil all of them are
// in the log for ever. One that is there already is not added again.
func (l *Log) Append(ctx context.Context, entries [][]byte) error {
	for _, e := range entries {
		if _, err := proof.ParseLeaf(e); err != nil {
			return err
		}
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	before := l.size
	var fresh [][]byte
	seen := map[proof.Hash]bool{}
	for _, e := range entries {
		h := proof.LeafHash(e)
		if _, there := l.index[h]; !there && !seen[h] {
			seen[h] = true
			fresh = append(fresh, e)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if _, err := l.sequence(ctx, fresh); err != nil {
		return err
	}
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	return clearAway(l.Dir, before, l.size)
}

// Size is the number of entries, published or not.
func (l *Log) Size() uint64 { return l.size }

// Published returns the checkpoint that is public and its head; nil when there is none yet.
func (l *Log) Published() ([]byte, proof.Head, error) {
	b, err := os.ReadFile(filepath.Join(l.Public, tiles.Checkpoint))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, proof.Head{}, nil
	}
	if err != nil {
		return nil, proof.Head{}, err
	}
	head, err := l.Policy.Open(b)
	var few *proof.QuorumError
	if errors.As(err, &few) { // by a policy of former days; the log's own signature was good
		head, err = proof.UnverifiedHead(b)
		head.Witnesses = nil
	}
	if err != nil {
		return nil, proof.Head{}, fmt.Errorf("%s: %w", filepath.Join(l.Public, tiles.Checkpoint), err)
	}
	return b, head, nil
}

// next returns the tree as it is now and the head that is public, after making sure that one goes on from the
// other.
func (l *Log) next(ctx context.Context) (*tiles.Tree, proof.Head, error) {
	raw, public, err := l.Published()
	if err != nil {
		return nil, public, err
	}
	tree, err := l.tree(ctx, l.size)
	if err != nil || raw == nil {
		return tree, public, err
	}
	err = tree.Extends(ctx, public)
	if errors.Is(err, proof.ErrNotConsistent) {
		ours, serr := l.sign(tree.Head())
		if serr != nil {
			return nil, public, serr
		}
		return nil, public, &ForkError{raw, ours, err}
	}
	return tree, public, err
}

// sign makes the checkpoint of a head.
func (l *Log) sign(head proof.Head) ([]byte, error) {
	text := fmt.Appendf(nil, "%s\n%d\n%v\n", head.Origin, head.Size, head.Root)
	sig, err := l.Key.Sign(text)
	if err != nil {
		return nil, err
	}
	body := append(binary.BigEndian.AppendUint32(nil, l.Policy.Log().Key.Hash()), sig...)
	return fmt.Appendf(text, "\n— %s %s\n", head.Origin, base64.StdEncoding.EncodeToString(body)), nil
}
