package publish

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// court holds what is needed to ask about every program of a release what every user's program will ask.
// The policy in force before counts as the floor, as it does for users who have seen it, and the log
// policy in force as the one they were built with.
type court struct {
	p            *event.Proposal
	before, next State
	now          time.Time
	logPolicy    []byte
	proof        []byte
}

// judge asks about every program, and returns the first error that ask makes of a verdict.
func (c court) judge(ask func(genuine.Verdict) error) error {
	m := c.p.Manifest
	a := anchor.Anchor{Root: c.next.Base.Roots[0], Policy: c.before.Base.Policy, LogPolicy: c.logPolicy}
	ev := genuine.Evidence{Metadata: c.next.Base.Metadata(), Policy: c.next.Base.Policy, Release: c.p.Release,
		Withdrawn: c.next.Base.Withdrawn.Content, Proof: c.proof}
	for _, st := range c.p.Statements {
		ev.Statements = append(ev.Statements, st.Bundle)
	}
	for _, art := range m.Artifacts {
		if art.Kind != genuine.KindProgram {
			continue
		}
		subject := genuine.Subject{Channel: m.Channel, Program: art.Program, OS: art.OS, Arch: art.Arch, Length: art.Length, SHA256: art.SHA256}
		if err := ask(genuine.Judge(a, ev, subject, genuine.Seen{}, c.now)); err != nil {
			return fmt.Errorf("event %s would be refused by its users: %w", c.p.ID.Short(), err)
		}
	}
	return nil
}

// withoutLog is what keeps a verdict from being genuine, the log left out.
func withoutLog(v genuine.Verdict) error {
	var rest []genuine.Reason
	for _, r := range v.Reasons {
		if r.Name != genuine.ReasonLogged {
			rest = append(rest, r)
		}
	}
	v.Reasons = rest
	r, ok := v.First()
	switch {
	case !ok:
		return nil
	case r.State == genuine.Failed:
		v.Outcome = genuine.Refused
	default:
		v.Outcome = genuine.Unknown
	}
	return v.Err()
}
