package cache

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// These are all methods of a store that change what Account returns. A test compares the list with the interface.

// Register implements store.Accounts.
func (s *Store) Register(ctx context.Context, r store.Registration) (store.Account, []store.DeviceKey, error) {
	defer s.forgetName(r.Name)
	return s.Store.Register(ctx, r)
}

// DeleteAccount implements store.Accounts.
func (s *Store) DeleteAccount(ctx context.Context, account store.AccountKey) ([]store.DeviceKey, error) {
	defer s.forget(account)
	return s.Store.DeleteAccount(ctx, account)
}

// Rename implements store.Accounts.
func (s *Store) Rename(ctx context.Context, account store.AccountKey, name, code string, now time.Time) error {
	defer s.forget(account)
	return s.Store.Rename(ctx, account, name, code, now)
}

// SetProfile implements store.Accounts.
func (s *Store) SetProfile(ctx context.Context, account store.AccountKey, name, avatar string) error {
	defer s.forget(account)
	return s.Store.SetProfile(ctx, account, name, avatar)
}

// SetPin implements store.Accounts.
func (s *Store) SetPin(ctx context.Context, account store.AccountKey, pin string) error {
	defer s.forget(account)
	return s.Store.SetPin(ctx, account, pin)
}

// SetDeviceList implements store.Accounts.
func (s *Store) SetDeviceList(ctx context.Context, account store.AccountKey, serial uint64, list []byte) error {
	defer s.forget(account)
	return s.Store.SetDeviceList(ctx, account, serial, list)
}

// SetUsername implements store.Usernames.
func (s *Store) SetUsername(ctx context.Context, account store.AccountKey, username string) error {
	defer s.forget(account)
	return s.Store.SetUsername(ctx, account, username)
}

// AddDevice implements store.Devices.
func (s *Store) AddDevice(ctx context.Context, name, code string, limit int, secret []byte, attributes store.Attributes, now time.Time) (store.Device, error) {
	defer s.forgetName(name)
	return s.Store.AddDevice(ctx, name, code, limit, secret, attributes, now)
}

// RemoveDevice implements store.Devices.
func (s *Store) RemoveDevice(ctx context.Context, account store.AccountKey, id int) (store.DeviceKey, error) {
	defer s.forget(account)
	return s.Store.RemoveDevice(ctx, account, id)
}

// SetAttributes implements store.Devices.
func (s *Store) SetAttributes(ctx context.Context, device store.DeviceKey, a store.Attributes) error {
	defer s.forgetDevice(device)
	return s.Store.SetAttributes(ctx, device, a)
}

// SetPush implements store.Devices.
func (s *Store) SetPush(ctx context.Context, device store.DeviceKey, p store.Push) error {
	defer s.forgetDevice(device)
	return s.Store.SetPush(ctx, device, p)
}

// SetSecret implements store.Devices.
func (s *Store) SetSecret(ctx context.Context, device store.DeviceKey, secret []byte) error {
	defer s.forgetDevice(device)
	return s.Store.SetSecret(ctx, device, secret)
}

// Seen implements store.Devices.
func (s *Store) Seen(ctx context.Context, device store.DeviceKey, day store.Day) error {
	defer s.forgetDevice(device)
	return s.Store.Seen(ctx, device, day)
}

// SetKeys implements store.Keys.
func (s *Store) SetKeys(ctx context.Context, device store.DeviceKey, u store.Upload) error {
	defer s.forgetDevice(device)
	return s.Store.SetKeys(ctx, device, u)
}

// SetSigned implements store.Keys.
func (s *Store) SetSigned(ctx context.Context, device store.DeviceKey, k store.SignedPreKey) error {
	defer s.forgetDevice(device)
	return s.Store.SetSigned(ctx, device, k)
}
