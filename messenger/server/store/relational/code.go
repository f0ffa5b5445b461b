package relational

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// codeRow is a row of code.
type codeRow struct {
	code                string
	expires, countUntil int64
	tries               int
}

// readCode returns the zero row if there is none.
func readCode(tx Tx, kind store.CodeKind, subject string) (r codeRow, err error) {
	err = tx.Query(`SELECT code, expires, tries, count_until FROM code WHERE kind = $1 AND subject = $2 FOR UPDATE`,
		[]any{int64(kind), subject}, func(scan Scan) error { return scan(&r.code, &r.expires, &r.tries, &r.countUntil) })
	if err != nil {
		return r, err
	}
	return r, nil
}

// good says whether the guess is right and in time. The comparison takes the same time whatever the guess.
func (r codeRow) good(guess string, now time.Time) bool {
	same := subtle.ConstantTimeCompare([]byte(r.code), []byte(guess)) == 1
	return same && r.code != "" && ms(now) < r.expires && r.tries < store.MaxCodeTries
}

// PutCode implements store.Codes.
func (db *DB) PutCode(ctx context.Context, kind store.CodeKind, subject, code string, now, expires time.Time) error {
	return db.decide(ctx, 0, func(tx Tx) error {
		r, err := readCode(tx, kind, subject)
		if err != nil {
			return err
		}
		if ms(now) >= r.countUntil {
			r = codeRow{countUntil: ms(expires)}
		}
		if r.tries >= store.MaxCodeTries {
			return store.ErrWrongCode
		}
		_, err = tx.Exec(`INSERT INTO code (kind, subject, code, expires, tries, count_until) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (kind, subject) DO UPDATE SET code = excluded.code, expires = excluded.expires, tries = excluded.tries, count_until = excluded.count_until`,
			int64(kind), subject, code, ms(expires), int64(r.tries), r.countUntil)
		return err
	})
}

// CheckCode implements store.Codes.
func (db *DB) CheckCode(ctx context.Context, kind store.CodeKind, subject, code string, now time.Time) error {
	good := false
	err := db.decide(ctx, 0, func(tx Tx) error {
		r, err := readCode(tx, kind, subject)
		if good = r.good(code, now); good || err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE code SET tries = tries + 1 WHERE kind = $1 AND subject = $2`, int64(kind), subject)
		return err // committed: the guess counts
	})
	if err == nil && !good {
		err = store.ErrWrongCode
	}
	return err
}

// useCode uses a code up, or returns ErrWrongCode. Guesses are counted by CheckCode, which callers ask first; used is the same as
// unknown afterwards.
func useCode(tx Tx, kind store.CodeKind, subject, code string, now time.Time) error {
	r, err := readCode(tx, kind, subject)
	if err != nil {
		return err
	}
	if !r.good(code, now) {
		return store.ErrWrongCode
	}
	_, err = tx.Exec(`UPDATE code SET code = '' WHERE kind = $1 AND subject = $2`, int64(kind), subject)
	return err
}

// PutInvite implements store.Invites.
func (db *DB) PutInvite(ctx context.Context, i store.Invite) error {
	_, err := db.one(ctx, 0, `INSERT INTO invite (hash, note, uses, created, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (hash) DO UPDATE SET note = excluded.note, uses = excluded.uses, expires = excluded.expires`,
		i.Hash[:], i.Note, int64(i.Uses), ms(i.Created), ms(i.Expires))
	return err
}

// Invites implements store.Invites.
func (db *DB) Invites(ctx context.Context, now time.Time) ([]store.Invite, error) {
	return db.invites(ctx, `uses > 0 AND (expires = 0 OR expires > $1) ORDER BY created, hash`, ms(now))
}

func (db *DB) invites(ctx context.Context, where string, args ...any) (out []store.Invite, err error) {
	err = db.engine.Read(ctx, func(tx Tx) error {
		out = nil
		return tx.Query(`SELECT hash, note, uses, created, expires FROM invite WHERE `+where, args, func(scan Scan) error {
			var i store.Invite
			var hash []byte
			var created, expires int64
			err := scan(&hash, &i.Note, &i.Uses, &created, &expires)
			copy(i.Hash[:], hash)
			i.Created, i.Expires = atMS(created), atMS(expires)
			out = append(out, i)
			return err
		})
	})
	return out, err
}

// CheckInvite implements store.Invites.
func (db *DB) CheckInvite(ctx context.Context, h store.InviteHash, now time.Time) error {
	found, err := db.invites(ctx, `uses > 0 AND (expires = 0 OR expires > $1) AND hash = $2`, ms(now), h[:])
	if err == nil && len(found) == 0 {
		err = store.ErrInvite
	}
	return err
}

// RevokeInvite implements store.Invites.
func (db *DB) RevokeInvite(ctx context.Context, h store.InviteHash) error {
	return db.found(ctx, 0, `DELETE FROM invite WHERE hash = $1`, h[:])
}

func useInvite(tx Tx, h store.InviteHash, now time.Time) error {
	n, err := tx.Exec(`UPDATE invite SET uses = uses - 1 WHERE hash = $1 AND uses > 0 AND (expires = 0 OR expires > $2)`, h[:], ms(now))
	if err == nil && n == 0 {
		err = store.ErrInvite
	}
	return err
}
