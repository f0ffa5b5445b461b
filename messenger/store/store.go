// Package store is what an account remembers on this machine: keys, sessions, contacts, messages, and what is still to be sent. It is one SQLite
// file in a directory of its own, in which nothing can be read without the person's passphrase, or a key that his keyring has (lock.go).
//
// Each value is sealed by itself with AES-256-GCM, under the place it belongs to, and every name it is found by is an HMAC; the keys come from a
// random master key, which is itself sealed with a key that Argon2id makes of the passphrase, or with the keyring's. Whoever steals the file learns how many
// entries of each kind there are, in which order they were made, how large they are to within 64 bytes, and which messages belong to one
// conversation, whose name is an HMAC too; of the index for searching they learn sizes only (index.go). They can put back an old copy of the whole file, or remove entries; they cannot read one, make
// one, or move one elsewhere. Whoever can read the memory of the running program reads everything.
//
// A transaction is all or nothing, on the disk when Update returns (WAL, synchronous=FULL): a ratchet's new state and the message it
// opened are committed together, or neither is. One process has the store at a time; a second one gets ErrInUse.
//
// What is deleted is overwritten with zeros where it lay (secure_delete). Its sealed form may stay in the write-ahead log until the
// log is emptied, at the latest when the store is closed.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the database/sql driver named "sqlite"
)

// fileName is the database inside an account's directory.
const fileName = "account.db"

// Errors that callers act on.
var (
	// ErrInUse: another process has the store open.
	ErrInUse = errors.New("another messenger process has this account open")
	// ErrNone: there is no store in the directory.
	ErrNone = errors.New("no account here yet")
	// ErrExists: Create found one.
	ErrExists = errors.New("there is an account here already")
	// ErrPassphrase: the passphrase does not open it.
	ErrPassphrase = errors.New("the passphrase does not open this account")
	// ErrNoPassphrase: no passphrase does.
	ErrNoPassphrase = errors.New("this account has no passphrase: the keyring opens it")
	// ErrKey: the keyring's key does not open it.
	ErrKey = errors.New("the key that the keyring has does not open this account")
	// ErrNewer: a newer program wrote it.
	ErrNewer = errors.New("a newer version of the messenger has used this account")
)

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	lock  *flock.Flock
	write *sql.DB // one connection
	read  *sql.DB
	keys  *sealer
	// The statements of both.
	writes, reads prepared

	mu     sync.Mutex // held by the one Update under way
	closed sync.Once
}

// Exists tells whether there is a store in dir.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fileName))
	return err == nil
}

// Create makes a store in dir, which may exist, under a passphrase. ErrExists, ErrInUse.
func Create(ctx context.Context, dir string, passphrase []byte, cost Cost) (*Store, error) {
	return CreateBy(ctx, dir, Secret{Passphrase: passphrase}, cost)
}

// CreateBy is Create under either kind of secret.
func CreateBy(ctx context.Context, dir string, by Secret, cost Cost) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := take(dir)
	if err != nil {
		return nil, err
	}
	if Exists(dir) {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, ErrExists), s.Close())
	}
	if err := s.create(ctx, dir, by, cost); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// create builds the file under another name and puts it in place whole, so that a crash leaves no store without a key.
func (s *Store) create(ctx context.Context, dir string, by Secret, cost Cost) error {
	path := filepath.Join(dir, fileName)
	fresh := path + ".new"
	for _, f := range []string{fresh, fresh + "-wal", fresh + "-shm"} {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	master, err := newMaster()
	if err != nil {
		return err
	}
	defer clear(master)
	sealed, err := newVault(master, by, cost)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(fresh, "synchronous(FULL)", writerCache))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := errors.Join(migrate(ctx, db, sealed.encode()), db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return s.open(ctx, dir, func(vault) ([]byte, error) { return append([]byte(nil), master...), nil })
}

// Open opens the store in dir. ErrNone, ErrInUse, ErrPassphrase, ErrNoPassphrase, ErrNewer.
func Open(ctx context.Context, dir string, passphrase []byte) (*Store, error) {
	return OpenBy(ctx, dir, Secret{Passphrase: passphrase})
}

// OpenBy is Open by either kind of secret. ErrKey besides.
func OpenBy(ctx context.Context, dir string, by Secret) (*Store, error) {
	if !Exists(dir) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	s, err := take(dir)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, dir, func(v vault) ([]byte, error) { return v.open(by) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// take locks the directory's store.
func take(dir string) (*Store, error) {
	lock := flock.New(filepath.Join(dir, fileName+".lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !got {
		return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
	}
	return &Store{lock: lock}, nil
}

func (s *Store) open(ctx context.Context, dir string, unlock func(vault) ([]byte, error)) (err error) {
	path := filepath.Join(dir, fileName)
	if s.write, err = sql.Open("sqlite", dsn(path, "synchronous(FULL)", "secure_delete(1)", writerCache)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(ctx, s.write, nil); err != nil {
		return err
	}
	v, err := readVault(ctx, s.write)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	master, err := unlock(v)
	if err != nil {
		return err
	}
	if s.keys, err = newSealer(master); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(path, "query_only(1)", readerCache)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(1)
	if s.writes, err = prepare(ctx, s.write, queryGet, querySeq, queryRef, queryPut, queryDelete, queryAdd, querySet); err != nil {
		return err
	}
	s.reads, err = prepare(ctx, s.read, queryGet, querySeq, queryRef)
	return err
}

// The most that connections keep of the file in memory, in KiB. There are few: one that writes, and one that reads while nobody is in a hurry.
const (
	writerCache = "cache_size(-4096)"
	readerCache = "cache_size(-2048)"
)

// dsn names the file with the settings of a connection; the path may hold any character.
func dsn(path string, pragmas ...string) string {
	q := url.Values{}
	for _, p := range append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "temp_store(2)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	q.Set("_txlock", "immediate")
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Update runs f in a transaction and commits it, or, if f returns an error, leaves everything as it was. Updates run one after the other; f must
// not wait for the network, and must not call Update or View of the same store.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // a transaction is short; the driver would start a goroutine for each row to watch for its end
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	committed := false
	defer func() {
		if !committed {
			_ = tx.Rollback() // f's error, or its panic, is what counts
		}
	}()
	t := &Tx{ctx: ctx, tx: tx, known: s.writes, keys: s.keys, writing: true, ended: func() error { return nil }}
	if err := f(t); err != nil {
		return err
	}
	committed = true
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, after := range t.after {
		after()
	}
	return nil
}

// View runs f over one moment of the store, beside an Update that may be under way.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	plain := context.WithoutCancel(ctx)
	tx, err := s.read.BeginTx(plain, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // nothing was written
	return f(&Tx{ctx: plain, tx: tx, known: s.reads, keys: s.keys, ended: ctx.Err})
}

// Close ends the store's work and empties the write-ahead log.
func (s *Store) Close() (err error) {
	s.closed.Do(func() {
		var errs []error
		if s.read != nil {
			errs = append(errs, s.reads.close(), s.read.Close())
		}
		if s.write != nil {
			s.mu.Lock()
			errs = append(errs, s.writes.close())
			_, end := s.write.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
			errs = append(errs, end, s.write.Close())
			s.mu.Unlock()
		}
		err = errors.Join(append(errs, s.lock.Unlock())...)
	})
	return err
}
