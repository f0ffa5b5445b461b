package publish

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/trust"
)

// next makes the state that publishing p leads to, in memory, and lets the judge look at it: first at all
// but the log, so that nothing gets into the log that users would refuse anyway; then, with the proof of a
// release, at everything.
func (r *Repository) next(ctx context.Context, events event.Store, p *event.Proposal, s State, now time.Time) (State, []byte, error) {
	next, err := r.following(ctx, events, p, s, now)
	if err != nil || p.Event.Kind != event.KindRelease {
		return next, nil, err
	}
	c := court{p: p, before: s, next: next, now: now}
	if err := c.judge(withoutLog); err != nil {
		return next, nil, err
	}
	if c.logPolicy, err = LogPolicyOf(ctx, events, s.Published); err != nil {
		return next, nil, err
	}
	if c.proof, err = r.proveRelease(ctx, p, c.logPolicy, nil); err != nil {
		return next, nil, err
	}
	return next, c.proof, c.judge(genuine.Verdict.Err)
}

// following is the state after p.
func (r *Repository) following(ctx context.Context, events event.Store, p *event.Proposal, s State, now time.Time) (State, error) {
	b, err := r.advance(p, s)
	if err != nil {
		return State{}, err
	}
	x, err := expiryFor(ctx, events, p, s)
	if err != nil {
		return State{}, err
	}
	if err := r.online(&b, s.Published.Versions, false, now, x); err != nil {
		return State{}, err
	}
	set, err := b.Verify(nil)
	if err != nil {
		return State{}, fmt.Errorf("event %s: %w", p.ID.Short(), err)
	}
	for _, role := range set.Roles() {
		if err := countPeople(role); err != nil {
			return State{}, fmt.Errorf("event %s: %w", p.ID.Short(), err)
		}
	}
	return State{Set: set, Base: b, Published: event.PublishedFrom(set)}, nil
}

// countPeople makes sure that a quorum is one of people: one person with two keys counts once.
func countPeople(role trust.Role) error {
	people := map[string]bool{}
	var distinct []trust.Key
	for _, k := range role.Signers {
		if k.Holder == "" || !people[k.Holder] {
			distinct = append(distinct, k)
		}
		people[k.Holder] = true
	}
	if len(distinct) < role.Quorum {
		return &trust.QuorumError{Role: role.Name, Need: role.Quorum, Signers: distinct, Authorised: role.Authorised}
	}
	return nil
}

// advance puts the event's signed roles in the place of those served.
func (r *Repository) advance(p *event.Proposal, s State) (event.Base, error) {
	b := event.Base{Targets: s.Base.Targets, Policy: s.Base.Policy, Mirrors: s.Base.Mirrors, Withdrawn: s.Base.Withdrawn, Channels: map[string][]byte{}}
	b.Roots = append(b.Roots, s.Base.Roots...)
	for name, raw := range s.Base.Channels {
		b.Channels[name] = raw
	}
	for _, role := range p.Event.Roles() {
		if s.Published.Events[role] == p.ID.String() {
			continue // its root stands there already, from an interrupted publication
		}
		if s.Published.Versions[role] != p.Event.Base[role] {
			return b, refusef("event %s builds on version %d of %s, and version %d is published", p.ID.Short(), p.Event.Base[role], role, s.Published.Versions[role])
		}
		if !bytes.Equal(newest(p.Base, role), newest(s.Base, role)) {
			return b, refusef("event %s builds on another version %d of %s than the one published: two were signed", p.ID.Short(), p.Event.Base[role], role)
		}
		signed, err := p.Signed(role)
		if err != nil {
			return b, err
		}
		switch role {
		case "root":
			if s.standing != nil {
				signed = s.standing // programs may have it already, with the signatures it had then
			}
			b.Roots = append(b.Roots, signed)
		case "targets":
			b.Targets = signed
		default:
			b.Channels[role] = signed
		}
	}
	if _, ok := p.Metadata["targets"]; ok {
		d, err := event.ParseDistribution(p.Distribution)
		if err != nil {
			return b, err
		}
		files, err := d.TargetFiles()
		if err != nil {
			return b, err
		}
		b.Policy, b.Mirrors = files["policy.json"], files["mirrors.json"]
	}
	return b, nil
}

// newest returns what a base holds of a role, without the roots before the newest.
func newest(b event.Base, role string) []byte {
	switch role {
	case "root":
		if n := len(b.Roots); n > 0 {
			return b.Roots[n-1]
		}
		return nil
	case "targets":
		return b.Targets
	}
	return b.Channels[role]
}

func expiryFor(ctx context.Context, events event.Store, p *event.Proposal, s State) (event.Expiry, error) {
	if p.Event.Kind == event.KindRelease {
		return ExpiryOf(ctx, events, s.Published)
	}
	d, err := event.ParseDistribution(p.Distribution)
	return d.Expiry, err
}
