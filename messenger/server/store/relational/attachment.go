package relational

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// Allocate implements store.Attachments.
func (db *DB) Allocate(ctx context.Context, id int64, owner store.AccountKey, expires time.Time) error {
	n, err := db.one(ctx, id, `INSERT INTO attachment (id, owner, complete, size, expires) VALUES ($1, $2, 0, 0, $3) ON CONFLICT (id) DO NOTHING`,
		id, int64(owner), ms(expires))
	if err == nil && n == 0 {
		err = store.ErrTaken
	}
	return err
}

// CompleteAttachment implements store.Attachments.
func (db *DB) CompleteAttachment(ctx context.Context, id, size int64, hash [32]byte, expires time.Time) error {
	return db.decide(ctx, 0, func(tx Tx) error {
		a, found, err := readAttachment(tx, `id = $1 FOR UPDATE`, id)
		switch {
		case err != nil:
			return err
		case !found:
			return store.ErrNotFound
		case a.Complete && a.Hash != hash:
			return store.ErrStale
		}
		_, err = tx.Exec(`UPDATE attachment SET complete = 1, size = $2, hash = $3, expires = $4 WHERE id = $1`, id, size, hash[:], ms(expires))
		return err
	})
}

const attachmentColumns = `SELECT id, owner, complete, size, hash, expires FROM attachment WHERE `

func scanAttachment(scan Scan) (a store.Attachment, err error) {
	var owner, complete, expires int64
	var hash []byte
	err = scan(&a.ID, &owner, &complete, &a.Size, &hash, &expires)
	a.Owner, a.Complete, a.Expires = store.AccountKey(owner), complete != 0, atMS(expires)
	copy(a.Hash[:], hash)
	return a, err
}

func readAttachment(tx Tx, where string, args ...any) (a store.Attachment, found bool, err error) {
	err = tx.Query(attachmentColumns+where, args, func(scan Scan) (err error) {
		found = true
		a, err = scanAttachment(scan)
		return err
	})
	return a, found, err
}

// AttachmentOf implements store.Attachments.
func (db *DB) AttachmentOf(ctx context.Context, id int64, now time.Time) (store.Attachment, error) {
	var a store.Attachment
	found := false
	err := db.engine.Read(ctx, func(tx Tx) (err error) {
		a, found, err = readAttachment(tx, `id = $1 AND expires > $2`, id, ms(now))
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return a, err
}

// Referenced implements store.Attachments.
func (db *DB) Referenced(ctx context.Context, hash [32]byte) (found bool, err error) {
	err = db.engine.Read(ctx, func(tx Tx) (err error) {
		_, found, err = readAttachment(tx, `hash = $1 LIMIT 1`, hash[:])
		return err
	})
	return found, err
}
