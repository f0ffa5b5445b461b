package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"sync"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/countersign-project/countersign/messenger/server/store/relational"
)

// preparer is a *sql.DB or a *sql.Conn.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements prepares each text once. The number of texts is the number of statements in package relational.
type statements struct {
	on preparer

	mu    sync.RWMutex
	known map[string]*sql.Stmt
}

func newStatements(on preparer) *statements {
	return &statements{on: on, known: map[string]*sql.Stmt{}}
}

func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.known[text]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.known[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(ctx, relational.Plain(text))
	if err != nil {
		return nil, err
	}
	s.known[text] = stmt
	return stmt, nil
}

func (s *statements) exec(ctx context.Context, text string, args []any) (int64, error) {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return 0, err
	}
	r, err := stmt.ExecContext(ctx, lists(args)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s *statements) query(ctx context.Context, text string, args []any, each func(relational.Scan) error) error {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return err
	}
	return rows(stmt, ctx, args, each)
}

func rows(stmt *sql.Stmt, ctx context.Context, args []any, each func(relational.Scan) error) error {
	r, err := stmt.QueryContext(ctx, lists(args)...)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // r.Err has told
	for r.Next() {
		if err := each(r.Scan); err != nil {
			return err
		}
	}
	return r.Err()
}

// lists turns a list of numbers into the JSON text that dialect.In reads.
func lists(args []any) []any {
	for i, a := range args {
		ids, ok := a.([]int64)
		if !ok {
			continue
		}
		text, err := json.Marshal(ids)
		if err != nil {
			panic("internal error: " + err.Error())
		}
		out := append([]any(nil), args...)
		out[i] = string(text)
		return lists(out)
	}
	return args
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.known {
		errs = append(errs, stmt.Close())
	}
	clear(s.known)
	if conn, ok := s.on.(*sql.Conn); ok {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// deciding is the transaction of the writer, seen by a decision.
type deciding struct{ s *statements }

// Exec implements relational.Tx.
func (d deciding) Exec(text string, args ...any) (int64, error) {
	n, err := d.s.exec(context.Background(), text, args)
	return n, engineError(err)
}

// Query implements relational.Tx.
func (d deciding) Query(text string, args []any, each func(relational.Scan) error) error {
	return engineError(d.s.query(context.Background(), text, args, each))
}

// reading is a read-only transaction.
type reading struct {
	ctx context.Context
	tx  *sql.Tx
	s   *statements
}

// Exec implements relational.Tx; the connection is query_only, so SQLite refuses.
func (r reading) Exec(text string, args ...any) (int64, error) {
	res, err := r.tx.ExecContext(r.ctx, relational.Plain(text), lists(args)...)
	if err != nil {
		return 0, engineError(err)
	}
	return res.RowsAffected()
}

// Query implements relational.Tx.
func (r reading) Query(text string, args []any, each func(relational.Scan) error) error {
	stmt, err := r.s.prepare(r.ctx, text)
	if err != nil {
		return engineError(err)
	}
	return engineError(rows(r.tx.StmtContext(r.ctx, stmt), r.ctx, args, each))
}

// engineError sorts SQLite's errors: a broken unique constraint, or unavailable.
func engineError(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY) {
		return relational.ErrConflict
	}
	return unavailable(err)
}
