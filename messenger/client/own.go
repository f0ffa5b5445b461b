package client

import (
	"context"

	"github.com/countersign-project/countersign/messenger/store"
)

// ChangePassphrase locks what is kept here with another passphrase; by opens it now. Copies made before still open with the old one.
// store.ErrNoPassphrase if only the keyring opens it.
func (a *Account) ChangePassphrase(ctx context.Context, by store.Secret, passphrase []byte, cost store.Cost) error {
	return a.store.ChangePassphrase(ctx, by, passphrase, cost)
}
