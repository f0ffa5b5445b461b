// Package sqlite is the store of a single server: one SQLite file, no other process needed.
//
// The file is in WAL mode with synchronous=FULL: a commit that returned is on the disk. One goroutine writes, with
// group commit; readers have connections of their own and do not wait for it. A file next to it (".lock") keeps a second server
// out, because the in-process router and the write counters assume to be alone.
//
// Who can write the file can do what is said in package store; it is created with mode 0600.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the database/sql driver named "sqlite"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/relational"
)

// Options of a store.
type Options struct {
	// Beside opens the file while a server has it open, for a short command such as `messengerd invite`. Such a
	// process must not touch queues and accounts.
	Beside bool
}

const (
	readers = 4
	// Pages that a connection keeps, in KiB. Readers have few: the accounts of the messages' path are in memory already (package cache), and what
	// else they read the system keeps too.
	writeCache, readCache = 64 << 10, 2 << 10
	// busyTimeout is how long a connection waits for another process's lock (a command beside the server, a backup).
	busyTimeout = 10 * time.Second
	// checkpointPages is after how many pages of WAL a commit also checkpoints: 16 MB.
	checkpointPages = 4000
	// maxWAL is the size at which the writer insists on an empty WAL, though it must wait for readers. Below it, the
	// checkpoints on the way keep it small; a saturated server with steady readers would let it grow for ever.
	maxWAL = 128 << 20
	// checkEvery is how many commits pass between looks at that size.
	checkEvery = 256
)

// dialect is SQLite's: lists travel as JSON.
var dialect = relational.Dialect{
	Name: "sqlite",
	In:   func(p string) string { return "IN (SELECT value FROM json_each(" + p + "))" },
}

// engine is a relational.Engine.
type engine struct {
	path    string
	lock    *flock.Flock // nil beside a server
	write   *sql.DB      // one connection
	read    *sql.DB
	writer  *writer          // owned by the batcher's goroutine
	readers chan *statements // connections for reading that are free
	closing sync.Once
	closed  chan struct{}
	batcher *relational.Batcher
}

// Open opens or creates the file. ErrInUse if another server has it; ErrNewerSchema.
func Open(ctx context.Context, path string, o Options) (store.Store, error) {
	e := &engine{path: path, closed: make(chan struct{})}
	if err := e.open(ctx, o); err != nil {
		return nil, errors.Join(err, e.closeFiles())
	}
	e.batcher = relational.NewBatcher(1, func(_ int, batch []*relational.Pending) { e.writer.commit(batch) })
	e.writer.batcher = e.batcher
	return relational.Open(ctx, e, dialect)
}

func (e *engine) open(ctx context.Context, o Options) (err error) {
	if !o.Beside {
		if err := e.takeLock(); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %v", store.ErrUnavailable, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if e.write, err = sql.Open("sqlite", dsn(e.path, writeCache, "synchronous(FULL)", "wal_autocheckpoint("+strconv.Itoa(checkpointPages)+")", "foreign_keys(1)")); err != nil {
		return err
	}
	e.write.SetMaxOpenConns(1)
	if e.read, err = sql.Open("sqlite", dsn(e.path, readCache, "query_only(1)")); err != nil {
		return err
	}
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return unavailable(err)
	}
	e.writer = &writer{wal: e.path + "-wal", tx: newStatements(conn)}
	e.readers = make(chan *statements, readers)
	for range readers {
		conn, err := e.read.Conn(ctx)
		if err != nil {
			return unavailable(err)
		}
		e.readers <- newStatements(conn)
	}
	return nil
}

// dsn names the file with the settings of a connection; the path may hold any character.
func dsn(path string, cache int, pragmas ...string) string {
	q := url.Values{}
	for _, p := range append([]string{"busy_timeout(" + strconv.Itoa(int(busyTimeout.Milliseconds())) + ")", "journal_mode(WAL)", "cache_size(-" + strconv.Itoa(cache) + ")"}, pragmas...) {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (e *engine) takeLock() error {
	lock := flock.New(e.path+".lock", flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("%w: %v", store.ErrUnavailable, err)
	}
	if !got {
		return fmt.Errorf("%s: %w", e.path, store.ErrInUse)
	}
	e.lock = lock
	return nil
}

// Write implements relational.Engine.
func (e *engine) Write(ctx context.Context, c relational.Change) error {
	return e.batcher.Submit(ctx, c)
}

// Read implements relational.Engine. A read transaction is one snapshot; it must be short, for the WAL cannot
// shrink below it.
func (e *engine) Read(ctx context.Context, f func(relational.Tx) error) error {
	var r *statements
	select {
	case r = <-e.readers:
		defer func() { e.readers <- r }()
	case <-e.closed:
		return fmt.Errorf("%w: closed", store.ErrUnavailable)
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for a reader: %v", store.ErrUnavailable, ctx.Err())
	}
	if _, err := r.exec(context.Background(), `BEGIN`, nil); err != nil {
		return unavailable(err)
	}
	err := f(transaction{r})
	_, end := r.exec(context.Background(), `ROLLBACK`, nil) // nothing was written
	if err == nil {
		err = unavailable(end)
	}
	return err
}

// Ping implements relational.Engine.
func (e *engine) Ping(ctx context.Context) error {
	return e.Read(ctx, func(tx relational.Tx) error {
		return tx.Query(`SELECT version FROM schema_version`, nil, func(relational.Scan) error { return nil })
	})
}

// Backup implements relational.Engine: one read transaction on a connection of its own, so the copy is the database at
// one moment, while writers go on.
func (e *engine) Backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already: name a new file", path)
	}
	db, err := sql.Open("sqlite", dsn(e.path, readCache))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := os.WriteFile(path, nil, 0o600); err != nil { // VACUUM INTO accepts an empty file and keeps its mode
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return errors.Join(unavailable(err), os.Remove(path))
	}
	return syncFile(path)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Counters implements relational.Engine.
func (e *engine) Counters() relational.Counters { return e.batcher.Counters() }

// Close implements relational.Engine. It waits for reads that are under way.
func (e *engine) Close() (err error) {
	e.closing.Do(func() {
		e.batcher.Close()
		close(e.closed)
		var ends []error
		for range readers {
			ends = append(ends, (<-e.readers).close())
		}
		err = errors.Join(append(ends, e.closeFiles())...)
	})
	return err
}

func (e *engine) closeFiles() error {
	var errs []error
	if e.writer != nil {
		errs = append(errs, e.writer.tx.close())
	}
	for _, db := range []*sql.DB{e.write, e.read} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Unlock())
	}
	return errors.Join(errs...)
}
