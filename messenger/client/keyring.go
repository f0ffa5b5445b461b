package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/store"
)

// Keyring keeps keys for the user of this computer.
type Keyring interface {
	// Get returns the key of that name.
	Get(ctx context.Context, name string) (store.Key, error)
	// Set keeps a key, in the place of one of the same name.
	Set(ctx context.Context, n store.Named) error
	// Delete removes the key of that name. That there is none is no error.
	Delete(ctx context.Context, name string) error
}

// NewKey makes a key for an account's store. Its name begins with the account's, for the person who looks through the keyring.
func NewKey(random io.Reader, account string) (n store.Named, err error) {
	var id [8]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return n, err
	}
	n.Name = fmt.Sprintf("%.64s %s", account, hex.EncodeToString(id[:]))
	_, err = io.ReadFull(random, n.Key[:])
	return n, err
}

// Deposit gives a key to the keyring, and looks whether it comes back: nothing may depend on a key that does not.
func Deposit(ctx context.Context, ring Keyring, n store.Named) error {
	if err := ring.Set(ctx, n); err != nil {
		return err
	}
	got, err := ring.Get(ctx, n.Name)
	if err == nil && got != n.Key {
		err = errors.New("the keyring has taken a key and gives back another one: it is not to be relied upon")
	}
	return err
}

// Locks tells what opens the account.
func (a *Account) Locks(ctx context.Context) (store.Locks, error) { return a.store.Locks(ctx) }

// TurnKeyringOn lets a key in the keyring open the account, which by opens now; unless keep is set the passphrase opens it no more. The key's name is
// noted first, then the keyring has the key, then it opens the account: cut off anywhere, what opened the account still does, and doing it again, or
// turning it off, leaves nothing behind. With a key that opens the account already it does what is left of keep.
func (a *Account) TurnKeyringOn(ctx context.Context, ring Keyring, by store.Secret, account string, keep bool) error {
	locks, err := a.Locks(ctx)
	if err != nil {
		return err
	}
	if locks.Keyring != "" {
		key, err := ring.Get(ctx, locks.Keyring)
		if err != nil || keep || !locks.Passphrase {
			return err
		}
		return a.store.AddKey(ctx, by, store.Named{Name: locks.Keyring, Key: key}, false)
	}
	n, err := NewKey(a.World.Rand, account)
	if err != nil {
		return err
	}
	if locks.Reserved != "" {
		n.Name = locks.Reserved
	}
	if err := a.store.Reserve(ctx, n.Name); err != nil {
		return err
	}
	if err := Deposit(ctx, ring, n); err != nil {
		return err
	}
	return a.store.AddKey(ctx, by, n, keep)
}

// TurnKeyringOff lets no key open the account any more: the passphrase does, or the one it has if none is given. The keyring's entry is removed after
// that; if it cannot be, its name stays noted, and doing it again tries again.
func (a *Account) TurnKeyringOff(ctx context.Context, ring Keyring, by store.Secret, passphrase []byte, cost store.Cost) error {
	locks, err := a.Locks(ctx)
	if err != nil {
		return err
	}
	if locks.Keyring != "" {
		if err := a.store.RemoveKey(ctx, by, passphrase, cost); err != nil {
			return err
		}
		locks.Reserved = locks.Keyring
	}
	if locks.Reserved == "" {
		return nil
	}
	if err := ring.Delete(ctx, locks.Reserved); err != nil {
		return fmt.Errorf("the keyring opens the account no more, but its entry %q could not be removed: %w", locks.Reserved, err)
	}
	return a.store.Forget(ctx)
}
