//go:build unix

package log

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"k8s.io/klog/v2"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
)

const (
	// maxBatch is how many entries become one write of the tree.
	maxBatch = 1024
	// never keeps tessera from doing something of its own accord: from publishing checkpoints, since ours need witnesses, and from writing
	// half a batch because the other half is late, since the partial tiles of that size would be cleared away by nobody.
	never = 365 * 24 * time.Hour
)

// sequence appends entries and returns how many the tree holds then. Tessera runs only inside this call:
// nothing works in the background between two publications.
func (l *Log) sequence(ctx context.Context, entries [][]byte) (uint64, error) {
	// Its notes on how it is doing are for servers that are watched; errors still show.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	for {
		batch := entries[:min(maxBatch, len(entries))]
		entries = entries[len(batch):]
		size, err := l.writeBatch(ctx, batch)
		if err != nil || len(entries) == 0 {
			return size, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
}

// writeBatch appends at most maxBatch entries in one write of the tree, and returns how many it holds then.
func (l *Log) writeBatch(ctx context.Context, batch [][]byte) (uint64, error) {
	// Its queue forgets those who wait for an answer when its context ends, so it gets one of its own.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	driver, err := posix.New(ctx, posix.Config{Path: l.Dir})
	if err != nil {
		return 0, err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(noteSigner{l.Policy.Log().Key, l.Key}).
		WithCheckpointInterval(never).WithCheckpointRepublishInterval(0).
		WithGarbageCollectionInterval(0).
		WithBatching(uint(max(1, len(batch))), never)
	appender, _, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", l.Dir, err)
	}
	var futures []tessera.IndexFuture
	for _, e := range batch {
		futures = append(futures, appender.Add(ctx, tessera.NewEntry(e)))
	}
	for _, f := range futures {
		if _, err := f(); err != nil {
			return 0, fmt.Errorf("%s: %w", l.Dir, err)
		}
	}
	return reader.IntegratedSize(ctx)
}

// noteSigner signs tessera's own checkpoints, which stay in Dir.
type noteSigner struct {
	key    proof.Key
	signer signer.Signer
}

func (s noteSigner) Name() string                    { return s.key.Name }
func (s noteSigner) KeyHash() uint32                 { return s.key.Hash() }
func (s noteSigner) Sign(msg []byte) ([]byte, error) { return s.signer.Sign(msg) }
