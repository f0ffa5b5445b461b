package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// settingDeleted is there once the person has deleted the account, and kept what was said.
const settingDeleted = "deleted"

// Loss is what goes with an account.
type Loss struct {
	Number        string `json:"number"`
	Devices       int    `json:"devices"` // further ones, which are cut off
	Conversations int    `json:"conversations"`
	Groups        int    `json:"groups"`   // that we are in
	Messages      int    `json:"messages"` // and notices
	Queued        int    `json:"queued"`   // messages that some have not got yet
	// Deleted: the account itself is deleted already; what is left is here.
	Deleted bool `json:"deleted,omitempty"`
}

// Loss tells what goes if the account is deleted now.
func (a *Account) Loss(ctx context.Context) (l Loss, err error) {
	others, err := a.listed(ctx)
	if err != nil {
		return l, err
	}
	l.Devices, l.Deleted = len(others), a.deleted.Load()
	err = a.view(ctx, func(c *change) error {
		l.Number = c.self()
		list, err := history.Conversations(c.tx)
		if err != nil {
			return err
		}
		for _, v := range list {
			if v.LastSeq > 0 {
				l.Conversations++
			}
		}
		err = store.All(c.tx, store.Groups, func(_ string, g groupState) error {
			if g.In(c.self()) {
				l.Groups++
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = store.All(c.tx, store.Outbox, func(_ string, j job) error {
			if j.Message != 0 {
				l.Queued++
			}
			return nil
		})
		if err != nil {
			return err
		}
		l.Messages, err = c.tx.CountMessages()
		return err
	})
	return l, err
}

// Delete ends the account on the server, closes it, and removes everything here; or, if keep is set, leaves what was said to be read. As long as the server
// has not said that the account is no more, nothing here changes. Cut off after that, doing it again does the rest. Run must not be running.
func (a *Account) Delete(ctx context.Context, keep bool) error {
	if !a.deleted.Load() {
		if err := a.deleteThere(ctx); err != nil {
			return err
		}
	}
	if keep {
		return a.keepHistory(ctx)
	}
	if err := errors.Join(a.Close(), os.RemoveAll(a.filesDir())); err != nil {
		return err
	}
	return store.Remove(a.Dir)
}

// deleteThere ends the account on the server. One that the server does not know any more is gone already, unless it has another number by now.
func (a *Account) deleteThere(ctx context.Context) error {
	own, err := a.Own(ctx)
	if err != nil {
		return err
	}
	if own.Device != session.Master {
		return &deviceError{fmt.Sprintf("device %d cannot delete the account: use its first device", own.Device)}
	}
	err = a.deleteAs(ctx)
	if remote.Status(err) != http.StatusUnauthorized {
		return err
	}
	moved, err := a.hasMoved(ctx)
	if err != nil {
		return err
	}
	if moved {
		return a.deleteAs(ctx)
	}
	return nil
}

func (a *Account) deleteAs(ctx context.Context) error {
	who, err := a.login(ctx)
	if err != nil {
		return err
	}
	return a.server.DeleteAccount(ctx, who)
}

// keepHistory leaves an account that can be read and does nothing more. What was to be sent has failed.
func (a *Account) keepHistory(ctx context.Context) error {
	err := a.change(ctx, func(c *change) error {
		err := store.All(c.tx, store.Outbox, func(id string, j job) error {
			for _, name := range j.To {
				if j.Message == 0 {
					break
				}
				if err := c.delivered(j.Message, name, history.Delivery{State: history.Failed, Why: "the account was deleted before", When: c.now}); err != nil {
					return err
				}
			}
			return c.changeJob(id, func(j *job) error { j.To = nil; return nil })
		})
		if err != nil {
			return err
		}
		err = store.All(c.tx, store.Receipts, func(name string, _ []uint64) error { return c.tx.Delete(store.Receipts, name) })
		if err != nil {
			return err
		}
		return c.tx.Put(store.Settings, settingDeleted, nil)
	})
	if err == nil {
		a.deleted.Store(true)
	}
	return err
}

// deviceError says that only the account's first device may do something.
type deviceError struct{ text string }

func (e *deviceError) Error() string { return e.text }

// Refused is true.
func (e *deviceError) Refused() bool { return true }
