// Package attach keeps attachments: ciphertext in files named by their hash, outside the database (6.5).
//
// Who uploads or fetches one shows its id, a random number nobody can guess; the server cannot read what it keeps. An upload goes into a
// file of its own and may come in pieces, so that a broken connection costs the last piece only; when it is whole it is hashed,
// made durable and moved to its hash, in this order, so that after a crash a file under a hash is always whole. Equal ciphertexts share a
// file. A file goes when no description in the store has its hash any more.
//
// Blobs has two implementations: Disk, and Objects, which keeps whole ciphertexts in a bucket of an S3-compatible store.
package attach

import (
	"context"
	"errors"
	"io"
	"time"
)

// Hash is SHA-256 of a whole ciphertext.
type Hash [32]byte

// Blobs keeps uploads and blobs. It may be used by many goroutines, but only one writes an upload at a time: the others get ErrBusy.
type Blobs interface {
	// Received returns how many bytes of an upload have arrived: 0 for one that was never begun.
	Received(ctx context.Context, upload int64) (int64, error)
	// Reset drops what has arrived of an upload.
	Reset(ctx context.Context, upload int64) error
	// Append adds what r gives to an upload, which must have offset bytes so far, else ErrOffset. Above limit bytes in all it returns
	// ErrTooLarge and drops the upload. What arrived before an error of r is kept. It returns the bytes there are now.
	Append(ctx context.Context, upload, offset int64, r io.Reader, limit int64) (int64, error)
	// Finish makes the upload durable as a blob and returns its hash and size. record is called, with the blob in place and while nobody can
	// remove it, to write it down; if it fails the blob may go again.
	Finish(ctx context.Context, upload int64, record func(Hash, int64) error) error
	// Open returns a blob. The caller closes it.
	Open(ctx context.Context, h Hash) (io.ReadSeekCloser, error)
	// Remove drops the blob unless it was written lately or referenced says that somebody has it.
	Remove(ctx context.Context, h Hash, now time.Time, referenced func(Hash) (bool, error)) error
	// Sweep drops uploads that nobody went on with, and blobs that nobody refers to, such as a crash leaves.
	Sweep(ctx context.Context, now time.Time, referenced func(Hash) (bool, error)) error
}

// What callers act on.
var (
	ErrTooLarge = errors.New("the attachment is too large")
	ErrOffset   = errors.New("the piece does not begin where the last one ended")
	ErrBusy     = errors.New("somebody else is uploading this attachment")
	ErrFull     = errors.New("the disk space for attachments is used up")
	ErrNotFound = errors.New("no such attachment")
	ErrAway     = errors.New("the store of attachments does not answer")
)
