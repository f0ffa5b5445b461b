// Package relational keeps the contract of package store with SQL, once, for every engine that speaks it.
//
// An [Engine] gives transactions; all statements are here. They are written in PostgreSQL's dialect and numbered
// parameters; an engine of another dialect drops what [Plain] drops. Two kinds of change exist, because of what
// they cost:
//
//   - a plain change is a list of statements known beforehand, which can not fail one by one (no constraint they
//     could break); many of them share one commit, and with PostgreSQL one round trip. The message path is plain.
//   - a decision is a function that reads, decides and writes. It runs in a transaction (or savepoint) of its own, so
//     that its refusal harms nobody else.
package relational

import (
	"context"
	"errors"
	"regexp"
)

// Scan copies the columns of the present row into pointers.
type Scan func(dst ...any) error

// Tx is one transaction. An error of the engine is ErrConflict, or else store.ErrUnavailable with the engine's text.
type Tx interface {
	// Exec runs a statement and says how many rows it changed.
	Exec(sql string, args ...any) (int64, error)
	// Query runs a statement and calls each for every row.
	Query(sql string, args []any, each func(Scan) error) error
}

// ErrConflict: a unique name exists already.
var ErrConflict = errors.New("unique constraint violated")

// Step is one statement of a plain change. Arguments are []byte, string, int64, int or []int64 (for [Dialect.In]).
type Step struct {
	SQL  string
	Args []any
	Each func(Scan) error // for every row it returns; nil if it returns none
	Rows *int64           // gets how many rows were changed, if not nil
}

// Change is one thing to be committed. It has either Steps or Decide.
type Change struct {
	// Key: changes with the same key are applied in the order they were handed in.
	Key int64
	// Steps returns the statements. It may be called again after a failed attempt and then starts from nothing.
	Steps func() []Step
	// Decide reads and writes; what it returns as an error undoes what it wrote. It may be called again likewise.
	Decide func(Tx) error
	// Bytes is the payload, for the counters.
	Bytes int
}

// Engine is a database. Write returns after the commit is durable.
type Engine interface {
	Write(ctx context.Context, c Change) error
	// Read runs a read-only transaction that sees all commits that returned before it began.
	Read(ctx context.Context, f func(Tx) error) error
	Ping(ctx context.Context) error
	Backup(ctx context.Context, path string) error
	Counters() Counters
	Close() error
}

// Counters of an engine's writes.
type Counters struct{ Commits, Changes, Bytes, Failed uint64 }

// Dialect is where engines differ in a way that [Plain] does not cover.
type Dialect struct {
	Name string // of the folder of migrations
	// In is the text that follows a column to ask whether it is in the list of numbers of parameter p ("$2").
	In func(p string) string
}

var notPlain = regexp.MustCompile(`::[a-z]+(\[\])?| FOR UPDATE( SKIP LOCKED)?`)

// Plain removes what SQLite neither has nor needs: casts and row locks.
func Plain(sql string) string { return notPlain.ReplaceAllString(sql, "") }
