package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/countersign-project/countersign/release/event"
)

// Room is a publisher's working directory: the events and the repository they end in.
type Room struct {
	Events     *event.DirStore
	Repository *Repository
	settled    map[event.ID]int // events nothing can happen to any more, with the answers they had; only for Step
}

// Report is what one Step found and did.
type Report struct {
	Published []Result       `json:"published"`
	Refused   []Problem      `json:"refused"`   // events at their quorum that users would refuse, with the reason
	Delayed   []Problem      `json:"delayed"`   // what is not in the log yet, or not under a head with enough witnesses
	Waiting   []event.Status `json:"waiting"`   // events people still have to answer
	Refreshed Refreshed      `json:"refreshed"` // snapshot and timestamp
	Expiring  []Expiring     `json:"expiring"`  // roles that people must renew
	Broken    []event.Entry  `json:"broken"`    // half-written, damaged or foreign things among the events
	Foreign   []string       `json:"foreign"`   // files in the repository that nothing names
}

// Problem is an event and why it was not published.
type Problem struct {
	Event  string `json:"event"`
	Label  string `json:"label"`
	Reason string `json:"reason"`
	err    error
}

// String names what the problem is about.
func (p Problem) String() string {
	if p.Event == "" {
		return p.Label
	}
	return fmt.Sprintf("%s (event %.12s)", p.Label, p.Event)
}

// Err returns the first refusal as an error, else the first delay, or nil.
func (r Report) Err() error {
	for _, list := range [][]Problem{r.Refused, r.Delayed} {
		if len(list) > 0 {
			return list[0].err
		}
	}
	return nil
}

// Step does all that is due at now: it publishes every event that is ready, adds late statements to the
// evidence, and signs snapshot and timestamp again when they are half over. Doing it again at once
// changes nothing.
func (r *Room) Step(ctx context.Context, now time.Time) (Report, error) {
	out := Report{Published: []Result{}, Refused: []Problem{}, Delayed: []Problem{}, Waiting: []event.Status{}, Expiring: []Expiring{}, Broken: []event.Entry{}, Foreign: []string{}}
	s, err := r.Repository.Load()
	if err != nil {
		return out, err
	}
	statuses, broken, err := event.Survey(ctx, r.Events, s.Published, func(id event.ID) bool { return r.isSettled(ctx, id) })
	if err != nil {
		return out, err
	}
	out.Broken = append(out.Broken, broken...)
	if s.Pending != nil { // before anything else, since nothing else can be published
		sort.SliceStable(statuses, func(i, j int) bool { return isPending(s, statuses[i]) && !isPending(s, statuses[j]) })
	}
	r.keepLog(ctx, s, &out)
	for _, st := range statuses {
		if err := r.settle(ctx, st, &out, now); err != nil {
			return out, err
		}
	}
	return out, r.finish(ctx, &out, now)
}

func isPending(s State, st event.Status) bool {
	var p *Interrupted
	return errors.As(s.Pending, &p) && p.Event == st.Event
}

// isSettled spares the work on events of the past: a room may have hundreds of them, and a step runs at
// every answer. A new answer, such as a late statement, opens the matter again.
func (r *Room) isSettled(ctx context.Context, id event.ID) bool {
	had, ok := r.settled[id]
	if !ok {
		return false
	}
	names, err := r.Events.Answers(ctx, id)
	return err == nil && len(names) == had
}

func (r *Room) settleFor(ctx context.Context, id event.ID) error {
	names, err := r.Events.Answers(ctx, id)
	if err != nil {
		return err
	}
	if r.settled == nil {
		r.settled = map[event.ID]int{}
	}
	r.settled[id] = len(names)
	return nil
}

// settle does what one event needs. An event that is refused keeps its place and its answers.
func (r *Room) settle(ctx context.Context, st event.Status, out *Report, now time.Time) error {
	if !st.Published && !st.Ready {
		if st.Open() {
			out.Waiting = append(out.Waiting, st)
			return nil
		}
		return r.settleFor(ctx, st.ID)
	}
	result, err := r.Repository.Publish(ctx, r.Events, st.ID, now)
	switch {
	case err == nil && !result.Already:
		out.Published = append(out.Published, result)
	case err == nil:
		return r.settleFor(ctx, st.ID)
	case errors.As(err, new(*Unlogged)):
		out.Delayed = append(out.Delayed, Problem{st.Event, st.Label, err.Error(), err})
	case isRefusal(err):
		out.Refused = append(out.Refused, Problem{st.Event, st.Label, err.Error(), err})
	default:
		return fmt.Errorf("event %s: %w", st.ID.Short(), err)
	}
	return nil
}

func (r *Room) finish(ctx context.Context, out *Report, now time.Time) error {
	s, err := r.Repository.Load()
	if err != nil || s.Empty() {
		return err
	}
	if s.Pending != nil {
		return s.Pending
	}
	x, err := ExpiryOf(ctx, r.Events, s.Published)
	if err != nil {
		return err
	}
	if out.Refreshed, err = r.Repository.Refresh(ctx, now, x, false); err != nil {
		return err
	}
	if s, err = r.Repository.Load(); err != nil {
		return err
	}
	r.keepLog(ctx, s, out)
	out.Expiring = append(out.Expiring, s.Expiries(now)...)
	foreign, err := r.Repository.Foreign(s)
	out.Foreign = append(out.Foreign, foreign...)
	return err
}

// newestMetadata labels the problem that what is served could not be logged.
const newestMetadata = "the newest metadata"

// keepLog puts what is served into the log: at the beginning of a step, for what was served when the last one
// was cut off, and at its end. Nobody's verdict waits for it, so that its failure keeps nothing else back.
func (r *Room) keepLog(ctx context.Context, s State, out *Report) {
	if s.Empty() || s.Pending != nil {
		return
	}
	err := r.Repository.logServed(ctx, r.Events, s)
	list := &out.Delayed
	if isRefusal(err) {
		list = &out.Refused
	}
	same := func(p Problem) bool { return p.Label == newestMetadata }
	if err != nil && !slices.ContainsFunc(*list, same) {
		*list = append(*list, Problem{Label: newestMetadata, Reason: err.Error(), err: err})
	}
}
