package store

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations bring a store from one version to the next, each once, in a transaction with the note that it was. A published one is never
// edited; a newer one follows it.
var migrations = [...]string{
	1: `
CREATE TABLE vault (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL);
CREATE TABLE item (seq INTEGER PRIMARY KEY AUTOINCREMENT, bucket INTEGER NOT NULL, name BLOB NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX item_name ON item (bucket, name);
CREATE INDEX item_order ON item (bucket, seq);
CREATE TABLE message (seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation BLOB NOT NULL, ref BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX message_conversation ON message (conversation, seq);
CREATE UNIQUE INDEX message_ref ON message (ref);`,
	2: `
CREATE TABLE segment (segment INTEGER PRIMARY KEY, form TEXT NOT NULL);
CREATE TABLE segment_part (id INTEGER PRIMARY KEY, body BLOB NOT NULL);`,
}

// migrate brings the database to the program's version. A new one also gets its vault.
func migrate(ctx context.Context, db *sql.DB, vault []byte) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // does nothing after the commit
	var have int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&have); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	want := len(migrations) - 1
	switch {
	case have > want:
		return fmt.Errorf("%w: its form is %d, this program knows %d; start the newer program", ErrNewer, have, want)
	case have == want:
		return nil
	}
	for v := have + 1; v <= want; v++ {
		if _, err := tx.ExecContext(ctx, migrations[v]); err != nil {
			return fmt.Errorf("store: step %d to the new form: %w", v, err)
		}
	}
	if have == 0 && vault != nil {
		if _, err := tx.ExecContext(ctx, `INSERT INTO vault (one, body) VALUES (1, ?)`, vault); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, want)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return tx.Commit()
}
