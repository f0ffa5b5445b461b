// Package keyring keeps keys of stores in the keyring that the user's system has: the Secret Service on Linux (GNOME Keyring, KWallet, KeePassXC),
// the Keychain on macOS, the Credential Manager on Windows. It is the door of the library that speaks with all three.
//
// Whoever runs as this user while the keyring is unlocked can read what is in it; on Linux the key goes over the user's own session bus as it is.
// The worst a keyring can do is to lose a key: what only that key opens stays shut.
package keyring

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/countersign-project/countersign/messenger/store"
)

// service is what all our entries are filed under.
const service = "Countersign messenger"

var (
	// ErrNone: the keyring has no key of that name.
	ErrNone = errors.New("the keyring has no key for this account")
	// ErrUnavailable: there is no keyring here, or it does not answer.
	ErrUnavailable = errors.New("no keyring answers here")
)

// System is the keyring of the user who runs this program.
type System struct {
	// Getenv and Exists are the world in which the session bus is looked for; only Linux has one.
	Getenv func(string) string
	Exists func(path string) bool
	// Patience is how long an answer may take: the keyring may have to ask the person for its own password.
	Patience time.Duration
}

// Get returns the key of that name. ErrNone, ErrUnavailable.
func (s System) Get(ctx context.Context, name string) (key store.Key, err error) {
	var text string
	err = s.ask(ctx, func() (err error) {
		text, err = keyring.Get(service, name)
		return err
	})
	if err != nil {
		return key, err
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(key) {
		return key, fmt.Errorf("the keyring's entry %q of %q has %d characters and is no key, want %d of hexadecimal", name, service, len(text), 2*len(key))
	}
	return store.Key(b), nil
}

// Set keeps a key, in the place of one of the same name. ErrUnavailable.
func (s System) Set(ctx context.Context, n store.Named) error {
	return s.ask(ctx, func() error { return keyring.Set(service, n.Name, hex.EncodeToString(n.Key[:])) })
}

// Delete removes the key of that name, if there is one. ErrUnavailable.
func (s System) Delete(ctx context.Context, name string) error {
	err := s.ask(ctx, func() error { return keyring.Delete(service, name) })
	if errors.Is(err, ErrNone) {
		return nil
	}
	return err
}

// ask runs a call of the library, which knows no end: what does not come back in time is left alone.
func (s System) ask(ctx context.Context, f func() error) error {
	if err := s.session(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		switch {
		case errors.Is(err, keyring.ErrNotFound):
			return ErrNone
		case err != nil:
			return fmt.Errorf("%w: %v", ErrUnavailable, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: it took too long (%v); it may be asking for its own password on your screen", ErrUnavailable, ctx.Err())
	}
}
