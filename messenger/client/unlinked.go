package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
)

// ErrUnlinked says that the server does not know this device any more: it was removed, or the number was registered elsewhere.
var ErrUnlinked = errors.New("the server does not know this device any more")

// UnlinkedError is ErrUnlinked for people: it says what has probably happened, and what to do. Which of the possible things it was a device cannot find out
// that nobody answers.
type UnlinkedError struct {
	Number string
	Device uint32
	// Deleted: the person has deleted the account, and kept what was said.
	Deleted bool
}

func (e *UnlinkedError) Error() string {
	if e.Deleted {
		return fmt.Sprintf("the account %s is deleted: what was said can be read, and nothing can be sent", e.Number)
	}
	what := fmt.Sprintf("%s was registered anew on another device, or the account was deleted", e.Number)
	where := "go on there"
	if e.Device != session.Master {
		what = fmt.Sprintf("the account's first device has removed this one, or %s was registered anew on another device, which removes all others", e.Number)
		where = "go on there, or link this device again"
	}
	return fmt.Sprintf("%v: %s. If that was you, %s. If it was none of your doing, somebody else has your number now, and can write in your name: tell your contacts by another way to trust no new safety number of yours, and register the number again. What is here stays, to be read and to be saved with a backup", ErrUnlinked, what, where)
}

// Refused is true where the person has deleted the account.
func (e *UnlinkedError) Refused() bool { return e.Deleted }

// Unwrap returns ErrUnlinked.
func (e *UnlinkedError) Unwrap() error { return ErrUnlinked }

const noticeUnlinked = "unlinked"

// unlinked tells the person, once, and whoever listens.
func (a *Account) unlinked(ctx context.Context) error {
	var lost *UnlinkedError
	err := a.change(ctx, func(c *change) error {
		own := c.book.Own()
		lost = &UnlinkedError{own.Number, own.Device, a.deleted.Load()}
		c.tell(Event{Type: EventConnection, Why: lost.Error(), Unlinked: true})
		return c.once(c.self(), noticeUnlinked, "", lost.Error()+".")
	})
	if lost == nil {
		return errors.Join(ErrUnlinked, err)
	}
	a.mu.Lock()
	a.lost = lost
	a.mu.Unlock()
	return errors.Join(lost, err)
}

// linked takes that back: the server knows this device after all, as after a database that was put back.
func (a *Account) linked(ctx context.Context) error {
	a.mu.Lock()
	a.lost = nil
	a.mu.Unlock()
	told := false
	err := a.view(ctx, func(c *change) (err error) {
		_, told, err = c.tx.Get(store.Settings, toldName(c.self(), noticeUnlinked, ""))
		return err
	})
	if err != nil || !told {
		return err
	}
	return a.change(ctx, func(c *change) error { return c.tx.Delete(store.Settings, toldName(c.self(), noticeUnlinked, "")) })
}

// Unlinked returns the UnlinkedError with which Run has ended; nil if it has not.
func (a *Account) Unlinked() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost == nil {
		return nil
	}
	return a.lost
}
