package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// settingMoving is the number that we have asked the server for and may have by now. It is kept from before we ask until we know: a crash, or an
// answer that is lost, would leave an account that shows itself with a number that is no longer its own.
const settingMoving = "moving"

// ChangeNumber moves the account to a telephone number, for which a code was brought (RequestCode). Devices, keys, groups and conversations stay;
// contacts see a new number, which they have to be told, and a new safety number, since that is made of it. If it is cut off, Run finds out which
// number the account has.
func (a *Account) ChangeNumber(ctx context.Context, to, code string) error {
	if _, err := a.hasMoved(ctx); err != nil { // before another number takes the place of one that was asked for
		return err
	}
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
	if err := a.change(ctx, func(c *change) error { return store.Save(c.tx, store.Settings, settingMoving, to) }); err != nil {
		return err
	}
	if err := a.server.ChangeNumber(ctx, who, api.NumberChange{Number: to, Code: code}); err != nil {
		if !refused(err) {
			return fmt.Errorf("whether the number was changed is found out with the next connection: %w", err)
		}
		if forget := a.change(ctx, func(c *change) error { return c.tx.Delete(store.Settings, settingMoving) }); forget != nil {
			return fmt.Errorf("%w (and that could not be noted: %v)", err, forget)
		}
		return err
	}
	if err := a.moved(ctx, to); err != nil {
		return fmt.Errorf("the server calls this account %s now, and this device could not note that: %w", to, err)
	}
	return a.publishList(ctx, nil)
}

// refused tells whether the server has answered no, to us: a 401 may mean that an earlier request of ours has changed the number.
func refused(err error) bool {
	s := remote.Status(err)
	return s/100 == 4 && s != http.StatusUnauthorized && s != http.StatusRequestTimeout
}

// moved notes that the account has another number.
func (a *Account) moved(ctx context.Context, to string) error {
	return a.change(ctx, func(c *change) error {
		own := c.book.Own()
		own.Number = to
		if err := history.Change(c.tx, to, func(v *history.Conversation) { v.Accepted = true }); err != nil {
			return err
		}
		if err := c.tx.Delete(store.Settings, settingMoving); err != nil {
			return err
		}
		return c.book.SaveOwn(own)
	})
}

// hasMoved finds out, when the server does not know us any more, whether that is because a change of number was cut off after it was done. Then
// the account has its new number. An error means that the server could not be asked.
func (a *Account) hasMoved(ctx context.Context) (bool, error) {
	var to string
	var begun bool
	var own session.Own
	err := a.view(ctx, func(c *change) (err error) {
		own = c.book.Own()
		to, begun, err = store.Load[string](c.tx, store.Settings, settingMoving)
		return err
	})
	if err != nil || !begun {
		return false, err
	}
	own.Number = to
	_, err = a.server.Whoami(ctx, remote.Login{User: own.Login(), Password: own.Password})
	switch {
	case remote.Status(err) == http.StatusUnauthorized:
		return false, nil
	case err != nil:
		return false, err
	}
	return true, a.moved(ctx, to)
}
