package engine

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// A database that a newer program wrote is left alone, unless that program's migrations allow for ours.
func testNewerSchema(t *testing.T, w *world) {
	register(t, w, alice)
	check(t, w.Close())
	execute(t, w.url, `UPDATE schema_version SET version = 999, oldest = 998`)
	_, err := Open(t.Context(), w.url, Options{})
	if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "it has 999, which needs a program that knows at least 998, and this one knows ") {
		t.Errorf("got %v", err)
	}
	execute(t, w.url, `UPDATE schema_version SET oldest = 1`)
	execute(t, w.url, `ALTER TABLE account ADD COLUMN what_is_new INTEGER`)
	w.Store = open(t, w.url)
	must[store.Account](t)(w.Account(t.Context(), alice))
	register(t, w, bob)
	check(t, w.Close())
	execute(t, w.url, `UPDATE schema_version SET oldest = 0 WHERE version = 999 AND oldest = 1`)
	w.Store = open(t, w.url) // the number was left as it was
	must[store.Account](t)(w.Account(t.Context(), bob))
}

// execute changes the database behind the store's back.
func execute(t *testing.T, url, statement string) {
	t.Helper()
	if path, ok := SQLitePath(url); ok {
		db, err := sql.Open("sqlite", path)
		check(t, err)
		_, err = db.Exec(statement)
		check(t, err)
		check(t, db.Close())
		return
	}
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	_, err = conn.Exec(t.Context(), statement)
	check(t, err)
	check(t, conn.Close(t.Context()))
}

// holdWrites keeps the store from committing envelopes until release is called.
func holdWrites(t *testing.T, url string) (release func()) {
	t.Helper()
	if path, ok := SQLitePath(url); ok {
		db, err := sql.Open("sqlite", path)
		check(t, err)
		conn, err := db.Conn(t.Context())
		check(t, err)
		_, err = conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`)
		check(t, err)
		return func() {
			_, err := conn.ExecContext(t.Context(), `ROLLBACK`)
			if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	_, err = conn.Exec(t.Context(), `BEGIN; LOCK TABLE msg IN EXCLUSIVE MODE`)
	check(t, err)
	return func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func testClosed(t *testing.T, w *world) {
	_, d := register(t, w, alice)
	check(t, w.Close())
	if err := w.Enqueue(t.Context(), []store.Envelope{{Device: d}}, now)[0]; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("enqueue: %v", err)
	}
	if _, err := w.Account(t.Context(), alice); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("account: %v", err)
	}
	if err := w.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
}
