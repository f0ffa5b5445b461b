package monitor

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Kinds of alarms about the log.
const (
	KindFork      = "fork"       // two heads that cannot be of one log
	KindRollback  = "rollback"   // a place serves less than it did
	KindBadHead   = "bad head"   // a checkpoint that its log or a witness did not sign, or of another log
	KindWitnesses = "witnesses"  // too few witnesses for a quorum, or one of them missing
	KindCorrupt   = "corrupt"    // files of the log do not lead to its head
	KindEntry     = "entry"      // an entry that says nothing we know
	KindTwice     = "two of one" // two entries for what there can be only one of
)

// Alarm is something people should know.
type Alarm struct {
	ID    string            `json:"id"`   // what it is about: told again only when Text changes
	Kind  string            `json:"kind"` // one of the kinds
	Text  string            `json:"text"` // one line for people
	Wait  bool              `json:"-"`    // told only when it lasts: it may be a moment between two writes
	Files map[string][]byte `json:"-"`    // evidence by file name
}

// Told is an alarm that people know.
type Told struct {
	Text  string    `json:"text"`
	Kind  string    `json:"kind"`
	Since time.Time `json:"since"`
}

// Due returns the alarms that are to be told at a time, in a steady order: those that are new or say
// something else, except that one that may wait has to last for grace. standing are all that are not
// waiting. over are those that were told and are gone; unless the look was complete, nothing is over.
func (s *State) Due(alarms []Alarm, at time.Time, grace time.Duration, complete bool) (fresh, standing, over []Alarm) {
	now := map[string]Alarm{}
	for _, a := range alarms {
		now[a.ID] = a
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		a := now[id]
		if a.Wait {
			if _, ok := s.Waiting[id]; !ok {
				s.Waiting[id] = at.UTC()
			}
			if at.Sub(s.Waiting[id]) < grace {
				continue
			}
		}
		standing = append(standing, a)
		if told, ok := s.Told[id]; !ok || told.Text != a.Text {
			fresh = append(fresh, a)
		}
	}
	if !complete {
		return fresh, standing, nil
	}
	maps.DeleteFunc(s.Waiting, func(id string, _ time.Time) bool { _, ok := now[id]; return !ok })
	for _, id := range slices.Sorted(maps.Keys(s.Told)) {
		if _, ok := now[id]; !ok {
			over = append(over, Alarm{ID: id, Kind: s.Told[id].Kind, Text: s.Told[id].Text})
		}
	}
	return fresh, standing, over
}

// Tell notes that people were told.
func (s *State) Tell(fresh, over []Alarm, at time.Time) {
	for _, a := range fresh {
		s.Told[a.ID] = Told{a.Text, a.Kind, at.UTC()}
	}
	for _, a := range over {
		delete(s.Told, a.ID)
	}
}

// evidenceName makes a file name of an alarm's id.
func evidenceName(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, id)
}
