package store

import (
	"context"
	"time"
)

// CodeKind says what a code is for; kinds do not see each other's codes.
type CodeKind int

// What codes are for.
const (
	CodeRegister  CodeKind = 1 // proves a name (SMS, voice, webhook); subject is the name
	CodeProvision CodeKind = 2 // links a device; subject is the account's name
)

// MaxCodeTries is how many wrong guesses a code survives, counted across restarts and nodes: with six digits a
// guesser's chance is 1 in 90,000 for each code that is sent.
const MaxCodeTries = 10

// Codes holds verification and provisioning codes (specification 6.1, 6.2). One code per kind and subject: a
// new one replaces the old one, but the count of wrong guesses stays until the old one would have expired.
type Codes interface {
	// PutCode stores a code, good until expires. It returns ErrWrongCode if this subject has used up its guesses.
	PutCode(ctx context.Context, kind CodeKind, subject, code string, now, expires time.Time) error
	// CheckCode returns nil if the code is the one on record, in constant time; a wrong one is counted before the
	// answer (ErrWrongCode). A right one is not used up: Register, Rename and AddDevice do that.
	CheckCode(ctx context.Context, kind CodeKind, subject, code string, now time.Time) error
}

// InviteHash is SHA-256 of an invite token; the token itself is not stored.
type InviteHash [32]byte

// Invite lets somebody register without proving a telephone number.
type Invite struct {
	Hash    InviteHash
	Note    string // the operator's words
	Uses    int    // registrations left
	Created time.Time
	Expires time.Time // zero: never
}

// Invites holds invite tokens.
type Invites interface {
	// PutInvite stores an invite.
	PutInvite(ctx context.Context, i Invite) error
	// Invites lists those that can still be used at now, oldest first.
	Invites(ctx context.Context, now time.Time) ([]Invite, error)
	// CheckInvite says whether the invite could be used at now: nil or ErrInvite. Register uses it up.
	CheckInvite(ctx context.Context, h InviteHash, now time.Time) error
	// RevokeInvite removes one. ErrNotFound.
	RevokeInvite(ctx context.Context, h InviteHash) error
}

// Usernames maps chosen names to accounts. The caller has brought the name into its canonical form.
type Usernames interface {
	// SetUsername gives the account this username instead of the one it had; "" clears it. ErrTaken, ErrNotFound.
	SetUsername(ctx context.Context, account AccountKey, username string) error
	// ByUsername returns the account, or ErrNotFound.
	ByUsername(ctx context.Context, username string) (Account, error)
}
