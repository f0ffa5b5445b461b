// Package cache keeps accounts in memory in front of a store that no other process changes, so that a message between two people reads
// no database. Accounts are read for every request and change once in a while.
//
// What a reader gets is never older than the contract of package store allows: it sees every change whose method had returned. Two
// rules do that. A change forgets its account after it was committed and before its method returns, also when its outcome is
// unknown. And what a reader found in the database is kept only if nothing was forgotten since before it looked: else it might be
// from before a change that has forgotten already.
//
// An account is kept from its second reading on: whoever only logs in, and is then idle, takes no room.
//
// It must not be put before a store that other servers share (PostgreSQL): their changes would go unnoticed.
package cache

import (
	"context"
	"sync"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// MaxBytes is how much memory accounts take, roughly; beyond it some other is forgotten. It is enough for sixty thousand usual ones.
const MaxBytes = 64 << 20

// Store is a store with accounts in memory. Everything else is passed on.
type Store struct {
	store.Store
	max int

	mu       sync.Mutex
	bytes    int                                  // mu; that the accounts take
	forgot   uint64                               // mu; counts what was forgotten by changes
	accounts map[store.AccountKey]*store.Account  // mu; never changed once they are here
	names    map[string]store.AccountKey          // mu; of those
	once     marks                                // mu; accounts that were read lately
	devices  map[store.DeviceKey]store.AccountKey // mu; of those
}

// Of returns a cache in front of a store, which nobody else may change.
func Of(s store.Store) *Store {
	return &Store{Store: s, max: MaxBytes, accounts: map[store.AccountKey]*store.Account{}, names: map[string]store.AccountKey{},
		devices: map[store.DeviceKey]store.AccountKey{}}
}

// Account implements store.Accounts. What the account points to is shared: callers do not change it.
func (s *Store) Account(ctx context.Context, name string) (store.Account, error) {
	s.mu.Lock()
	key, ok := s.names[name]
	if ok {
		defer s.mu.Unlock()
		return *s.accounts[key], nil
	}
	before := s.forgot
	s.mu.Unlock()
	a, err := s.Store.Account(ctx, name)
	return s.keep(a, err, before)
}

// AccountOf implements store.Accounts, with what is shared as in Account.
func (s *Store) AccountOf(ctx context.Context, key store.AccountKey) (store.Account, error) {
	s.mu.Lock()
	a, ok := s.accounts[key]
	before := s.forgot
	s.mu.Unlock()
	if ok {
		return *a, nil
	}
	read, err := s.Store.AccountOf(ctx, key)
	return s.keep(read, err, before)
}

// keep remembers what was read, if nothing was forgotten meanwhile.
func (s *Store) keep(a store.Account, err error, before uint64) (store.Account, error) {
	if err != nil {
		return a, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgot != before || !s.once.mark(a.Key) {
		return a, nil
	}
	s.drop(a.Key)                 // another reader may have been here first
	for key := range s.accounts { // in no order: whichever it is, it can be read again
		if s.bytes+sizeOf(&a) <= s.max {
			break
		}
		s.drop(key)
	}
	s.bytes += sizeOf(&a)
	s.accounts[a.Key], s.names[a.Name] = &a, a.Key
	for _, d := range a.Devices {
		s.devices[d.Key] = a.Key
	}
	return a, nil
}

// sizeOf is about what an account takes with its places in the maps.
func sizeOf(a *store.Account) int {
	n := 600 + len(a.Name) + len(a.IdentityKey) + len(a.Pin) + len(a.ProfileName) + len(a.Avatar) + len(a.Username) + len(a.DeviceList)
	for i := range a.Devices {
		d := &a.Devices[i]
		n += 350 + len(d.Name) + len(d.SignalingKey) + len(d.GCM) + len(d.APN) + len(d.VoIP) + len(d.Secret)
		if d.Signed != nil {
			n += 64 + len(d.Signed.Public) + len(d.Signed.Signature)
		}
	}
	return n
}

// drop needs mu.
func (s *Store) drop(key store.AccountKey) {
	a, ok := s.accounts[key]
	if !ok {
		return
	}
	s.bytes -= sizeOf(a)
	delete(s.accounts, key)
	delete(s.names, a.Name)
	for _, d := range a.Devices {
		delete(s.devices, d.Key)
	}
}

// forget is called after every change of an account, whatever became of it.
func (s *Store) forget(key store.AccountKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot++
	s.drop(key)
}

func (s *Store) forgetName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot++
	s.drop(s.names[name]) // no account has key 0
}

func (s *Store) forgetDevice(device store.DeviceKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot++
	s.drop(s.devices[device])
}

// Close implements store.Upkeep: what is in memory goes too, so that later calls find out.
func (s *Store) Close() error {
	err := s.Store.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot++
	s.bytes = 0
	clear(s.accounts)
	clear(s.names)
	clear(s.devices)
	return err
}
