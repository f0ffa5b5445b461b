package genuine

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
)

// Outcome is the result of judging. The zero value is Unknown, so a verdict nobody filled is harmless.
type Outcome int

const (
	Unknown Outcome = iota // could not tell: nothing was shown to be wrong, and not enough to be right
	Genuine
	Refused
)

func (o Outcome) String() string {
	switch o {
	case Genuine:
		return "genuine"
	case Refused:
		return "refused"
	}
	return "could not tell"
}

// MarshalText writes the outcome as its words.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// State says how one reason stands. The zero value is NotJudged.
type State int

const (
	NotJudged   State = iota // an earlier reason failed, so this one has nothing to stand on
	Held                     // shown
	Failed                   // shown to be wrong
	Open                     // could not tell
	NotRequired              // the policy does not ask for it; nothing was checked
)

func (s State) String() string {
	return [...]string{"not judged", "held", "failed", "could not tell", "not required by policy"}[s]
}

// MarshalText writes the state as its words.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// The reasons' names, in the order of the claim.
const (
	ReasonQuorum       = "quorum"
	ReasonSpread       = "spread"
	ReasonFresh        = "fresh"
	ReasonRebuilt      = "rebuilt"
	ReasonReviewed     = "reviewed"
	ReasonLogged       = "logged"
	ReasonNotWithdrawn = "not withdrawn"
)

// Reason is one of the seven parts of the claim.
type Reason struct {
	Number int      `json:"number"` // 1 to 7
	Name   string   `json:"name"`
	State  State    `json:"state"`
	Text   string   `json:"text"`             // one sentence for people
	People []Person `json:"people,omitempty"` // who vouched, sorted by name
	// Against are those whose word speaks against it: who got other bytes, found fault, or withdrew it.
	Against []Person `json:"against,omitempty"`
}

func (r Reason) String() string {
	return fmt.Sprintf("%d %s: %s: %s", r.Number, r.Name, r.State, r.Text)
}

// Verdict is the answer about one file.
type Verdict struct {
	Outcome Outcome   `json:"outcome"`
	Subject Subject   `json:"subject"`
	Version string    `json:"version,omitempty"` // of the release that names these bytes, if one does
	Commit  string    `json:"commit,omitempty"`  // git commit it was built from
	Notes   string    `json:"notes,omitempty"`   // what the signed release says to users
	At      time.Time `json:"at"`                // the time it was judged for
	Log     *Logged   `json:"log,omitempty"`     // the log's head that was looked at, if the policy asks for one
	Reasons []Reason  `json:"reasons"`
}

// Logged is the head of the log under which a release was shown to be logged, or the one that was refused.
type Logged struct {
	Head       proof.Head `json:"head"`
	Checkpoint string     `json:"checkpoint"`     // the head as signed: evidence
	Seen       string     `json:"seen,omitempty"` // the signed head that this device has seen, when the two conflict
}

// First returns the first reason that keeps the verdict from being genuine.
func (v Verdict) First() (Reason, bool) {
	for _, want := range []State{Failed, Open, NotJudged} {
		for _, r := range v.Reasons {
			if r.State == want {
				return r, true
			}
		}
	}
	return Reason{}, false
}

// Reason returns a reason by its name.
func (v Verdict) Reason(name string) Reason {
	for _, r := range v.Reasons {
		if r.Name == name {
			return r
		}
	}
	return Reason{Name: name}
}

// Text tells the verdict in lines for people.
func (v Verdict) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", v.Outcome, v.Subject.describe(v.Version))
	fmt.Fprintf(&b, "  sha256 %s\n", v.Subject.SHA256)
	if v.Commit != "" {
		fmt.Fprintf(&b, "  source commit %s\n", v.Commit)
	}
	for _, r := range v.Reasons {
		mark := map[State]string{Held: "✓", Failed: "✗", Open: "?", NotJudged: "-", NotRequired: "-"}[r.State]
		fmt.Fprintf(&b, "  %s %d %-13s %s\n", mark, r.Number, r.Name, r.Text)
	}
	return b.String()
}

// Error is a verdict that is not genuine, as an error.
type Error struct{ Verdict Verdict }

func (e *Error) Error() string {
	r, _ := e.Verdict.First()
	return fmt.Sprintf("%s: %s (reason %d, %s)", e.Verdict.Subject.describe(e.Verdict.Version), r.Text, r.Number, r.Name)
}

// Refused reports whether something was shown to be wrong, as opposed to not shown at all.
func (e *Error) Refused() bool { return e.Verdict.Outcome == Refused }

// Err returns nil for a genuine verdict and an *Error for the others.
func (v Verdict) Err() error {
	if v.Outcome == Genuine {
		return nil
	}
	return &Error{v}
}
