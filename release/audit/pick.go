package audit

import (
	"context"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/event"
)

// minPrefix is how many digits of an event id a person must give: enough that an honest room has one match.
// Somebody who opens events until two ids begin alike only gets them both listed.
const minPrefix = 6

// Pick returns the one event of the room whose id starts with prefix. A *NotOne error lists what there is.
func (a *Auditor) Pick(ctx context.Context, prefix string) (event.ID, error) {
	if id, err := event.ParseID(prefix); err == nil {
		return id, nil
	}
	entries, err := a.Store.List(ctx)
	if err != nil {
		return event.ID{}, err
	}
	var all, found []event.Entry
	for _, e := range entries {
		if e.ID == (event.ID{}) {
			continue
		}
		all = append(all, e)
		if len(prefix) >= minPrefix && strings.HasPrefix(e.Name, prefix) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return event.ID{}, &NotOne{Prefix: prefix, Candidates: a.names(ctx, all), None: true}
	case 1:
		return found[0].ID, nil
	}
	return event.ID{}, &NotOne{Prefix: prefix, Candidates: a.names(ctx, found)}
}

// names makes lines a person can choose from.
func (a *Auditor) names(ctx context.Context, entries []event.Entry) []string {
	var out []string
	for _, e := range entries {
		label := "unreadable: " + e.Problem
		if h, err := a.head(ctx, e.ID); err == nil {
			label = h.Label
		}
		out = append(out, fmt.Sprintf("%s %s", e.ID.Short(), label))
	}
	return out
}

// head reads an event.json alone and checks it against its id.
func (a *Auditor) head(ctx context.Context, id event.ID) (event.Event, error) {
	raw, err := a.Store.Read(ctx, id, "event.json", event.MaxEvent)
	if err != nil {
		return event.Event{}, err
	}
	if event.IDOf(raw) != id {
		return event.Event{}, refusef("event %s: its event.json has another id", id.Short())
	}
	return event.Parse(raw)
}
