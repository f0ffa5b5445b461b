package client

import (
	"context"

	"github.com/countersign-project/countersign/messenger/store"
)

// ChangePassphrase locks what is kept here with another passphrase. Copies made before still open with the old one.
func (a *Account) ChangePassphrase(ctx context.Context, old, new []byte, cost store.Cost) error {
	return a.store.ChangePassphrase(ctx, old, new, cost)
}
