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
//go:embed migrations
var migrations embed.FS

// Schema returns the number of the newest migration.
func Schema(d Dialect) (int, error) {
	list, err := fs.ReadDir(migrations, path.Join("migrations", d.Name))
	return len(list), err
}

// migrate brings the database to the program's schema, in one transaction. Several servers may start at once: the row of
// schema_version is the lock. A database that is ahead of the program is refused, for the program cannot know what it would break.
func migrate(ctx context.Context, e Engine, d Dialect) error {
	create := func(tx Tx) error {
		if _, err := tx.Exec(`CREATE TABLE IF NOT EXISTS schema_version (one INTEGER PRIMARY KEY, version INTEGER NOT NULL)`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO schema_version (one, version) VALUES (1, 0) ON CONFLICT DO NOTHING`)
		return err
	}
	if err := e.Write(ctx, Change{Decide: create}); err != nil {
		return err
	}
	return e.Write(ctx, Change{Decide: func(tx Tx) error { return forward(tx, d) }})
}

func forward(tx Tx, d Dialect) error {
	have := -1
	err := tx.Query(`SELECT version FROM schema_version WHERE one = 1 FOR UPDATE`, nil, func(scan Scan) error { return scan(&have) })
	if err != nil {
		return err
	}
	want, err := Schema(d)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("%w: it has %d, this program knows %d; start the newer program", store.ErrNewerSchema, have, want)
	}
	for v := have + 1; v <= want; v++ {
		if err := apply(tx, d, v); err != nil {
			return fmt.Errorf("migration %d: %w", v, err)
		}
	}
	_, err = tx.Exec(`UPDATE schema_version SET version = $1 WHERE one = 1`, want)
	return err
}

func apply(tx Tx, d Dialect, version int) error {
	dir := path.Join("migrations", d.Name)
	list, err := fs.ReadDir(migrations, dir)
	if err != nil {
		return err
	}
	name := list[version-1].Name() // ReadDir sorts
	if n, _, _ := strings.Cut(name, "_"); strings.TrimLeft(n, "0") != strconv.Itoa(version) {
		return fmt.Errorf("internal error: file %s in place %d", name, version)
	}
	text, err := fs.ReadFile(migrations, path.Join(dir, name))
	if err != nil {
		return err
	}
	for _, statement := range statements(string(text)) {
		if _, err := tx.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
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
