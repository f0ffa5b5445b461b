package event

import (
	"errors"
	"fmt"
)

// ErrNoEvent says that a store has no event of that id.
var ErrNoEvent = errors.New("no such event")

// ErrNothingToDo says that a distribution file proposes nothing that is not published already.
var ErrNothingToDo = errors.New("nothing differs from what is published")

// refusal is an error that means "checked and found wrong", with the rule that failed in its text.
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// HalfWritten is an event directory that is not complete: its copying or writing was interrupted. It is
// named and left alone; the other events of the store are not affected.
type HalfWritten struct {
	Name   string // directory name
	Reason string // "has no event.json"
}

func (e *HalfWritten) Error() string {
	return fmt.Sprintf("event %s is half-written: %s", e.Name, e.Reason)
}
