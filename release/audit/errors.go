package audit

import (
	"errors"
	"fmt"
	"strings"
)

// refusal is an error that means "checked and found wrong", with the rule that failed in its text.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

func isRefusal(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}

// NotRebuilt says that a signature on a release was asked for without this auditor's own matching
// rebuild of it. It is a refusal.
type NotRebuilt struct {
	Label  string // "1.4.0 stable"
	Event  string // id in hex
	Reason string
}

func (e *NotRebuilt) Error() string {
	return fmt.Sprintf("%s (event %s) is not signed without your own matching rebuild: %s", e.Label, e.Event[:12], e.Reason)
}

// Refused is true.
func (e *NotRebuilt) Refused() bool { return true }

// Conflict says that this auditor has signed another proposal for the same role and version. It is a
// refusal, unless the person says that this one takes the other's place.
type Conflict struct {
	Role    string
	Version int64
	Signed  string // id of the event signed before
	On      string // day it was signed
	Asked   string // id of the event in question
}

func (e *Conflict) Error() string {
	return fmt.Sprintf("you signed version %d of %s for event %s on %s; event %s is another proposal for the same version", e.Version, e.Role, e.Signed[:12], e.On, e.Asked[:12])
}

// Refused is true.
func (e *Conflict) Refused() bool { return true }

// NotOne says that the start of an event id names none, or several.
type NotOne struct {
	Prefix     string
	Candidates []string // "<12 hex> label", of those that match, or of all when none does
	None       bool     // none matches
}

func (e *NotOne) Error() string {
	if e.None {
		if len(e.Candidates) == 0 {
			return fmt.Sprintf("no event starts with %q; the room has none", e.Prefix)
		}
		return fmt.Sprintf("no event starts with %q; there are: %s", e.Prefix, strings.Join(e.Candidates, "; "))
	}
	return fmt.Sprintf("%q is the start of several events: %s", e.Prefix, strings.Join(e.Candidates, "; "))
}
