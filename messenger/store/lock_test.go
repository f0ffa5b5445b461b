package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/countersign-project/countersign/messenger/store"
)

var (
	ringKey  = store.Named{Name: "default-1", Key: store.Key{1, 2, 3}}
	wrongKey = store.Named{Name: "default-1", Key: store.Key{1, 2, 4}}
	byWord   = store.Secret{Passphrase: []byte("swordfish")}
	byRing   = store.Secret{Key: &ringKey}
)

// opensWith closes the store and wants it to open by these and by no other.
func opensWith(t *testing.T, s *store.Store, dir string, want store.Locks, words ...string) *store.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err := store.ReadLocks(t.Context(), dir); err != nil || l != want {
		t.Errorf("locks %+v, %v, want %+v", l, err, want)
	}
	try := func(by store.Secret, opens bool, no error) {
		t.Helper()
		got, err := store.OpenBy(t.Context(), dir, by)
		if opens {
			if err != nil {
				t.Fatal(err)
			}
			if l, err := got.Locks(t.Context()); err != nil || l != want {
				t.Errorf("opened, locks %+v, %v, want %+v", l, err, want)
			}
			if err := got.Close(); err != nil {
				t.Fatal(err)
			}
		} else if !errors.Is(err, no) {
			t.Errorf("got %v, want %v", err, no)
		}
	}
	no := store.ErrPassphrase
	if !want.Passphrase {
		no = store.ErrNoPassphrase
	}
	for _, w := range []string{"swordfish", "herring", ""} {
		try(store.Secret{Passphrase: []byte(w)}, slices.Contains(words, w), no)
	}
	try(byRing, want.Keyring != "", store.ErrKey)
	try(store.Secret{Key: &wrongKey}, false, store.ErrKey)
	try(store.Secret{Key: &store.Named{Name: "default-2", Key: ringKey.Key}}, false, store.ErrKey)
	by := byRing
	if want.Keyring == "" {
		by = store.Secret{Passphrase: []byte(words[0])}
	}
	s, err := store.OpenBy(t.Context(), dir, by)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A key takes the passphrase's place, or stands beside it, and goes again; at each step something opens the store, and what is in it stays.
func TestAKeyringsKey(t *testing.T) {
	s, dir := create(t)
	update(t, s, func(tx *store.Tx) error { return tx.Put(store.Contacts, "bob", []byte("his key")) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	if err := s.AddKey(ctx, byWord, ringKey, true); err == nil {
		t.Error("a key whose name was not reserved")
	}
	must(s.Reserve(ctx, ringKey.Name))
	s = opensWith(t, s, dir, store.Locks{Passphrase: true, Reserved: ringKey.Name}, "swordfish")
	if err := s.AddKey(ctx, store.Secret{Passphrase: []byte("wrong")}, ringKey, false); !errors.Is(err, store.ErrPassphrase) {
		t.Error(err)
	}
	must(s.AddKey(ctx, byWord, ringKey, true))
	s = opensWith(t, s, dir, store.Locks{Passphrase: true, Keyring: ringKey.Name}, "swordfish")
	must(s.ChangePassphrase(ctx, byRing, []byte("herring"), light))
	s = opensWith(t, s, dir, store.Locks{Passphrase: true, Keyring: ringKey.Name}, "herring")
	if s.Reserve(ctx, "default-2") == nil || s.Forget(ctx) == nil {
		t.Error("the name of a key that opens the store was given away")
	}
	must(s.AddKey(ctx, byRing, ringKey, false))
	s = opensWith(t, s, dir, store.Locks{Keyring: ringKey.Name})
	if err := s.Check(ctx, []byte("herring")); !errors.Is(err, store.ErrNoPassphrase) {
		t.Error(err)
	}
	if err := s.ChangePassphrase(ctx, byRing, []byte("swordfish"), light); !errors.Is(err, store.ErrNoPassphrase) {
		t.Error(err)
	}
	if err := s.RemoveKey(ctx, byRing, nil, light); err == nil {
		t.Error("the last that opens the store was removed")
	}
	must(s.RemoveKey(ctx, byRing, []byte("swordfish"), light))
	s = opensWith(t, s, dir, store.Locks{Passphrase: true, Reserved: ringKey.Name}, "swordfish")
	must(s.Forget(ctx))
	s = opensWith(t, s, dir, store.Locks{Passphrase: true}, "swordfish")
	err := s.View(ctx, func(tx *store.Tx) error {
		if v, ok, err := tx.Get(store.Contacts, "bob"); !ok || string(v) != "his key" {
			t.Error(v, ok, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A store can be made for a key, and nothing in the file tells it.
func TestMadeForAKey(t *testing.T) {
	dir := t.TempDir()
	s, err := store.CreateBy(t.Context(), dir, byRing, light)
	if err != nil {
		t.Fatal(err)
	}
	s = opensWith(t, s, dir, store.Locks{Keyring: ringKey.Name})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err := store.ReadLocks(t.Context(), filepath.Join(dir, "elsewhere")); !errors.Is(err, store.ErrNone) {
		t.Error(l, err)
	}
	for _, n := range []store.Named{{}, {Name: string(make([]byte, 129))}} {
		if s, err := store.CreateBy(t.Context(), t.TempDir(), store.Secret{Key: &n}, light); err == nil {
			t.Errorf("a store for the name %q", n.Name)
			s.Close()
		}
	}
}

// What opens a store is told beside the process that has it open, which goes on undisturbed.
func TestLocksAreReadBesideTheOwner(t *testing.T) {
	s, dir := create(t)
	if err := s.Reserve(t.Context(), ringKey.Name); err != nil {
		t.Fatal(err)
	}
	if l, err := store.ReadLocks(t.Context(), dir); err != nil || l != (store.Locks{Passphrase: true, Reserved: ringKey.Name}) {
		t.Error(l, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "account.db-wal")); err != nil {
		t.Error("whoever only looks has ended the owner's log:", err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.Put(store.Contacts, "bob", nil) })
}

// Every form that no program writes is refused, and none panics.
func TestDamagedVaults(t *testing.T) {
	s, dir := create(t)
	ctx := t.Context()
	for _, err := range []error{s.Reserve(ctx, ringKey.Name), s.AddKey(ctx, byWord, ringKey, true), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var good []byte
	if err := db.QueryRowContext(ctx, `SELECT body FROM vault`).Scan(&good); err != nil {
		t.Fatal(err)
	}
	opens := func(body []byte) error {
		if _, err := db.ExecContext(ctx, `UPDATE vault SET body = ?`, body); err != nil {
			t.Fatal(err)
		}
		s, err := store.OpenBy(ctx, dir, byRing)
		if err == nil {
			err = errors.Join(err, s.Close())
		}
		return err
	}
	if err := opens(good); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if opens(good[:n]) == nil {
			t.Errorf("the first %d bytes open it", n)
		}
	}
	if opens(append(slices.Clone(good), 0)) == nil {
		t.Error("a byte too many")
	}
	later := append([]byte{3}, good[1:]...)
	if err := opens(later); !errors.Is(err, store.ErrNewer) {
		t.Error(err)
	}
	for n := len(good) - 60; n < len(good); n++ { // the key's part: a wrong bit anywhere
		bad := slices.Clone(good)
		bad[n] ^= 1
		if opens(bad) == nil {
			t.Errorf("byte %d changed, and it opens", n)
		}
	}
}
