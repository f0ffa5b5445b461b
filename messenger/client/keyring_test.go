package client_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/store"
)

var (
	errNoKey = errors.New("no such key")
	errCut   = errors.New("cut off")
)

// ring is a keyring in memory, which is cut off at a step: before it is taken, or after.
type ring struct {
	keys   map[string]store.Key
	cut    int // the step, from 1; 0: none
	after  bool
	forget bool // it says it has taken keys, and has not
}

// step runs f, unless the cut is here.
func (r *ring) step(f func() error) error {
	r.cut--
	if r.cut == 0 && !r.after {
		return errCut
	}
	err := f()
	if r.cut == 0 {
		return errCut
	}
	return err
}

func (r *ring) Get(_ context.Context, name string) (key store.Key, err error) {
	err = r.step(func() error {
		var ok bool
		if key, ok = r.keys[name]; !ok {
			return errNoKey
		}
		return nil
	})
	return key, err
}

func (r *ring) Set(_ context.Context, n store.Named) error {
	return r.step(func() error {
		r.keys[n.Name] = n.Key
		if r.forget {
			r.keys[n.Name] = store.Key{}
		}
		return nil
	})
}

func (r *ring) Delete(_ context.Context, name string) error {
	return r.step(func() error { delete(r.keys, name); return nil })
}

// secrets are all that can be made of what is known by now: passphrases, and what the keyring has.
func (r *ring) secret(t testing.TB, dir string, words ...string) store.Secret {
	t.Helper()
	locks, err := store.ReadLocks(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if locks.Keyring != "" {
		key, ok := r.keys[locks.Keyring]
		if !ok {
			t.Fatalf("the account wants the key %q, which the keyring has not", locks.Keyring)
		}
		return store.Secret{Key: &store.Named{Name: locks.Keyring, Key: key}}
	}
	for _, w := range words {
		s, err := store.Open(t.Context(), dir, []byte(w))
		if err == nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return store.Secret{Passphrase: []byte(w)}
		}
	}
	t.Fatal("nothing opens the account any more")
	return store.Secret{}
}

// bySecret closes a device's account and opens it by what opens it now.
func (d *device) bySecret(r *ring, words ...string) store.Secret {
	d.Helper()
	if d.acc != nil {
		if err := d.acc.Close(); err != nil {
			d.Fatal(err)
		}
	}
	by := r.secret(d, d.dir, words...)
	o := d.options(d)
	o.Key = by.Key
	a, err := client.Open(d.Context(), o, by.Passphrase)
	if err != nil {
		d.Fatal(err)
	}
	d.use(a)
	return by
}

func (r *ring) wants(t testing.TB, d *device, want store.Locks, keys int) {
	t.Helper()
	got, err := d.acc.Locks(t.Context())
	if got.Keyring != "" {
		if _, ok := r.keys[got.Keyring]; !ok {
			t.Error("the keyring has not the key that opens the account")
		}
		got.Keyring = "yes"
	}
	if err != nil || got != want || len(r.keys) != keys {
		t.Errorf("locks %+v, %v, keyring %v; want %+v, %d keys", got, err, r.keys, want, keys)
	}
}

// Turned on and off, and cut off at each step on the way, the keyring and the account never disagree so that nobody could open it; doing it again ends
// where it should, with nothing left over.
func TestTheKeyringIsCutOff(t *testing.T) {
	w := newWorld(t)
	for _, keep := range []bool{true, false} {
		for step := 1; step <= 4; step++ { // on: set, get; off: delete
			for _, after := range []bool{false, true} {
				d := w.person("alice")
				d.offline()
				r := &ring{keys: map[string]store.Key{}}
				on := func(by store.Secret) error { return d.acc.TurnKeyringOn(t.Context(), r, by, "default", keep) }
				off := func(by store.Secret) error {
					fresh := []byte("fresh")
					if keep {
						fresh = nil
					}
					return d.acc.TurnKeyringOff(t.Context(), r, by, fresh, light)
				}
				r.cut, r.after = step, after
				by := d.bySecret(r, "passphrase")
				if err := on(by); err != nil {
					if step > 2 || !errors.Is(err, errCut) {
						t.Fatal(step, err)
					}
					by = d.bySecret(r, "passphrase")
					if err := on(by); err != nil {
						t.Fatal(err)
					}
				}
				by = d.bySecret(r)
				r.wants(t, d, store.Locks{Passphrase: keep, Keyring: "yes"}, 1)
				if err := off(by); err != nil {
					if step != 3 || !errors.Is(err, errCut) {
						t.Fatal(step, err)
					}
					by = d.bySecret(r, "passphrase", "fresh")
					if err := off(by); err != nil {
						t.Fatal(err)
					}
				}
				by = d.bySecret(r, map[bool]string{true: "passphrase", false: "fresh"}[keep])
				r.wants(t, d, store.Locks{Passphrase: true}, 0)
				if err := off(by); err != nil { // off it is
					t.Error(err)
				}
			}
		}
	}
}

// Who kept the passphrase can give it up later; who did not must name another.
func TestTheKeyringAlone(t *testing.T) {
	w := newWorld(t)
	d := w.person("alice")
	d.offline()
	r := &ring{keys: map[string]store.Key{}}
	by := d.bySecret(r, "passphrase")
	for i, keep := range []bool{true, true, false, false} {
		if err := d.acc.TurnKeyringOn(t.Context(), r, by, "default", keep); err != nil {
			t.Fatal(err)
		}
		by = d.bySecret(r)
		r.wants(t, d, store.Locks{Passphrase: i < 2, Keyring: "yes"}, 1)
	}
	if err := d.acc.TurnKeyringOff(t.Context(), r, by, nil, light); err == nil || err.Error() != "want a passphrase: without the keyring nothing else would open the account" {
		t.Error(err)
	}
	if err := d.acc.ChangePassphrase(t.Context(), by, []byte("fresh"), light); !errors.Is(err, store.ErrNoPassphrase) {
		t.Error(err)
	}
	d.bySecret(r)
	r.wants(t, d, store.Locks{Keyring: "yes"}, 1)
}

// A keyring that does not give back what it took opens nothing, and the passphrase stays.
func TestAKeyringThatForgets(t *testing.T) {
	w := newWorld(t)
	d := w.person("alice")
	d.offline()
	r := &ring{keys: map[string]store.Key{}, forget: true}
	by := d.bySecret(r, "passphrase")
	if err := d.acc.TurnKeyringOn(t.Context(), r, by, "default", false); err == nil || err.Error() != "the keyring has taken a key and gives back another one: it is not to be relied upon" {
		t.Error(err)
	}
	by = d.bySecret(r, "passphrase")
	if err := d.acc.TurnKeyringOff(t.Context(), r, by, nil, light); err != nil {
		t.Error(err)
	}
	r.wants(t, d, store.Locks{Passphrase: true}, 0)
}

// An account is made for a key, and used; another key does not open it.
func TestRegisteringForAKey(t *testing.T) {
	w := newWorld(t)
	d := &device{world: w, name: "alice", dir: filepath.Join(t.TempDir(), "alice"), log: new(logBook)}
	r := &ring{keys: map[string]store.Key{}}
	n, err := client.NewKey(w.options(d).World.Rand, "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Deposit(t.Context(), r, n); err != nil {
		t.Fatal(err)
	}
	o := w.options(d)
	o.Key = &n
	a, err := client.Register(t.Context(), o, nil, client.Registration{Number: telephone, Code: w.code(telephone, d)})
	if err != nil {
		t.Fatal(err)
	}
	d.use(a)
	d.number = telephone
	d.bySecret(r)
	d.online()
	bob := w.person("bob")
	bob.says(telephone, "hello")
	d.sees(bob.number, "hello")
	d.offline()
	if err := d.acc.Close(); err != nil {
		t.Fatal(err)
	}
	d.acc = nil
	n.Key[0] ^= 1
	if a, err := client.Open(t.Context(), o, nil); !errors.Is(err, store.ErrKey) {
		t.Error(a, err)
	}
}
