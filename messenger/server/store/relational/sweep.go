package relational

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// sweepBatch is how many rows one transaction of a sweep removes.
const sweepBatch = 500

// nodeGrace is how long after its lease a node's rows are kept: a node that froze may come back and find its
// devices' rows as they were.
const nodeGrace = 5 * time.Minute

// Sweep implements store.Upkeep.
func (db *DB) Sweep(ctx context.Context, now time.Time) (store.Swept, error) {
	var s store.Swept
	steps := []func() error{
		func() error { return db.sweepEnvelopes(ctx, now, &s) },
		func() error {
			return db.sweepRows(ctx, &s.Codes, `DELETE FROM code WHERE count_until < $1 AND expires < $1`, ms(now))
		},
		func() error {
			return db.sweepRows(ctx, &s.Invites, `DELETE FROM invite WHERE uses <= 0 OR (expires <> 0 AND expires < $1)`, ms(now))
		},
		func() error {
			return db.sweepRows(ctx, &s.Nodes, `DELETE FROM node WHERE until < $1`, ms(now.Add(-nodeGrace)))
		},
		func() error {
			var n int
			return db.sweepRows(ctx, &n, `DELETE FROM presence WHERE node NOT IN (SELECT name FROM node)`)
		},
		func() error { return db.sweepAttachments(ctx, now, &s) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (db *DB) sweepRows(ctx context.Context, n *int, sql string, args ...any) error {
	rows, err := db.one(ctx, 0, sql, args...)
	*n = int(rows)
	return err
}

// sweepEnvelopes removes what is older than MaxQueuedAge. Ids grow with time, so it looks at the oldest ids and
// stops at the first batch in which nothing is too old: no index on time is needed.
func (db *DB) sweepEnvelopes(ctx context.Context, now time.Time, s *store.Swept) error {
	sql := `DELETE FROM msg WHERE stored < $1 AND id IN (SELECT id FROM msg ORDER BY id LIMIT $2)`
	for {
		n, err := db.one(ctx, 0, sql, ms(now.Add(-store.MaxQueuedAge)), int64(sweepBatch))
		s.Envelopes += int(n)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (db *DB) sweepAttachments(ctx context.Context, now time.Time, s *store.Swept) error {
	for {
		var batch []store.Attachment
		err := db.engine.Write(ctx, Change{Steps: func() []Step {
			batch = nil
			return []Step{{
				SQL: `DELETE FROM attachment WHERE id IN (SELECT id FROM attachment WHERE expires <= $1 ORDER BY expires LIMIT $2)
					RETURNING id, owner, complete, size, hash, expires`,
				Args: []any{ms(now), int64(sweepBatch)},
				Each: func(scan Scan) error {
					a, err := scanAttachment(scan)
					batch = append(batch, a)
					return err
				},
			}}
		}})
		if err != nil {
			return err
		}
		s.Attachments = append(s.Attachments, batch...)
		if len(batch) < sweepBatch {
			return nil
		}
	}
}
