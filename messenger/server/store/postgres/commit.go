package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"errors"

	"github.com/countersign-project/countersign/messenger/server/store/relational"
)

// commit runs a batch of plain changes as one implicit transaction in one round trip.
//
// If a statement fails, the whole transaction is undone, so it is safe to run the changes again: at once after a
// lost race, else one by one, so that one that cannot be done does not take others with it. If the connection
// breaks, the outcome is unknown and everybody is told so.
func (e *engine) commit(batch []*relational.Pending) {
	err := e.send(batch)
	for n := 1; n < attempts && again(err); n++ {
		err = e.send(batch)
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && len(batch) > 1 {
		for _, p := range batch {
			e.commit([]*relational.Pending{p})
		}
		return
	}
	if err == nil {
		e.batcher.Count(1, 0, 0, 0)
	}
	err = engineError(err)
	for _, p := range batch {
		p.Answer(err)
	}
}

// send does one attempt. pgx sends all statements of a batch with one Sync at the end, which is what makes them
// one implicit transaction: Close returns after the commit, or with the error that undid it.
func (e *engine) send(batch []*relational.Pending) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all pgx.Batch
	for _, p := range batch {
		for _, s := range p.Steps() {
			queue(&all, s)
		}
	}
	return e.pool.SendBatch(ctx, &all).Close()
}

// queue adds a statement with what is to be done with its rows.
func queue(all *pgx.Batch, s relational.Step) {
	q := all.Queue(s.SQL, s.Args...)
	if s.Each == nil {
		q.Exec(func(tag pgconn.CommandTag) error {
			if s.Rows != nil {
				*s.Rows = tag.RowsAffected()
			}
			return nil
		})
		return
	}
	q.Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := s.Each(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
