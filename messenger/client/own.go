package client

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// ChangePassphrase locks what is kept here with another passphrase. Copies made before still open with the old one.
func (a *Account) ChangePassphrase(ctx context.Context, old, new []byte, cost store.Cost) error {
	return a.store.ChangePassphrase(ctx, old, new, cost)
}

// ChangeNumber moves the account to a telephone number, for which a code was brought (RequestCode). Devices, keys, groups and conversations stay;
// contacts see a new number, which they have to be told, and a new safety number, since that is made of it.
func (a *Account) ChangeNumber(ctx context.Context, to, code string) error {
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	if own.Device != session.Master {
		return fmt.Errorf("device %d cannot change the number: use the account's first one", own.Device)
	}
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	others, err := a.listed(ctx)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("the account has %d further devices, which would not learn of the new number: remove them, and link them again afterwards", len(others))
	}
	if err := a.server.ChangeNumber(ctx, who, api.NumberChange{Number: to, Code: code}); err != nil {
		return err
	}
	if err := a.change(ctx, func(c *change) error {
		own := c.book.Own()
		own.Number = to
		if err := history.Change(c.tx, to, func(v *history.Conversation) { v.Accepted = true }); err != nil {
			return err
		}
		return c.book.SaveOwn(own)
	}); err != nil {
		return fmt.Errorf("the server calls this account %s now, and this device could not note that: %w", to, err)
	}
	return a.publishList(ctx, nil)
}
