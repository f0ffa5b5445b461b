// Package postgres is the store of one or several servers: a PostgreSQL database, or one that speaks its protocol.
//
// It uses nothing beyond tables, transactions and row locks: no LISTEN/NOTIFY, no advisory locks, no sequences as order.
// Plain changes go through the same group commit as with SQLite, with a few writers, each batch one round trip and one
// commit; decisions run in transactions of their own. All reads go to the same database as the writes, never to a
// replica: the delivery handshake needs it.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/relational"
)

const (
	// writers commit at the same time; more only cost the server CPU (research product-perf 2.1).
	writers = 3
	// others are the connections for reads and decisions.
	others = 8
	// patience bounds one batch, decision or connection attempt: a frozen database is unavailable after it.
	patience = 10 * time.Second
	// attempts is how often a deadlock or serialisation failure is tried again.
	attempts = 6
)

// dialect is PostgreSQL's.
var dialect = relational.Dialect{
	Name: "postgres",
	In:   func(p string) string { return "= ANY (" + p + "::bigint[])" },
}

// engine is a relational.Engine.
type engine struct {
	pool    *pgxpool.Pool
	batcher *relational.Batcher
}

// Open connects to the database that the URL names (libpq's form) and migrates it. A database that promises
// durability it does not keep (fsync=off) is refused.
func Open(ctx context.Context, url string) (store.Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %v", err) // pgx leaves the password out
	}
	config.MaxConns = max(config.MaxConns, writers+others)
	config.ConnConfig.ConnectTimeout = patience
	config.AfterConnect = durable
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, unavailable(err)
	}
	e := &engine{pool: pool}
	e.batcher = relational.NewBatcher(writers, func(_ int, batch []*relational.Pending) { e.commit(batch) })
	if err := checkDurable(ctx, pool); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return relational.Open(ctx, e, dialect)
}

// durable makes every commit of a connection wait for the disk, even where the server's default does not.
// Stronger defaults (remote_write, remote_apply) are kept.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')`)
	return err
}

func checkDurable(ctx context.Context, pool *pgxpool.Pool) error {
	var fsync string
	if err := pool.QueryRow(ctx, `SELECT current_setting('fsync')`).Scan(&fsync); err != nil {
		return unavailable(err)
	}
	if fsync != "on" {
		return errors.New("PostgreSQL has fsync off, so what it acknowledges can be lost: set fsync = on")
	}
	return nil
}

// Write implements relational.Engine.
func (e *engine) Write(ctx context.Context, c relational.Change) error {
	if c.Decide == nil {
		return e.batcher.Submit(ctx, c)
	}
	err := e.decide(ctx, c.Decide)
	if err != nil {
		e.batcher.Count(0, 1, 0, 1)
		return err
	}
	e.batcher.Count(1, 1, uint64(c.Bytes), 0)
	return nil
}

// decide runs a decision in a transaction, again if it lost a race with another one.
func (e *engine) decide(ctx context.Context, f func(relational.Tx) error) error {
	// Once begun, a change is not cut off in the middle by a caller who leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var err error
	for range attempts {
		var answer error
		err = pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
			answer = f(transaction{ctx, tx})
			return answer
		})
		if err == nil || !again(err) {
			break
		}
	}
	return engineError(err)
}

// Read implements relational.Engine. Every statement sees what was committed before it; a set of statements sees one
// moment (REPEATABLE READ).
func (e *engine) Read(ctx context.Context, f func(relational.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := pgx.BeginTxFunc(ctx, e.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return f(transaction{ctx, tx})
	})
	return engineError(err)
}

// Ping implements relational.Engine.
func (e *engine) Ping(ctx context.Context) error { return unavailable(e.pool.Ping(ctx)) }

// Backup implements relational.Engine.
func (e *engine) Backup(context.Context, string) error {
	return fmt.Errorf("%w: run pg_dump --format=custom, which is consistent while servers run", store.ErrBackupElsewhere)
}

// Counters implements relational.Engine.
func (e *engine) Counters() relational.Counters { return e.batcher.Counters() }

// Close implements relational.Engine.
func (e *engine) Close() error {
	e.batcher.Close()
	e.pool.Close()
	return nil
}

// transaction is a relational.Tx.
type transaction struct {
	ctx context.Context
	tx  pgx.Tx
}

// Exec implements relational.Tx.
func (t transaction) Exec(sql string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(t.ctx, sql, args...)
	return tag.RowsAffected(), err
}

// Query implements relational.Tx.
func (t transaction) Query(sql string, args []any, each func(relational.Scan) error) error {
	rows, err := t.tx.Query(t.ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	stateUnique    = "23505"
	stateDeadlock  = "40P01"
	stateSerialise = "40001"
	// What CREATE TABLE IF NOT EXISTS says, besides stateUnique, when another transaction creates the table at the same moment.
	stateTable  = "42P07"
	stateObject = "42710"
)

// again says whether the transaction lost a race and was undone as a whole, so that it can be tried again. That
// includes two registrations of one new name at once, and two servers that start on an empty database: the second then finds the first.
func again(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains([]string{stateDeadlock, stateSerialise, stateUnique, stateTable, stateObject}, e.Code)
}

// engineError leaves the store's own refusals alone and sorts the engine's errors.
func engineError(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		if e.Code == stateUnique {
			return relational.ErrConflict
		}
		return unavailable(err)
	}
	if err == nil || isStore(err) {
		return err
	}
	return unavailable(err)
}

// isStore says whether the error is a refusal of the store, not the engine's.
func isStore(err error) bool {
	for _, s := range []error{
		store.ErrNotFound, store.ErrWrongCode, store.ErrInvite, store.ErrTaken, store.ErrTooManyDevices, store.ErrMaster,
		store.ErrStale, store.ErrQueueFull, store.ErrTooLarge, store.ErrNewerSchema, store.ErrUnavailable,
	} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

func unavailable(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %v", store.ErrUnavailable, err)
}
