package statement

import (
	"fmt"
	"time"
)

// Inconclusive says that an auditor tried to rebuild a release and can neither confirm nor deny it: the
// builder could not run, or ran out of disk. Its subject is release.json.
type Inconclusive struct {
	Event        string    // 64 hex digits
	Release      [32]byte  // sha256 of release.json
	SourceCommit string    // git commit that was tried
	Reason       string    // what stopped it, one line for people; not empty
	Builder      string    // the machine and system; free text, may be empty
	Started      time.Time // whole seconds
	Finished     time.Time // whole seconds, not before Started
}

type inconclusiveWire struct {
	header
	Predicate struct {
		Event      string `json:"event"`
		Commit     string `json:"commit"`
		Reason     string `json:"reason"`
		Builder    string `json:"builder"`
		StartedOn  string `json:"startedOn"`
		FinishedOn string `json:"finishedOn"`
	} `json:"predicate"`
}

// Encode prints the statement, or says which field is wrong.
func (i Inconclusive) Encode() ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, &Error{err.Error()}
	}
	var w inconclusiveWire
	w.Type, w.PredicateType = TypeStatement, PredicateInconclusive
	w.Subject = subjectRelease(i.Release)
	w.Predicate.Event, w.Predicate.Commit = i.Event, i.SourceCommit
	w.Predicate.Reason, w.Predicate.Builder = i.Reason, i.Builder
	w.Predicate.StartedOn, w.Predicate.FinishedOn = timeText(i.Started), timeText(i.Finished)
	return encode(w)
}

func (i Inconclusive) check() error {
	switch {
	case !hex64.MatchString(i.Event):
		return fmt.Errorf("event %q, want 64 hex digits", i.Event)
	case i.Release == [32]byte{}:
		return fmt.Errorf("release has no sha256")
	case !gitID.MatchString(i.SourceCommit):
		return fmt.Errorf("source commit %q, want a git object id", i.SourceCommit)
	case i.Reason == "":
		return fmt.Errorf("no reason given")
	}
	if err := checkText("reason", i.Reason, maxText); err != nil {
		return err
	}
	if err := checkText("builder", i.Builder, maxLine); err != nil {
		return err
	}
	return checkSpan(i.Started, i.Finished)
}

func parseInconclusive(b []byte) (i *Inconclusive, err error) {
	var w inconclusiveWire
	if err := decode(b, &w); err != nil {
		return nil, err
	}
	p := w.Predicate
	i = &Inconclusive{Event: p.Event, SourceCommit: p.Commit, Reason: p.Reason, Builder: p.Builder}
	if i.Release, err = releaseOf(w.Subject); err != nil {
		return nil, err
	}
	if i.Started, err = parseTime(p.StartedOn); err != nil {
		return nil, err
	}
	if i.Finished, err = parseTime(p.FinishedOn); err != nil {
		return nil, err
	}
	return i, nil
}
