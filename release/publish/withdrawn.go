package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// writeWithdrawals publishes what people have said against a published release, or for it again: the next
// version of the list of withdrawals and, at once, a snapshot that names it and a timestamp. It does so in
// the order list, snapshot, timestamp, so that a crash leaves files that nothing names.
func (r *Repository) writeWithdrawals(ctx context.Context, events event.Store, p *event.Proposal, s State, now time.Time) error {
	list, news, err := withdrawals(p, s.Base.Withdrawn.Content)
	if err != nil || !news {
		return err
	}
	if s.Pending != nil {
		return s.Pending
	}
	if err := clockBack(s, now); err != nil {
		return err
	}
	x, err := ExpiryOf(ctx, events, s.Published)
	if err != nil {
		return err
	}
	b := s.Base
	b.Withdrawn = repo.Listed{Version: b.Withdrawn.Version + 1, Content: list}
	if err := r.online(&b, s.Published.Versions, false, now, x); err != nil {
		return err
	}
	if _, err := b.Verify(nil); err != nil {
		return fmt.Errorf("what was just signed does not hold: %w", err)
	}
	if err := r.disk().WriteFile(r.path(evidence.WithdrawnPath(b.Withdrawn.Version)), list); err != nil {
		return err
	}
	if err := r.writeMetadata("snapshot", s.Published.Versions["snapshot"]+1, b.Snapshot); err != nil {
		return err
	}
	return r.disk().WriteFile(r.path("metadata/timestamp.json"), b.Timestamp)
}

// withdrawals joins a published list with the words an event brought, of each person the last one about
// this release, and says whether that is anything new.
func withdrawals(p *event.Proposal, published []byte) (list []byte, news bool, err error) {
	var f genuine.File
	if len(published) > 0 {
		if f, err = genuine.ParseFile(published); err != nil {
			return nil, false, err
		}
	}
	last := map[genuine.Person]event.Statement{}
	take := func(s event.Statement) {
		if had, ok := last[s.By]; !ok || had.Name() != s.Name() && s.Withdrawal.Supersedes(*had.Withdrawal) {
			last[s.By] = s
		}
	}
	var others [][]byte
	had := map[string]bool{}
	for _, b := range f.Statements {
		s, err := p.CheckStatement(b)
		if err != nil || s.Withdrawal == nil {
			others = append(others, b) // about another release
			continue
		}
		had[s.Name()] = true
		take(s)
	}
	for _, s := range p.Statements {
		if s.Withdrawal != nil {
			take(s)
		}
	}
	for _, s := range last {
		news = news || !had[s.Name()]
		others = append(others, s.Bundle)
	}
	if !news {
		return nil, false, nil
	}
	slices.SortFunc(others, slices.Compare)
	list, err = genuine.File{Statements: others}.Encode()
	return list, true, err
}
