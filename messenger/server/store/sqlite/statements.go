package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/countersign-project/countersign/messenger/server/store/relational"
)

// statements is a connection that prepares each text once. One goroutine uses it at a time. The number of texts is the
// number of statements in package relational.
type statements struct {
	conn  *sql.Conn
	known map[string]*sql.Stmt
}

func newStatements(conn *sql.Conn) *statements {
	return &statements{conn: conn, known: map[string]*sql.Stmt{}}
}

func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := s.known[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, relational.Plain(text))
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
	var errs []error
	for _, stmt := range s.known {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// transaction is the one that runs on a connection, seen by a decision or a reader.
type transaction struct{ s *statements }

// Exec implements relational.Tx.
func (t transaction) Exec(text string, args ...any) (int64, error) {
	n, err := t.s.exec(context.Background(), text, args)
	return n, engineError(err)
}

// Query implements relational.Tx.
func (t transaction) Query(text string, args []any, each func(relational.Scan) error) error {
	return engineError(t.s.query(context.Background(), text, args, each))
}

// engineError sorts SQLite's errors: a broken unique constraint, or unavailable.
func engineError(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY) {
		return relational.ErrConflict
	}
	return unavailable(err)
}
