package client

import (
	"context"
	"crypto/rand"

	"github.com/countersign-project/countersign/messenger/signaling"
	"github.com/countersign-project/countersign/messenger/wire"
)

// TakeForTest puts an envelope of a test's making into an account's hands, as its server would.
func TakeForTest(ctx context.Context, a *Account, e wire.Envelope) bool {
	own, err := a.Own(ctx)
	if err != nil {
		panic(err)
	}
	key := signaling.Key(own.SignalingKey)
	blob, err := key.Seal(e.Encode(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return a.take(ctx, blob)
}
