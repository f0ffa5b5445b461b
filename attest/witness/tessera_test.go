//go:build unix

package witness_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness/witnesstest"
)

// noteSigner is the log's key for tessera.
type noteSigner struct {
	key proof.Key
	signer.Signer
}

func (s noteSigner) Name() string    { return s.key.Name }
func (s noteSigner) KeyHash() uint32 { return s.key.Hash() }

// Tessera is a foreign client of the protocol: its own code asks our witnesses, proves consistency, and
// checks what comes back, for one kind of key after the other.
func TestTesseraIsWitnessedByUs(t *testing.T) {
	for i, kind := range []string{"Ed25519", "ML-DSA-44"} {
		t.Run(kind, func(t *testing.T) {
			w := witnesstest.New(t, origin, "ana", "bo")
			var list []tessera.Witness
			for _, p := range w.People {
				base, err := url.Parse(p.Server.URL)
				if err != nil {
					t.Fatal(err)
				}
				one, err := tessera.NewWitness(p.Keys[i].Key.String(), base)
				if err != nil {
					t.Skipf("tessera does not know %s keys: %v", kind, err)
				}
				list = append(list, one)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
				WithCheckpointSigner(noteSigner{w.Log, w.Signer}).WithCheckpointInterval(100*time.Millisecond).
				WithWitnesses(tessera.NewWitnessGroup(2, list[0], list[1]), nil))
			if err != nil {
				t.Fatal(err)
			}
			awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
			for n := range 5 {
				entry := proof.MetadataLeaf("root", int64(n+1), [32]byte{byte(n)})
				if _, _, err := awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(entry))); err != nil {
					t.Fatal(err)
				}
			}
			if err := shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			raw, err := reader.ReadCheckpoint(ctx)
			if err != nil {
				t.Fatal(err)
			}
			// Our own policy accepts what tessera gathered.
			head, err := w.Policy(t, 2).Open(raw)
			if err != nil || head.Size != 5 || len(head.Witnesses) != 2 {
				t.Fatalf("%+v, %v", head, err)
			}
		})
	}
}
