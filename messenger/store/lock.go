package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/countersign-project/countersign/messenger/record"
)

// Key is a random key that somebody else keeps for a store: the user's keyring.
type Key [32]byte

// Named is a key with the name under which the keyring has it. The name is random too, and no other store's: a copy of the directory has it as well.
type Named struct {
	Name string // 1 to maxKeyName bytes
	Key  Key
}

const maxKeyName = 128

// Secret opens a store: the passphrase, or, if Key is set, the keyring's key.
type Secret struct {
	Passphrase []byte
	Key        *Named
}

// Locks tells what opens a store: one of the two at least.
type Locks struct {
	Passphrase bool
	Keyring    string // the name of the key that opens it; empty: none does
	Reserved   string // a name that the keyring may have a key under, which opens nothing: turning the keyring on or off was cut off
}

// vault is the master key, sealed once for each lock. Without a name its form is version 1, so that older programs open what a passphrase opens.
//
// Version 2, in the terms of package record: version u8 ‖ version 1 with its length, or none ‖ name with its length ‖ master key for the
// keyring, with its length, or none: nonce 12 ‖ AES-256-GCM(key, master 32), version and name as additional data.
type vault struct {
	byPassphrase []byte
	name         string
	byKey        []byte
}

const keyedVersion = 2

func (v vault) encode() []byte {
	if v.name == "" {
		return v.byPassphrase
	}
	var w record.Writer
	w.U8(keyedVersion)
	w.Var(v.byPassphrase)
	w.Var([]byte(v.name))
	w.Var(v.byKey)
	return w.Bytes()
}

func parseVault(b []byte) (v vault, err error) {
	r := record.NewReader(b)
	switch version := r.U8(); version {
	case vaultVersion:
		return vault{byPassphrase: b}, r.Err()
	case keyedVersion:
	default:
		return v, fmt.Errorf("%w: its key is kept in form %d, this program knows up to %d", ErrNewer, version, keyedVersion)
	}
	v = vault{byPassphrase: r.Var(512), name: string(r.Var(maxKeyName)), byKey: r.Var(256)}
	if r.Err() == nil && (v.name == "" || len(v.byPassphrase)+len(v.byKey) == 0) {
		r.Failf("store: nothing opens it")
	}
	return v, r.End()
}

// newVault seals a new store's master key.
func newVault(master []byte, by Secret, cost Cost) (v vault, err error) {
	if by.Key != nil {
		v.name = by.Key.Name
		v.byKey, err = sealForKey(master, *by.Key)
		return v, err
	}
	v.byPassphrase, err = sealVault(master, by.Passphrase, cost)
	return v, err
}

// open returns the master key. ErrPassphrase, ErrNoPassphrase, ErrKey.
func (v vault) open(by Secret) ([]byte, error) {
	if by.Key == nil {
		if len(v.byPassphrase) == 0 {
			return nil, ErrNoPassphrase
		}
		return openVault(v.byPassphrase, by.Passphrase)
	}
	g, bound, err := keyCipher(*by.Key)
	if err != nil {
		return nil, err
	}
	master, err := g.Open(nil, nil, v.byKey, bound)
	if err != nil || len(master) != masterSize || by.Key.Name != v.name {
		return nil, ErrKey
	}
	return master, nil
}

func sealForKey(master []byte, n Named) ([]byte, error) {
	g, bound, err := keyCipher(n)
	if err != nil {
		return nil, err
	}
	return g.Seal(nil, nil, master, bound), nil
}

func keyCipher(n Named) (g cipher.AEAD, bound []byte, err error) {
	if n.Name == "" || len(n.Name) > maxKeyName {
		return nil, nil, fmt.Errorf("store: a key's name has %d bytes, want 1 to %d", len(n.Name), maxKeyName)
	}
	b, err := aes.NewCipher(n.Key[:])
	if err != nil {
		return nil, nil, err
	}
	g, err = cipher.NewGCMWithRandomNonce(b)
	return g, append([]byte{keyedVersion}, n.Name...), err
}

func (v vault) locks() Locks {
	l := Locks{Passphrase: len(v.byPassphrase) > 0}
	if len(v.byKey) > 0 {
		l.Keyring = v.name
	} else {
		l.Reserved = v.name
	}
	return l
}

func readVault(ctx context.Context, db *sql.DB) (vault, error) {
	var b []byte
	if err := db.QueryRowContext(ctx, `SELECT body FROM vault WHERE one = 1`).Scan(&b); err != nil {
		return vault{}, fmt.Errorf("store: %w", err)
	}
	return parseVault(b)
}

// ReadLocks tells what opens the store in dir, which another process may have open. ErrNone, ErrNewer.
func ReadLocks(ctx context.Context, dir string) (l Locks, err error) {
	if !Exists(dir) {
		return l, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, fileName), "query_only(1)"))
	if err != nil {
		return l, err
	}
	v, err := readVault(ctx, db)
	return v.locks(), errors.Join(err, db.Close())
}

// Locks tells what opens the store.
func (s *Store) Locks(ctx context.Context) (Locks, error) {
	v, err := readVault(ctx, s.read)
	return v.locks(), err
}

// Check tells whether a passphrase would open the store. ErrPassphrase, ErrNoPassphrase.
func (s *Store) Check(ctx context.Context, passphrase []byte) error {
	v, err := readVault(ctx, s.read)
	if err != nil {
		return err
	}
	master, err := v.open(Secret{Passphrase: passphrase})
	clear(master)
	return err
}
