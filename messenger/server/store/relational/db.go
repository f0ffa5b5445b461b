package relational

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// DB is a store.Store over an engine.
type DB struct {
	engine  Engine
	dialect Dialect

	enqueued, acked, taken atomic.Uint64
}

var _ store.Store = (*DB)(nil)

// Open migrates the database behind the engine and returns it as a store, which then owns the engine. On an
// error the engine is closed.
func Open(ctx context.Context, e Engine, d Dialect) (*DB, error) {
	if err := migrate(ctx, e, d); err != nil {
		_ = e.Close() // the first error is the one to report
		return nil, err
	}
	return &DB{engine: e, dialect: d}, nil
}

// Ping implements store.Upkeep.
func (db *DB) Ping(ctx context.Context) error { return db.engine.Ping(ctx) }

// Backup implements store.Upkeep.
func (db *DB) Backup(ctx context.Context, path string) error { return db.engine.Backup(ctx, path) }

// Close implements store.Upkeep.
func (db *DB) Close() error { return db.engine.Close() }

// Stats implements store.Upkeep.
func (db *DB) Stats() store.Stats {
	c := db.engine.Counters()
	return store.Stats{
		Commits: c.Commits, Changes: c.Changes, Bytes: c.Bytes, Failed: c.Failed,
		Enqueued: db.enqueued.Load(), Acked: db.acked.Load(), Taken: db.taken.Load(),
	}
}

// decide runs a decision.
func (db *DB) decide(ctx context.Context, key int64, f func(Tx) error) error {
	return db.engine.Write(ctx, Change{Key: key, Decide: f, Bytes: 64})
}

// one runs a single plain statement and returns how many rows it changed.
func (db *DB) one(ctx context.Context, key int64, sql string, args ...any) (int64, error) {
	var n int64
	err := db.engine.Write(ctx, Change{Key: key, Bytes: sizeOf(args), Steps: func() []Step {
		n = 0
		return []Step{{SQL: sql, Args: args, Rows: &n}}
	}})
	return n, err
}

// found runs a single plain statement that must change a row.
func (db *DB) found(ctx context.Context, key int64, sql string, args ...any) error {
	n, err := db.one(ctx, key, sql, args...)
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

// sizeOf is the payload of arguments: bytes of texts and blobs, 8 for a number.
func sizeOf(args []any) int {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case []byte:
			n += len(a)
		case string:
			n += len(a)
		case []int64:
			n += 8 * len(a)
		default:
			n += 8
		}
	}
	return n
}

// ms is how times are stored; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// atMS is the inverse of ms.
func atMS(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// nullable passes an empty text as NULL.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
