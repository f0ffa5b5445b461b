package relational

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// Each engine has the same migrations in its own words: NNNN_what.sql, numbered from 1 without gaps, each applied
// once, in a transaction with the note that it was. A published migration is never edited; a newer one follows it.
//
// A program may find itself on a database that a newer one has moved on: its successor did not come up healthy, and it was put back. So a
// migration that only adds what older programs need not know (a table, an index, a column that may be left out) says in its first line
// how old they may be: "-- oldest: 3" means that whoever knows schema 3 can still work. Without the line it is the migration's own number.
//
//go:embed migrations
var migrations embed.FS

// Schema returns the number of the newest migration.
func Schema(d Dialect) (int, error) {
	list, err := fs.ReadDir(migrations, path.Join("migrations", d.Name))
	return len(list), err
}

// migrate brings the database to the program's schema, in one transaction. Several servers may start at once: the row of
// schema_version is the lock. A database that is ahead of the program is left as it is, or refused if the program is older than
// its migrations allow.
func migrate(ctx context.Context, e Engine, d Dialect) error {
	create := func(tx Tx) error {
		if _, err := tx.Exec(`CREATE TABLE IF NOT EXISTS schema_version (one INTEGER PRIMARY KEY, version INTEGER NOT NULL, oldest INTEGER NOT NULL)`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO schema_version (one, version, oldest) VALUES (1, 0, 0) ON CONFLICT DO NOTHING`)
		return err
	}
	if err := e.Write(ctx, Change{Decide: create}); err != nil {
		return err
	}
	return e.Write(ctx, Change{Decide: func(tx Tx) error { return forward(tx, d) }})
}

func forward(tx Tx, d Dialect) error {
	have, oldest := -1, -1
	err := tx.Query(`SELECT version, oldest FROM schema_version WHERE one = 1 FOR UPDATE`, nil, func(scan Scan) error { return scan(&have, &oldest) })
	if err != nil {
		return err
	}
	want, err := Schema(d)
	switch {
	case err != nil:
		return err
	case oldest > want:
		return fmt.Errorf("%w: it has %d, which needs a program that knows at least %d, and this one knows %d; start the newer program", store.ErrNewerSchema, have, oldest, want)
	case have >= want:
		return nil
	}
	for v := have + 1; v <= want; v++ {
		allows, err := apply(tx, d, v)
		if err != nil {
			return fmt.Errorf("migration %d: %w", v, err)
		}
		oldest = max(oldest, allows)
	}
	_, err = tx.Exec(`UPDATE schema_version SET version = $1, oldest = $2 WHERE one = 1`, want, oldest)
	return err
}

// apply runs one migration, and returns the oldest schema whose programs it allows.
func apply(tx Tx, d Dialect, version int) (oldest int, err error) {
	dir := path.Join("migrations", d.Name)
	list, err := fs.ReadDir(migrations, dir)
	if err != nil {
		return 0, err
	}
	name := list[version-1].Name() // ReadDir sorts
	if n, _, _ := strings.Cut(name, "_"); strings.TrimLeft(n, "0") != strconv.Itoa(version) {
		return 0, fmt.Errorf("internal error: file %s in place %d", name, version)
	}
	text, err := fs.ReadFile(migrations, path.Join(dir, name))
	if err != nil {
		return 0, err
	}
	if oldest, err = allowed(string(text), version); err != nil {
		return 0, fmt.Errorf("internal error: %s: %v", name, err)
	}
	for _, statement := range statements(string(text)) {
		if _, err := tx.Exec(statement); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return oldest, nil
}

// allowed reads the first line of a migration.
func allowed(text string, version int) (int, error) {
	line, _, _ := strings.Cut(text, "\n")
	number, ok := strings.CutPrefix(line, "-- oldest: ")
	if !ok {
		return version, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > version {
		return 0, fmt.Errorf("first line %q: want a number from 1 to %d", line, version)
	}
	return n, nil
}

// statements splits a migration at semicolons, after dropping comments. Migrations have neither in texts.
func statements(text string) []string {
	var code strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "--")
		code.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	var out []string
	for s := range strings.SplitSeq(code.String(), ";") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
