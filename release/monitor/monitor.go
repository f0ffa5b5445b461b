package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/monitor"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// Kinds of alarms about a repository.
const (
	KindRefused      = "refused"
	KindUnlogged     = "unlogged"
	KindUnserved     = "unserved"
	KindDisagreement = "disagreement"
	KindReview       = "review"
	KindWithdrawal   = "withdrawal"
	KindExpiry       = "expiry"
)

// Options says what to watch, and as whom.
type Options struct {
	Dir     string // what is remembered; see attest/monitor
	Anchor  anchor.Anchor
	Sources []fetch.Source // mirrors; each is looked at by itself
	Grace   time.Duration  // how long what may be a moment between two writes has to last
}

// Report is one look.
type Report struct {
	At       time.Time       `json:"at"`
	Name     string          `json:"name"`     // of the distribution, where it is known
	New      []monitor.Alarm `json:"new"`      // to be told now
	Over     []monitor.Alarm `json:"over"`     // told before, and gone
	Standing []monitor.Alarm `json:"standing"` // all that hold now, the new ones included
	Problems []string        `json:"problems"` // what could not be found out
	Entries  int             `json:"entries"`  // of the log that were read so far
	Evidence []string        `json:"evidence"` // folders of the new alarms' evidence
}

// Look looks once at everything. tell is called when there is something new or over, before it is noted
// that people know; an error of tell leaves it to be told by the next look.
func Look(ctx context.Context, o Options, now time.Time, tell func(context.Context, Report) error) (Report, error) {
	s, err := monitor.OpenState(o.Dir)
	if err != nil {
		return Report{}, err
	}
	defer s.Close()
	l := &looking{Options: o, state: s, now: now.UTC(), files: map[string]string{}}
	l.repository(ctx) // before the log: what is served has its entry by then
	l.log(ctx)
	l.compare()
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	r := Report{At: l.now, Name: l.record.Name, Problems: texts(l.problems), Entries: s.Entries().Len(), Evidence: []string{}}
	r.New, r.Standing, r.Over = s.Due(l.alarms, l.now, o.Grace, len(l.problems) == 0)
	for _, a := range r.New {
		dir, err := s.Keep(a)
		if err != nil {
			return r, err
		}
		if dir != "" {
			r.Evidence = append(r.Evidence, dir)
		}
	}
	if len(r.New)+len(r.Over) > 0 && tell != nil {
		if err := tell(ctx, r); err != nil {
			return r, fmt.Errorf("telling: %w", err)
		}
	}
	s.Tell(r.New, r.Over, l.now)
	return r, s.Save()
}

// looking is one look.
type looking struct {
	Options
	state    *monitor.State
	now      time.Time
	record   record.Record
	read     bool // record is whole
	files    map[string]string
	metadata []metadata
	alarms   []monitor.Alarm
	problems []error
	logRead  bool
}

func (l *looking) alarm(a monitor.Alarm, format string, args ...any) {
	a.Text = plain(fmt.Sprintf(format, args...))
	l.alarms = append(l.alarms, a)
}

func (l *looking) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

// log looks at the log at each mirror. Without a log policy in the anchor there is no log to believe.
func (l *looking) log(ctx context.Context) {
	if len(l.Anchor.LogPolicy) == 0 {
		return
	}
	policy, err := proof.ParsePolicy(l.Anchor.LogPolicy)
	if err != nil {
		l.problem("%v", err)
		return
	}
	f := monitor.Follower{Policy: policy}
	for _, src := range l.Sources {
		f.Places = append(f.Places, monitor.Place{Name: src.String(), Source: tiles.Under("log", &fetch.Courier{Sources: []fetch.Source{src}})})
	}
	alarms, problems := f.Look(ctx, l.state)
	l.alarms, l.problems = append(l.alarms, alarms...), append(l.problems, problems...)
	l.logRead = len(problems) == 0 && l.state.Entries().Len() > 0
}

func texts(errs []error) []string {
	list := []string{}
	for _, err := range errs {
		list = append(list, plain(err.Error()))
	}
	slices.Sort(list)
	return list
}

// plain keeps other people's text on one line, without what could move a cursor.
func plain(s string) string {
	return strings.Map(printable, strings.Join(strings.Fields(s), " "))
}
