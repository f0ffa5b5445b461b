package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/event"
)

// Result says what Publish did.
type Result struct {
	ID       event.ID         `json:"-"`
	Event    string           `json:"event"`
	Label    string           `json:"label"`
	Already  bool             `json:"already"`  // it was published before; at most evidence was added
	Versions map[string]int64 `json:"versions"` // what is served now, by role
}

// NotReady says that an event may not be published yet, or any more.
type NotReady struct{ Status event.Status }

func (e *NotReady) Error() string {
	return fmt.Sprintf("event %s (%s) cannot be published: %s", e.Status.ID.Short(), e.Status.Label, e.Status.Next())
}

// Refused is true: the answers were counted and do not suffice.
func (e *NotReady) Refused() bool { return true }

// Publish makes an event's roles what the repository serves. It counts every quorum, and asks the judge
// about every program of a release as users will, over the state that would come to be; only then does
// it write. Publishing what is published already completes the evidence and changes nothing else.
func (r *Repository) Publish(ctx context.Context, events event.Store, id event.ID, now time.Time) (Result, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	p, err := event.Load(ctx, events, id)
	if err != nil {
		return Result{}, err
	}
	s, err := r.Load()
	if err != nil {
		return Result{}, err
	}
	var pending *Interrupted
	if errors.As(s.Pending, &pending) && pending.Event != id.String() {
		return Result{}, pending
	}
	replacing, err := event.Replacing(ctx, events, id)
	if err != nil {
		return Result{}, err
	}
	status := p.Status(s.Published, replacing)
	if status.Published {
		return Result{id, id.String(), p.Event.Label, true, s.Published.Versions}, r.complete(ctx, events, p, s, now)
	}
	if err := mayPublish(status); err != nil {
		return Result{}, err
	}
	if err := sameDistribution(p, s); err != nil {
		return Result{}, err
	}
	if err := inTime(p, s, now); err != nil {
		return Result{}, err
	}
	next, proof, err := r.next(ctx, events, p, s, now)
	if err != nil {
		return Result{}, err
	}
	if err := r.write(ctx, events, p, next, proof); err != nil {
		return Result{}, err
	}
	return Result{id, id.String(), p.Event.Label, false, next.Published.Versions}, nil
}

// complete adds what came in after an event was published: statements, with a new proof that they are in the
// log, and withdrawals. Withdrawals do not wait for witnesses, nor do statements, which the old proof
// beside them does not show until a later step.
func (r *Repository) complete(ctx context.Context, events event.Store, p *event.Proposal, s State, now time.Time) error {
	if p.Event.Kind != event.KindRelease {
		return nil
	}
	had, err := r.publishedProof(p)
	if err != nil {
		return err
	}
	policy, err := LogPolicyOf(ctx, events, s.Published)
	if err != nil {
		return err
	}
	made, late := r.proveRelease(ctx, p, policy, had)
	if late != nil {
		made = had
	}
	if err := r.writeEvidence(p, made); err != nil {
		return err
	}
	if err := r.writeWithdrawals(ctx, events, p, s, now); err != nil {
		return err
	}
	return late
}

// sameDistribution refuses an event whose base is not our own history.
func sameDistribution(p *event.Proposal, s State) error {
	if s.Empty() != (p.Event.Kind == event.KindDistribution) {
		return refusef("event %s is of kind %s, and %d roots are published", p.ID.Short(), p.Event.Kind, len(s.Base.Roots))
	}
	if s.Empty() {
		return nil
	}
	if _, err := p.Base.Verify(s.Base.Roots[0]); err != nil {
		return fmt.Errorf("event %s builds on another distribution: %w", p.ID.Short(), err)
	}
	return nil
}

// inTime compares the times people signed with the clock. A time of the future would become the floor
// below which users' programs take no clock for right; what has expired would reach them dead.
func inTime(p *event.Proposal, s State, now time.Time) error {
	if err := clockBack(s, now); err != nil {
		return err
	}
	if p.Event.Made.After(now) {
		return refusef("event %s was made %s, and the clock says %s", p.ID.Short(), p.Event.Made.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	for _, role := range p.Event.Roles() {
		if at := p.Event.Expires[role]; !at.After(now) {
			return refusef("event %s proposes a version of %s that expired on %s: stage it again", p.ID.Short(), role, at.Format(time.DateOnly))
		}
	}
	return nil
}

// mayPublish looks at the quorums alone; what a policy asks beyond them is for the judge, who gives the
// reason by its name.
func mayPublish(s event.Status) error {
	ok := s.Stale == "" && s.Superseded == ""
	for _, q := range s.Quorums {
		ok = ok && q.Met()
	}
	if !ok {
		return &NotReady{s}
	}
	return nil
}
