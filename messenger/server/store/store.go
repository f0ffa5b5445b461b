// Package store says what a messenger server must remember, and when it counts as remembered. It is the
// contract; store/sqlite and store/postgres keep it, store/engine picks one by URL.
//
// # Who may change it
//
// Only messengerd, from authenticated requests. What lies here: account names, salted password hashes, public
// keys, queued ciphertext, push ids, days (never times) of last contact. Whoever reads the database learns who
// is registered and how much waits for whom; whoever writes it can drop or replay ciphertext and hand out
// keys of their own, which clients notice as a changed identity key. It holds no plaintext and no private key.
//
// # Durable when
//
// Every method that changes something returns nil only after the commit has reached the disk (SQLite: WAL with
// synchronous=FULL; PostgreSQL: synchronous_commit=on). A method that returns an error changed nothing, with one
// exception: an error that is [ErrUnavailable] leaves the outcome unknown (the commit may have happened). A context that
// ends stops a change that no writer has taken yet; one that is being committed is waited for. All methods are safe for concurrent use; concurrent changes share
// commits (group commit), so call them from many goroutines rather than one after another.
//
// Reads see every change whose method had returned before the read began, from whatever process (reads go to
// the primary database). The delivery handshake (messenger/server/deliver) stands on this sentence.
//
// # Time
//
// The store has no clock. Methods take the present time where one matters; stored times are milliseconds since
// 1970, stored days are days since 1970 in UTC.
package store

import (
	"context"
	"time"
)

// Store is everything. A server uses the parts by their own names.
type Store interface {
	Accounts
	Devices
	Keys
	Queue
	Presence
	Codes
	Invites
	Usernames
	Attachments
	Upkeep
}

// Upkeep is what an operator and the server's own timers need.
type Upkeep interface {
	// Ping says whether the database answers: nil or ErrUnavailable. Bounded by ctx.
	Ping(ctx context.Context) error
	// Stats returns counters since the store was opened. It does not touch the database.
	Stats() Stats
	// Sweep removes what has expired at now: envelopes, codes, invites, attachments, node leases and the presence
	// rows of lapsed nodes. It works in batches of at most 500 rows so that it never holds up the queue for long;
	// call it every few minutes, on any number of nodes.
	Sweep(ctx context.Context, now time.Time) (Swept, error)
	// Backup writes a consistent copy to a new file while the server runs. The file must not exist. An engine
	// that has tools of its own returns ErrBackupElsewhere, whose text names them.
	Backup(ctx context.Context, path string) error
	// Close waits for the changes that were already handed in and closes the database. Later calls return ErrUnavailable.
	Close() error
}

// Stats counts what the store wrote. An envelope that went straight from an online device to an online device
// changes none of these: that is how a server shows that it kept off the disk.
type Stats struct {
	Commits  uint64 // transactions committed
	Changes  uint64 // changes asked for; Changes/Commits is how well group commit works
	Bytes    uint64 // payload handed to the database in those commits: blobs, texts, 8 for a number
	Enqueued uint64 // envelopes committed to the queue
	Acked    uint64 // envelopes removed because the device has them
	Taken    uint64 // one-time prekeys given out
	Failed   uint64 // changes that were refused or lost
}

// Swept says how much Sweep removed.
type Swept struct {
	Envelopes, Codes, Invites, Nodes int
	// Attachments that expired. Their blobs may go when no other attachment has the same Hash: see Attachments.Referenced.
	Attachments []Attachment
}

// Day is a number of days since 1970-01-01 UTC: the precision in which last contact is kept (specification 6, 14).
type Day int32

// DayOf returns the day of t.
func DayOf(t time.Time) Day { return Day(t.UTC().Unix() / 86400) }

// Time returns the first moment of the day.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }
