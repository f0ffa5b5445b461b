package store

import (
	"context"
	"time"
)

// Attachment describes a blob that lies elsewhere: a file or an object named by its hash (specification 6.5).
type Attachment struct {
	ID       int64      // random 63-bit number chosen by the caller; unguessable
	Owner    AccountKey // who allocated it
	Complete bool
	Size     int64    // bytes, once complete
	Hash     [32]byte // SHA-256 of the ciphertext, once complete
	Expires  time.Time
}

// Attachments holds the descriptions.
type Attachments interface {
	// Allocate notes an id for an upload that may begin before expires. ErrTaken if the id exists.
	Allocate(ctx context.Context, id int64, owner AccountKey, expires time.Time) error
	// CompleteAttachment notes that the blob is stored, durable, and how long it stays. ErrNotFound; ErrStale if it was
	// complete already with another hash.
	CompleteAttachment(ctx context.Context, id, size int64, hash [32]byte, expires time.Time) error
	// AttachmentOf returns one that has not expired at now, or ErrNotFound.
	AttachmentOf(ctx context.Context, id int64, now time.Time) (Attachment, error)
	// Referenced says whether any attachment still has this hash.
	Referenced(ctx context.Context, hash [32]byte) (bool, error)
}
