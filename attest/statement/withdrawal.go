package statement

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// States of a Withdrawal.
const (
	StateWithdrawn  = "withdrawn"  // nobody should install or keep running this release
	StateReinstated = "reinstated" // the same auditor takes an earlier withdrawal back
)

// Withdrawal is an auditor's word, after a release was published, that it should no longer be used, or
// that it may be again. Predicate withdrawal/v1; its subject is release.json. The latest word of a person
// about a release is the one that counts.
//
//	subject            "release.json", sha256 = Release
//	channel, version   Channel, Version
//	state, reason, at  State, Reason, At
type Withdrawal struct {
	Release [32]byte  // sha256 of release.json
	Channel string    // channel the release is in, such as "stable"
	Version string    // its version, for people; what is withdrawn is told by Release
	State   string    // withdrawn or reinstated
	Reason  string    // one line for people; not empty
	At      time.Time // whole seconds, 1970 or later
}

var channelName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

type withdrawalWire struct {
	header
	Predicate struct {
		Channel string `json:"channel"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
		At      string `json:"at"`
	} `json:"predicate"`
}

// Supersedes reports whether of two words of one person about one release w is the one that counts: the
// later one, and of two at the same second the withdrawal.
func (w Withdrawal) Supersedes(other Withdrawal) bool {
	return w.At.After(other.At) || w.At.Equal(other.At) && w.State == StateWithdrawn
}

// Encode prints the statement, or says which field is wrong.
func (w Withdrawal) Encode() ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, &Error{err.Error()}
	}
	var out withdrawalWire
	out.Type, out.PredicateType = TypeStatement, PredicateWithdrawal
	out.Subject = subjectRelease(w.Release)
	p := &out.Predicate
	p.Channel, p.Version, p.State, p.Reason, p.At = w.Channel, w.Version, w.State, w.Reason, timeText(w.At)
	return encode(out)
}

func (w Withdrawal) check() error {
	switch {
	case w.Release == [32]byte{}:
		return errors.New("release has no sha256")
	case !channelName.MatchString(w.Channel):
		return fmt.Errorf("channel %q, want small letters, digits and hyphens", w.Channel)
	case !versionName.MatchString(w.Version) || len(w.Version) > maxLine:
		return fmt.Errorf("version %q, want three numbers such as 1.4.0", w.Version)
	case w.State != StateWithdrawn && w.State != StateReinstated:
		return fmt.Errorf("state %q, want %s or %s", w.State, StateWithdrawn, StateReinstated)
	case w.Reason == "":
		return errors.New("no reason given")
	case w.At.IsZero():
		return errors.New("time is missing")
	case w.At.UTC().Year() < 1970 || w.At.UTC().Year() > 9999:
		return errors.New("time out of range")
	}
	return checkText("reason", w.Reason, maxText)
}

func parseWithdrawal(b []byte) (w *Withdrawal, err error) {
	var in withdrawalWire
	if err := decode(b, &in); err != nil {
		return nil, err
	}
	p := in.Predicate
	w = &Withdrawal{Channel: p.Channel, Version: p.Version, State: p.State, Reason: p.Reason}
	if w.Release, err = releaseOf(in.Subject); err != nil {
		return nil, err
	}
	if w.At, err = parseTime(p.At); err != nil {
		return nil, err
	}
	return w, nil
}
