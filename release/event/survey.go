package event

import (
	"context"
	"errors"
	"sort"
)

// Survey loads every event of a store and says how far each is, oldest first. What is half-written, broken
// or no event is returned apart, named, and disturbs nothing. What skip names is left out; it may be nil.
func Survey(ctx context.Context, s Store, now Published, skip func(ID) bool) (statuses []Status, broken []Entry, err error) {
	entries, err := s.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	var proposals []*Proposal
	for _, e := range entries {
		if e.ID == (ID{}) || e.Problem != "" {
			broken = append(broken, e)
			continue
		}
		if skip != nil && skip(e.ID) {
			continue
		}
		p, err := Load(ctx, s, e.ID)
		var half *HalfWritten
		switch {
		case err == nil:
			proposals = append(proposals, p)
		case isRefusal(err), errors.As(err, &half), errors.Is(err, ErrNoEvent):
			e.Problem = err.Error()
			broken = append(broken, e)
		default:
			return nil, nil, err
		}
	}
	sort.SliceStable(proposals, func(i, j int) bool { return proposals[i].Event.Made.Before(proposals[j].Event.Made) })
	replaced := map[string]string{}
	for _, p := range proposals {
		if p.Event.Supersedes != "" {
			replaced[p.Event.Supersedes] = p.ID.String()
		}
	}
	for _, p := range proposals {
		statuses = append(statuses, p.Status(now, replaced[p.ID.String()]))
	}
	return statuses, broken, nil
}

// Open reports whether people still have something to do: neither published nor out of date.
func (s Status) Open() bool { return !s.Published && s.Superseded == "" && s.Stale == "" }

// Replacing tells whether another event of the store supersedes this one, and names it.
func Replacing(ctx context.Context, s Store, id ID) (string, error) {
	entries, err := s.List(ctx)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.ID == (ID{}) || e.ID == id {
			continue
		}
		raw, err := s.Read(ctx, e.ID, fileEvent, MaxEvent)
		if err != nil {
			continue // a broken neighbour says nothing about this event
		}
		other, err := openEvent(raw, e.ID)
		if err == nil && other.Supersedes == id.String() {
			return e.Name, nil
		}
	}
	return "", nil
}
