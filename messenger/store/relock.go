package store

import (
	"context"
	"errors"
	"fmt"
)

// relock changes what opens the store, in one write: at every moment what opened it before does, or what opens it afterwards. Copies of the file that
// were made before still open as they did.
func (s *Store) relock(ctx context.Context, f func(*vault) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := readVault(ctx, s.write)
	if err != nil {
		return err
	}
	if err := f(&v); err != nil {
		return err
	}
	if len(v.byPassphrase)+len(v.byKey) == 0 {
		return errors.New("internal error: nothing would open the store")
	}
	if _, err := s.write.ExecContext(ctx, `UPDATE vault SET body = ? WHERE one = 1`, v.encode()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	_, err = s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`) // or what was sealed before would stay there
	return err
}

// ChangePassphrase puts another passphrase in the place of the one that opens the store; by opens it now. ErrPassphrase, ErrNoPassphrase, ErrKey.
func (s *Store) ChangePassphrase(ctx context.Context, by Secret, passphrase []byte, cost Cost) error {
	return s.relock(ctx, func(v *vault) error {
		if len(v.byPassphrase) == 0 {
			return ErrNoPassphrase
		}
		master, err := v.open(by)
		if err != nil {
			return err
		}
		defer clear(master)
		v.byPassphrase, err = sealVault(master, passphrase, cost)
		return err
	})
}

// Reserve notes the name under which the keyring is about to get a key, so that one that opens nothing can be found and removed.
func (s *Store) Reserve(ctx context.Context, name string) error {
	return s.relock(ctx, func(v *vault) error {
		if v.name != "" && v.name != name {
			return fmt.Errorf("internal error: key %q is noted already", v.name)
		}
		v.name = name
		return nil
	})
}

// AddKey lets a key open the store, whose name was reserved and which the keyring has. Unless keep is set the passphrase opens it no more.
func (s *Store) AddKey(ctx context.Context, by Secret, key Named, keep bool) error {
	return s.relock(ctx, func(v *vault) error {
		if v.name != key.Name {
			return fmt.Errorf("internal error: key %q, reserved is %q", key.Name, v.name)
		}
		master, err := v.open(by)
		if err != nil {
			return err
		}
		defer clear(master)
		if v.byKey, err = sealForKey(master, key); err == nil && !keep {
			v.byPassphrase = nil
		}
		return err
	})
}

// RemoveKey lets the key open the store no more; its name stays reserved. A passphrase that is given opens it from now on; with none, the one it has
// must.
func (s *Store) RemoveKey(ctx context.Context, by Secret, passphrase []byte, cost Cost) error {
	return s.relock(ctx, func(v *vault) error {
		if len(passphrase) > 0 {
			master, err := v.open(by)
			if err != nil {
				return err
			}
			defer clear(master)
			if v.byPassphrase, err = sealVault(master, passphrase, cost); err != nil {
				return err
			}
		}
		if len(v.byPassphrase) == 0 {
			return errors.New("want a passphrase: without the keyring nothing else would open the account")
		}
		v.byKey = nil
		return nil
	})
}

// Forget drops a reserved name, of which the keyring has nothing more.
func (s *Store) Forget(ctx context.Context) error {
	return s.relock(ctx, func(v *vault) error {
		if len(v.byKey) > 0 {
			return fmt.Errorf("internal error: key %q opens the store", v.name)
		}
		v.name = ""
		return nil
	})
}
