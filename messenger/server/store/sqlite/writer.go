package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/store/relational"
)

// writer is the one connection that writes, used by the batcher's goroutine alone.
type writer struct {
	tx      *statements
	wal     string // the WAL's path
	commits int
	batcher *relational.Batcher
}

// commit runs a batch as one transaction, and answers nobody before the commit is on the disk. A decision has a
// savepoint, so its refusal undoes only itself. A failing disk fails everybody; a change that the schema refuses,
// which would be a mistake of ours, is found by running the changes one by one, and fails alone.
func (w *writer) commit(batch []*relational.Pending) {
	answers, err := w.transaction(batch)
	if err == nil {
		w.batcher.Count(1, 0, 0, 0)
		for i, p := range batch {
			p.Answer(answers[i])
		}
		w.limitWAL()
		return
	}
	_ = w.run(`ROLLBACK`) // SQLite may have rolled back by itself; then this fails, and that is fine
	if refused(err) && len(batch) > 1 {
		for i := range batch {
			w.commit(batch[i : i+1])
		}
		return
	}
	for _, p := range batch {
		p.Answer(unavailable(err))
	}
}

// refused says whether the statement, and not the disk, is to blame.
func refused(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff { // the primary code of an extended one
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH, lib.SQLITE_TOOBIG, lib.SQLITE_ERROR, lib.SQLITE_RANGE:
		return true
	}
	return false
}

func (w *writer) transaction(batch []*relational.Pending) ([]error, error) {
	if err := w.run(`BEGIN IMMEDIATE`); err != nil {
		return nil, err
	}
	answers := make([]error, len(batch))
	for i, p := range batch {
		var err error
		if p.Decide != nil {
			answers[i], err = w.decide(p.Decide)
		} else {
			err = w.steps(p.Steps())
		}
		if err != nil {
			return nil, err
		}
	}
	return answers, w.run(`COMMIT`)
}

func (w *writer) run(sql string) error {
	_, err := w.tx.exec(context.Background(), sql, nil)
	return err
}

func (w *writer) steps(steps []relational.Step) error {
	for _, s := range steps {
		if s.Each != nil {
			if err := w.tx.query(context.Background(), s.SQL, s.Args, s.Each); err != nil {
				return err
			}
			continue
		}
		n, err := w.tx.exec(context.Background(), s.SQL, s.Args)
		if err != nil {
			return err
		}
		if s.Rows != nil {
			*s.Rows = n
		}
	}
	return nil
}

// decide returns the decision's own answer, and apart from it what breaks the whole batch.
func (w *writer) decide(f func(relational.Tx) error) (answer, broken error) {
	if err := w.run(`SAVEPOINT decision`); err != nil {
		return nil, err
	}
	answer = f(transaction{w.tx})
	if answer != nil {
		if errors.Is(answer, store.ErrUnavailable) {
			return nil, answer
		}
		if err := w.run(`ROLLBACK TO decision`); err != nil {
			return nil, err
		}
	}
	return answer, w.run(`RELEASE decision`)
}

// limitWAL empties the WAL when it has grown large. It waits for readers that are in the middle of something; a
// failure is tried again later.
func (w *writer) limitWAL() {
	if w.commits++; w.commits%checkEvery != 0 {
		return
	}
	if info, err := os.Stat(w.wal); err == nil && info.Size() > maxWAL {
		_ = w.tx.query(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`, nil, func(relational.Scan) error { return nil })
	}
}

// unavailable says ErrUnavailable with SQLite's own words.
func unavailable(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %v", store.ErrUnavailable, err)
}
