package relational

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// The insert checks the device and both bounds itself, by the index alone, so that it is one statement that cannot
// fail: either it returns an id or nothing was inserted.
const insertEnvelope = `INSERT INTO msg (dev, guid, tag, size, stored, tries, body)
	SELECT $1::bigint, $2::bytea, $3::bigint, $4::bigint, $5::bigint, 0, $6::bytea
	WHERE EXISTS (SELECT 1 FROM device WHERE key = $1::bigint)
	AND (SELECT count(*) < $7::bigint AND coalesce(sum(size), 0) + $4::bigint <= $8::bigint FROM msg WHERE dev = $1::bigint)
	RETURNING id`

// Enqueue implements store.Queue. All envelopes of a call share a transaction.
func (db *DB) Enqueue(ctx context.Context, envelopes []store.Envelope, now time.Time) []error {
	errs := make([]error, len(envelopes))
	ids := make([]int64, len(envelopes))
	size, fit := 0, make([]int, 0, len(envelopes))
	for i, e := range envelopes {
		if len(e.Body) > store.MaxEnvelope {
			errs[i] = fmt.Errorf("%w: envelope of %d bytes, at most %d", store.ErrTooLarge, len(e.Body), store.MaxEnvelope)
			continue
		}
		size += len(e.Body) + len(e.GUID) + 4*8
		fit = append(fit, i)
	}
	if len(fit) == 0 {
		return errs
	}
	err := db.engine.Write(ctx, Change{Key: int64(envelopes[0].Device), Bytes: size, Steps: func() []Step {
		clear(ids)
		steps := make([]Step, len(fit))
		for n, i := range fit {
			steps[n] = insertStep(envelopes[i], ms(now), &ids[i])
		}
		return steps
	}})
	for i := range envelopes {
		switch {
		case errs[i] != nil:
		case err != nil:
			errs[i] = err
		case ids[i] == 0:
			errs[i] = db.whyNot(ctx, envelopes[i].Device)
		default:
			db.enqueued.Add(1)
		}
	}
	return errs
}

func insertStep(e store.Envelope, now int64, id *int64) Step {
	body := e.Body
	if body == nil {
		body = []byte{} // NULL is something else
	}
	return Step{
		SQL:  insertEnvelope,
		Args: []any{int64(e.Device), e.GUID[:], e.Tag, int64(len(body)), now, body, int64(store.MaxQueued), int64(store.MaxQueuedSize)},
		Each: func(scan Scan) error { return scan(id) },
	}
}

// whyNot says why an envelope for the device was not inserted.
func (db *DB) whyNot(ctx context.Context, device store.DeviceKey) error {
	exists := false
	err := db.engine.Read(ctx, func(tx Tx) error {
		return tx.Query(`SELECT key FROM device WHERE key = $1`, []any{int64(device)}, func(Scan) error { exists = true; return nil })
	})
	switch {
	case err != nil:
		return err
	case !exists:
		return fmt.Errorf("device %d: %w", device, store.ErrNotFound)
	}
	return store.ErrQueueFull
}

const envelopeColumns = `SELECT id, guid, tag, stored, tries, body FROM msg `

func scanEnvelope(scan Scan, device store.DeviceKey) (store.Envelope, error) {
	e := store.Envelope{Device: device}
	var guid []byte
	err := scan(&e.ID, &guid, &e.Tag, &e.Stored, &e.Tries, &e.Body)
	copy(e.GUID[:], guid)
	return e, err
}

// Page implements store.Queue. It first asks the index how many fit into MaxPageSize, so that no more is read.
func (db *DB) Page(ctx context.Context, device store.DeviceKey, after int64, limit int) ([]store.Envelope, error) {
	limit = min(limit, store.MaxPage)
	var page []store.Envelope
	err := db.engine.Read(ctx, func(tx Tx) error {
		page = nil
		last, n, err := pageEnd(tx, device, after, limit)
		if err != nil || n == 0 {
			return err
		}
		page = make([]store.Envelope, 0, n)
		return tx.Query(envelopeColumns+`WHERE dev = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4`,
			[]any{int64(device), after, last, int64(n)}, func(scan Scan) error {
				e, err := scanEnvelope(scan, device)
				page = append(page, e)
				return err
			})
	})
	return page, err
}

// pageEnd returns the id of the last envelope of the page and how many it has.
func pageEnd(tx Tx, device store.DeviceKey, after int64, limit int) (last int64, n int, err error) {
	var bytes int64
	err = tx.Query(`SELECT id, size FROM msg WHERE dev = $1 AND id > $2 ORDER BY id LIMIT $3`,
		[]any{int64(device), after, int64(limit)}, func(scan Scan) error {
			var id, size int64
			if err := scan(&id, &size); err != nil {
				return err
			}
			if bytes += size; n == 0 || bytes <= store.MaxPageSize {
				last, n = id, n+1
			}
			return nil
		})
	return last, n, err
}

// Tagged implements store.Queue.
func (db *DB) Tagged(ctx context.Context, device store.DeviceKey, tag int64) ([]store.Envelope, error) {
	var out []store.Envelope
	err := db.engine.Read(ctx, func(tx Tx) error {
		out = nil
		return tx.Query(envelopeColumns+`WHERE dev = $1 AND tag = $2 ORDER BY id LIMIT $3`,
			[]any{int64(device), tag, int64(store.MaxPage)}, func(scan Scan) error {
				e, err := scanEnvelope(scan, device)
				out = append(out, e)
				return err
			})
	})
	return out, err
}

// Ack implements store.Queue.
func (db *DB) Ack(ctx context.Context, device store.DeviceKey, ids []int64) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if len(ids) > store.MaxPage {
		return 0, fmt.Errorf("%w: %d ids, at most %d", store.ErrTooLarge, len(ids), store.MaxPage)
	}
	n, err := db.one(ctx, int64(device), `DELETE FROM msg WHERE dev = $1 AND id `+db.dialect.In("$2"), int64(device), ids)
	if err == nil {
		db.acked.Add(uint64(n))
	}
	return int(n), err
}

// Failed implements store.Queue.
func (db *DB) Failed(ctx context.Context, device store.DeviceKey, ids []int64) (dropped int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if len(ids) > store.MaxPage {
		return 0, fmt.Errorf("%w: %d ids, at most %d", store.ErrTooLarge, len(ids), store.MaxPage)
	}
	var n int64
	err = db.engine.Write(ctx, Change{Key: int64(device), Bytes: 8 * len(ids), Steps: func() []Step {
		n = 0
		return []Step{
			{SQL: `UPDATE msg SET tries = tries + 1 WHERE dev = $1 AND id ` + db.dialect.In("$2"), Args: []any{int64(device), ids}},
			{SQL: `DELETE FROM msg WHERE dev = $1 AND tries >= $3 AND id ` + db.dialect.In("$2"), Args: []any{int64(device), ids, int64(store.MaxTries)}, Rows: &n},
		}
	}})
	return int(n), err
}

// Depth implements store.Queue.
func (db *DB) Depth(ctx context.Context, device store.DeviceKey) (count int, bytes int64, err error) {
	err = db.engine.Read(ctx, func(tx Tx) error {
		return tx.Query(`SELECT count(*), coalesce(sum(size), 0)::bigint FROM msg WHERE dev = $1`, []any{int64(device)},
			func(scan Scan) error { return scan(&count, &bytes) })
	})
	return count, bytes, err
}

// CountQueued implements store.Queue.
func (db *DB) CountQueued(ctx context.Context) (n int, err error) {
	err = db.engine.Read(ctx, func(tx Tx) error {
		return tx.Query(`SELECT count(*) FROM msg`, nil, func(scan Scan) error { return scan(&n) })
	})
	return n, err
}
