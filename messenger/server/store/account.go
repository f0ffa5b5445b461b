package store

import (
	"context"
	"time"
)

// AccountKey names an account inside this store. It survives a change of number and is never used again.
type AccountKey int64

// DeviceKey names a device inside this store. It is never used again: a device that registers anew gets
// another key, so that nothing queued for the old one can reach it. It is what queues, presence and routes go
// by, and carries no telephone number.
type DeviceKey int64

// MasterDevice is the id of the device that registered the account.
const MasterDevice = 1

// Account is one user (specification 2.2, 6.1).
type Account struct {
	Key         AccountKey
	Name        string // E.164 number with its +, or another name without a dot; unique
	IdentityKey []byte // 33 bytes, or nil before the first key upload; shared by all devices
	Pin         string // registration lock as the client sent it, or ""
	ProfileName string // encrypted by the client: 72 characters or ""
	Avatar      string // attachment reference, or ""
	Username    string // or ""
	DeviceList  []byte // the master's signed list of devices (/v3), or nil
	ListSerial  uint64 // number of that list; only grows
	Created     Day
	Seen        Day
	Devices     []Device // by id, ascending
}

// Device returns the account's device of that id.
func (a *Account) Device(id int) (Device, bool) {
	for _, d := range a.Devices {
		if d.ID == id {
			return d, true
		}
	}
	return Device{}, false
}

// Device is one device of an account (specification 6.1, 6.2).
type Device struct {
	Key     DeviceKey
	Account AccountKey
	ID      int // 1 is the master
	Attributes
	Push
	Secret  []byte // the salted password hash, in the server's own coding
	Created Day
	Seen    Day
	Signed  *SignedPreKey // the current signed prekey, or nil
}

// Attributes are what a device says about itself: AccountAttributes of specification 6.1.
type Attributes struct {
	Name            string // text the client encrypted, or ""
	RegistrationID  uint32
	SignalingKey    []byte // 52 bytes or nil
	FetchesMessages bool   // reachable over websocket without push
	Voice, Video    bool
	SPQR            bool // ours: speaks the post-quantum ratchet
	SenderKeys      bool // ours: reads group messages made with sender keys
}

// Push are the ways to wake a device that is not connected. Empty texts mean none.
type Push struct {
	GCM, APN, VoIP string
	WebSocket      bool // webSocketChannel of a GCM registration
}

// Registration asks for an account, or for its master device anew.
type Registration struct {
	Name       string
	Pin        string
	Secret     []byte
	Attributes Attributes
	Now        time.Time
	// Exactly one of the next two is consumed in the same transaction, or the registration fails with ErrWrongCode or
	// ErrInvite and changes nothing. Both empty: the caller has verified the name by other means.
	Code   string     // as given out by Codes.PutCode under CodeRegister and Name
	Invite InviteHash // zero: none
}

// DirectoryToken is the first 10 bytes of SHA-1 of an account's name (specification 6.6).
type DirectoryToken [10]byte

// DirectoryEntry is one hit.
type DirectoryEntry struct {
	Token        DirectoryToken
	Voice, Video bool // of the master device
}

// Accounts holds users.
type Accounts interface {
	// Register creates the account, or takes over an existing one of that name: **all its devices, keys, queued
	// envelopes, presence and device list are removed** and device 1 is created with a new DeviceKey, in one transaction
	// (specification 6.1). The profile, username and account key stay. Returned are the account as it is now and the keys of
	// the devices that are gone, whose connections the caller should close.
	Register(ctx context.Context, r Registration) (a Account, gone []DeviceKey, err error)
	// Account returns the account of that name with all devices, or ErrNotFound.
	Account(ctx context.Context, name string) (Account, error)
	// AccountOf returns the account by key, or ErrNotFound.
	AccountOf(ctx context.Context, account AccountKey) (Account, error)
	// DeleteAccount removes the account and everything that hangs on it. It returns the keys of its devices.
	DeleteAccount(ctx context.Context, account AccountKey) (gone []DeviceKey, err error)
	// Rename gives the account another name (change of number): ErrTaken if somebody else has it. code is consumed as
	// in Register, under the new name; "" if the caller has verified it by other means. Devices and queues stay.
	Rename(ctx context.Context, account AccountKey, name, code string, now time.Time) error
	// SetProfile sets the encrypted profile name and avatar.
	SetProfile(ctx context.Context, account AccountKey, name, avatar string) error
	// SetPin sets or, with "", clears the registration lock.
	SetPin(ctx context.Context, account AccountKey, pin string) error
	// SetDeviceList stores the master's signed list. serial must be larger than the one on record: else ErrStale.
	SetDeviceList(ctx context.Context, account AccountKey, serial uint64, list []byte) error
	// Directory returns the entries of those tokens that belong to accounts seen since the given day. At most 10,000 tokens.
	Directory(ctx context.Context, tokens []DirectoryToken, since Day) ([]DirectoryEntry, error)
	// CountAccounts returns how many accounts there are.
	CountAccounts(ctx context.Context) (int, error)
}

// Devices holds the devices of users.
type Devices interface {
	// AddDevice links one more device with the lowest free id from 2 to limit; code is the provisioning code, consumed
	// in the same transaction (Codes.PutCode under CodeProvision and the account's name). ErrWrongCode, ErrTooManyDevices.
	AddDevice(ctx context.Context, name, code string, limit int, secret []byte, attributes Attributes, now time.Time) (Device, error)
	// RemoveDevice removes one device with its keys, queue and presence: ErrMaster for device 1, ErrNotFound. It
	// returns the key of the device that is gone.
	RemoveDevice(ctx context.Context, account AccountKey, id int) (DeviceKey, error)
	// SetAttributes replaces what the device says about itself. ErrNotFound.
	SetAttributes(ctx context.Context, device DeviceKey, a Attributes) error
	// SetPush replaces the device's push ids. ErrNotFound.
	SetPush(ctx context.Context, device DeviceKey, p Push) error
	// SetSecret replaces the password hash. ErrNotFound.
	SetSecret(ctx context.Context, device DeviceKey, secret []byte) error
	// Seen notes that the device, and with it the account, was in contact on that day. It writes only if the day is
	// later than the one on record, so a caller may call it at every login.
	Seen(ctx context.Context, device DeviceKey, day Day) error
}
