package audit

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/event"
)

// Item is one event of the room, with what it wants of this auditor.
type Item struct {
	event.Status
	Made   time.Time `json:"made"`
	Rivals []Rival   `json:"rivals,omitempty"`
	Mine   string    `json:"mine,omitempty"` // how this auditor's own rebuild ended, as recorded here
	Todo   []Todo    `json:"todo"`           // in this order; empty when there is nothing to do, or no key to do it with
}

// Todo is one thing this auditor has still to do.
type Todo struct {
	Do   string `json:"do"`             // "rebuild" or "sign"
	Role string `json:"role,omitempty"` // what to sign
}

func (t Todo) String() string { return strings.TrimSpace(t.Do + " " + t.Role) }

// Room is all events of a room: those that are whole, oldest first, and those that are not.
type Room struct {
	Events []Item        `json:"events"`
	Broken []event.Entry `json:"broken"`
}

// List looks at every event of the room. A broken one is named and does not disturb the others.
func (a *Auditor) List(ctx context.Context) (*Room, error) {
	entries, err := a.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	room := &Room{Events: []Item{}, Broken: []event.Entry{}}
	var proposals []*event.Proposal
	for _, e := range entries {
		p, err := a.listed(ctx, e)
		if err == nil {
			proposals = append(proposals, p)
			continue
		}
		var half *event.HalfWritten
		if e.Problem == "" && !isRefusal(err) && !errors.As(err, &half) && !errors.Is(err, event.ErrNoEvent) {
			return nil, err // the network or the disk: nothing is known about this event
		}
		e.Problem = err.Error()
		room.Broken = append(room.Broken, e)
	}
	sort.SliceStable(proposals, func(i, j int) bool { return proposals[i].Event.Made.Before(proposals[j].Event.Made) })
	replaced := map[string]string{}
	for _, p := range proposals {
		if p.Event.Supersedes != "" {
			replaced[p.Event.Supersedes] = p.ID.String()
		}
	}
	for _, p := range proposals {
		item, err := a.item(ctx, p, replaced[p.ID.String()])
		if err != nil {
			return nil, err
		}
		item.Rivals = rivalsAmong(p, proposals)
		room.Events = append(room.Events, item)
	}
	return room, nil
}

// listed loads one event of a listing.
func (a *Auditor) listed(ctx context.Context, e event.Entry) (*event.Proposal, error) {
	if e.Problem != "" {
		return nil, errors.New(e.Problem)
	}
	return event.Load(ctx, a.Store, e.ID)
}

func (a *Auditor) item(ctx context.Context, p *event.Proposal, replaced string) (Item, error) {
	item := Item{Status: p.Status(a.Published, replaced), Made: p.Event.Made, Todo: []Todo{}}
	if item.Stale != "" && a.wasPublished(ctx, p) {
		item.Published, item.Stale = true, ""
	}
	record, have, err := a.hasRecord(p.ID)
	if err != nil {
		return item, err
	}
	if have {
		item.Mine = record.Result
	}
	if !item.Open() || len(a.Keys) == 0 {
		return item, nil
	}
	if p.Event.Kind == event.KindRelease {
		s, _, err := a.statementSigner(p)
		switch {
		case err != nil: // the ring has no statement key of this policy
		default:
			matching, differs := ownStatements(p, s.Public())
			if len(differs) > 0 {
				return item, nil // refused by this auditor, on record
			}
			if len(matching) == 0 || !have {
				item.Todo = append(item.Todo, Todo{Do: "rebuild"})
			}
		}
	}
	for _, s := range a.signings(p) {
		if !s.Done {
			item.Todo = append(item.Todo, Todo{"sign", s.Role})
		}
	}
	return item, nil
}

// rivalsAmong finds the events that propose the same version of a role, except those one of the two
// supersedes.
func rivalsAmong(p *event.Proposal, all []*event.Proposal) []Rival {
	var out []Rival
	for _, other := range all {
		if other.ID == p.ID || p.Event.Supersedes == other.ID.String() || other.Event.Supersedes == p.ID.String() {
			continue
		}
		for _, role := range p.Event.Roles() {
			if _, both := other.Event.Expires[role]; both && other.Event.Version(role) == p.Event.Version(role) {
				out = append(out, Rival{other.ID.String(), other.Event.Label, role})
			}
		}
	}
	return out
}

// Text is the room for people, at a time from which ages are counted.
func (r *Room) Text(now time.Time) string {
	var b strings.Builder
	for _, i := range r.Events {
		i.text(&b, now)
	}
	for _, e := range r.Broken {
		fmt.Fprintf(&b, "%s\n  not an event that can be read: %s\n", plain(e.Name), plain(e.Problem))
	}
	if len(r.Events)+len(r.Broken) == 0 {
		b.WriteString("no events\n")
	}
	return b.String()
}

func (i Item) text(b *strings.Builder, now time.Time) {
	fmt.Fprintf(b, "%s  %s (%s), %s old\n", i.ID.Short(), plain(i.Label), i.Kind, age(now.Sub(i.Made)))
	for _, q := range i.Quorums {
		fmt.Fprintf(b, "  %s: signed by %d of %d needed%s", plain(q.Name), len(q.Signed), q.Need, peopleText(" (", q.Signed, ")"))
		if !q.Met() {
			fmt.Fprintf(b, "; not yet:%s", peopleText(" ", q.Missing, ""))
		}
		b.WriteByte('\n')
	}
	var rebuilt []string
	for _, r := range i.Rebuilds {
		if r.Result != event.NotYet {
			rebuilt = append(rebuilt, fmt.Sprintf("%s %s", plain(r.Person.Name), r.Result))
		}
	}
	if len(rebuilt) > 0 {
		fmt.Fprintf(b, "  rebuilt: %s\n", strings.Join(rebuilt, ", "))
	}
	for _, v := range i.Rivals {
		fmt.Fprintf(b, "  event %s (%s) proposes the same version of %s\n", v.Event[:12], plain(v.Label), v.Role)
	}
	for _, bad := range i.Bad {
		fmt.Fprintf(b, "  not counted: %s\n", plain(bad))
	}
	fmt.Fprintf(b, "  → %s\n", plain(i.Next()))
	switch {
	case len(i.Todo) > 0:
		var todo []string
		for _, t := range i.Todo {
			todo = append(todo, t.String())
		}
		fmt.Fprintf(b, "  you: %s\n", strings.Join(todo, ", then "))
	case i.Open() && i.Mine != "":
		fmt.Fprintf(b, "  you: nothing more; your rebuild %s\n", i.Mine)
	}
}

// age is a duration in the one unit that fits.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
