package main

import (
	"context"
	"net/http"
	"path/filepath"

	"github.com/countersign-project/countersign/attest/log"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/release/publish"
)

// openLog returns how the room's log is opened: entries of all times in ROOM/log, what the world sees of
// them in the repository, heads cosigned by the witnesses that the log policy names with an address.
func (o publisherOptions) openLog(ring signer.Ring) func(context.Context, proof.Policy) (publish.Log, error) {
	return func(ctx context.Context, policy proof.Policy) (publish.Log, error) {
		key, ok := ring.FindNote(policy.Log().Key)
		if !ok {
			return nil, &publish.NoKey{Role: "log", Holder: policy.Origin()}
		}
		gatherer := &witness.Gatherer{Policy: policy, Client: http.DefaultClient}
		return log.Open(ctx, log.Options{
			Dir:    filepath.Join(o.Room, "log"),
			Public: filepath.Join(o.Room, "repository", "log"),
			Policy: policy, Key: key, Cosign: gatherer.Cosign,
		})
	}
}
