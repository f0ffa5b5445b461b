package store

import "errors"

// The errors callers act on; test with errors.Is.
var (
	// ErrNotFound: no such account, device, code, invite, username or attachment.
	ErrNotFound = errors.New("not found")
	// ErrWrongCode: the verification or provisioning code is not the one on record, has expired, was used, or was
	// guessed at too often. One error for all, so that a guesser learns nothing.
	ErrWrongCode = errors.New("wrong code")
	// ErrInvite: the invite token is unknown, used up or expired.
	ErrInvite = errors.New("invite not valid")
	// ErrTaken: the username or account name belongs to somebody else.
	ErrTaken = errors.New("name is taken")
	// ErrTooManyDevices: the account has as many devices as it may have.
	ErrTooManyDevices = errors.New("too many devices")
	// ErrMaster: device 1 cannot be removed alone.
	ErrMaster = errors.New("the master device cannot be removed")
	// ErrStale: an older version of something (a device list, an attachment's state) than the one on record.
	ErrStale = errors.New("older than what is on record")
	// ErrQueueFull: the device's queue is at its bound in count or bytes. Nothing that was acknowledged is ever
	// thrown out to make room.
	ErrQueueFull = errors.New("queue is full")
	// ErrTooLarge: an envelope above MaxEnvelope, or more items in one call than allowed.
	ErrTooLarge = errors.New("too large")
	// ErrUnavailable: the database is down, its disk is full, or the store is closed. The outcome of a change that
	// returned it is unknown; try again later. The text says what the engine said.
	ErrUnavailable = errors.New("store unavailable")
	// ErrNewerSchema: the database was written by a newer program. Nothing was changed.
	ErrNewerSchema = errors.New("database has a newer schema than this program knows")
	// ErrInUse: another server has this SQLite file open.
	ErrInUse = errors.New("database is in use by another server")
	// ErrBackupElsewhere: this engine is backed up with its own tools, named in the error's text.
	ErrBackupElsewhere = errors.New("backup is made by the database's own tools")
)
