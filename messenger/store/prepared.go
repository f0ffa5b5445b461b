package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The statements that each message needs several times over, each with at most one row to read. They are prepared once: preparing them takes longer than
// running them.
const (
	queryGet    = `SELECT body FROM item WHERE bucket = ? AND name = ?`
	querySeq    = `SELECT seq, ref, body FROM message WHERE seq = ?`
	queryRef    = `SELECT seq, ref, body FROM message WHERE ref = ?`
	queryPut    = `INSERT INTO item (bucket, name, body) VALUES (?, ?, ?) ON CONFLICT (bucket, name) DO UPDATE SET body = excluded.body`
	queryDelete = `DELETE FROM item WHERE bucket = ? AND name = ?`
	queryAdd    = `INSERT INTO message (conversation, ref, body) VALUES (?, ?, ?) ON CONFLICT (ref) DO NOTHING`
	querySet    = `UPDATE message SET body = ? WHERE seq = ?`
)

// prepared are statements by their text.
type prepared map[string]*sql.Stmt

func prepare(ctx context.Context, db *sql.DB, queries ...string) (prepared, error) {
	p := prepared{}
	for _, q := range queries {
		stmt, err := db.PrepareContext(ctx, q)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("store: %w", err), p.close())
		}
		p[q] = stmt
	}
	return p, nil
}

// in returns a statement as part of a transaction; nil if it is not prepared.
func (p prepared) in(ctx context.Context, tx *sql.Tx, query string) *sql.Stmt {
	if stmt := p[query]; stmt != nil {
		return tx.StmtContext(ctx, stmt)
	}
	return nil
}

func (p prepared) close() error {
	var errs []error
	for _, stmt := range p {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}
