package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/trust"
)

// judge fetches, looks the bytes up, and lets release/genuine decide. When several channels name the file,
// one of them vouching for it is enough.
func (v *verifying) judge(ctx context.Context) (genuine.Verdict, error) {
	set, md, channels, err := v.refresh(ctx)
	if err != nil {
		return genuine.Verdict{}, err
	}
	v.found = evidence.Find(set, channels, v.length, v.sum)
	if len(v.found) == 0 && v.broken != nil {
		return v.notFoundFor(v.broken)
	}
	if len(v.found) == 0 {
		return v.unnamed(ctx, set, md, channels)
	}
	var first *genuine.Verdict
	for _, name := range v.found {
		verdict, err := v.judgeAs(ctx, set, md, name)
		if err != nil {
			return genuine.Verdict{}, err
		}
		if verdict.Outcome == genuine.Genuine {
			return verdict, nil
		}
		if first == nil {
			first = &verdict
		}
	}
	return *first, nil
}

// refresh brings the newest metadata. Where all of it is expired it is used all the same: the judge says
// "could not tell" about freshness, and the other reasons are worth knowing.
func (v *verifying) refresh(ctx context.Context) (*trust.Set, trust.Metadata, []string, error) {
	set, md, err := evidence.RefreshAll(ctx, v.client, v.courier, v.app.Now())
	var expired *trust.ExpiredError
	if errors.As(err, &expired) {
		v.newCourier() // the old one has given up all its sources
		set, md, err = evidence.RefreshAll(ctx, v.client, v.courier, time.Time{})
	}
	if set == nil {
		return nil, md, nil, err
	}
	v.broken = err // of single channels; the others are good
	channels := slices.Sorted(maps.Keys(md.Delegated))
	slices.SortStableFunc(channels, func(a, b string) int { return rank(a) - rank(b) })
	if v.Channel == "" {
		return set, md, channels, nil
	}
	if _, ok := md.Delegated[v.Channel]; !ok {
		if err == nil {
			err = cli.Usagef("there is no channel %q in this distribution; it has %s", v.Channel, strings.Join(channels, ", "))
		}
		return nil, md, nil, err
	}
	return set, md, []string{v.Channel}, nil
}

// rank puts the channel that most people mean first.
func rank(channel string) int {
	if channel == "stable" {
		return 0
	}
	return 1
}

// subject is the file, as what the person says it is.
func (v *verifying) subject(channel string) genuine.Subject {
	return genuine.Subject{Channel: channel, Program: v.Program, OS: v.OS, Arch: v.Arch, Length: v.length, SHA256: v.sum}
}

// collect brings the evidence for a version, and keeps it where the person asked for that.
func (v *verifying) collect(ctx context.Context, set *trust.Set, md trust.Metadata, channel, version string) (genuine.Evidence, error) {
	ev, err := evidence.Collect(ctx, v.anchor, set, md, channel, version, v.courier)
	if err != nil {
		return ev, err
	}
	if ev.Withdrawn != nil {
		policy, err := genuine.ParsePolicy(ev.Policy)
		if err == nil {
			err = v.memory().KeepWithdrawn(ev.Withdrawn, policy)
		}
		if err != nil {
			return ev, err
		}
	}
	ev.Withdrawals = v.memory().Withdrawals()
	return ev, v.save(ev, channel, version)
}

// memory is what this user's earlier questions have shown: withdrawals, and the largest head of the log.
func (v *verifying) memory() evidence.Memory { return evidence.Memory{Dir: v.State} }

func (v *verifying) verdict(ev genuine.Evidence, s genuine.Subject) genuine.Verdict {
	seen := evidence.Seen(v.client.Seen())
	seen.Head = v.memory().Head()
	verdict := genuine.Judge(v.anchor, ev, s, seen, v.app.Now())
	if err := v.memory().KeepHead(verdict); err != nil {
		v.app.Say("the log's head could not be remembered: %v", err)
	}
	if path, err := v.memory().KeepFork(verdict); err != nil {
		v.app.Say("the two heads of the log could not be kept: %v", err)
	} else if path != "" {
		v.app.Say("both signed heads of the log are in %s: show them to others", path)
	}
	return verdict
}

// judgeAs judges the file as one of a release that names its bytes. Without the person's word for what it
// is, it is whatever program the release says it is.
func (v *verifying) judgeAs(ctx context.Context, set *trust.Set, md trust.Metadata, name evidence.Named) (genuine.Verdict, error) {
	ev, err := v.collect(ctx, set, md, name.Channel, name.Version)
	if err != nil {
		return genuine.Verdict{}, err
	}
	s := v.subject(name.Channel)
	m, err := genuine.ParseManifest(ev.Release)
	if err == nil && s.Program == "" {
		for _, a := range m.Artifacts {
			if m.TargetPath(a) == name.Path && a.Kind == genuine.KindProgram {
				s.Program, s.OS, s.Arch = a.Program, a.OS, a.Arch
			}
		}
	}
	return v.verdict(ev, s), nil
}

// unnamed is the verdict on bytes that no release names. When the file says which program it is, it is
// judged as that program of the newest release, so that the refusal names what the auditors signed instead.
func (v *verifying) unnamed(ctx context.Context, set *trust.Set, md trust.Metadata, channels []string) (genuine.Verdict, error) {
	var looked []string
	for _, channel := range channels {
		versions := evidence.Versions(set, channel)
		if len(versions) == 0 {
			continue
		}
		newest := versions[len(versions)-1]
		looked = append(looked, fmt.Sprintf("%s up to %s", channel, newest))
		if v.claims.Program == "" || len(looked) > 1 {
			continue
		}
		ev, err := v.collect(ctx, set, md, channel, newest)
		if err != nil {
			return genuine.Verdict{}, err
		}
		s := v.claims
		s.Channel = channel
		if m, err := genuine.ParseManifest(ev.Release); err == nil {
			if _, ok := m.Find(s.Program, s.OS, s.Arch); ok {
				verdict := v.verdict(ev, s)
				verdict.Reasons[0].Text += "; no other release names these bytes either"
				return verdict, nil
			}
		}
	}
	text := "no release names these bytes"
	if len(looked) > 0 {
		text += "; looked at " + strings.Join(looked, ", ")
	}
	s := v.claims
	s.Channel = strings.Join(channels, " or ")
	return notNamed(s, text, v.app.Now()), nil
}

// notFoundFor is the answer when the file is in no channel that could be verified, and another one could
// not be: that it was shown to be wrong is a refusal, anything else no answer.
func (v *verifying) notFoundFor(err error) (genuine.Verdict, error) {
	var refused interface{ Refused() bool }
	if !errors.As(err, &refused) || !refused.Refused() {
		return genuine.Verdict{}, err
	}
	s := v.claims
	if s.Channel == "" {
		s.Channel = "any channel"
	}
	return notNamed(s, err.Error(), v.app.Now()), nil
}

// notNamed is a refusal for want of any release to judge.
func notNamed(s genuine.Subject, text string, now time.Time) genuine.Verdict {
	verdict := genuine.Verdict{Outcome: genuine.Refused, Subject: s, At: now.UTC()}
	names := []string{genuine.ReasonQuorum, genuine.ReasonSpread, genuine.ReasonFresh, genuine.ReasonRebuilt,
		genuine.ReasonReviewed, genuine.ReasonLogged, genuine.ReasonNotWithdrawn}
	for i, name := range names {
		r := genuine.Reason{Number: i + 1, Name: name, Text: "not judged, since " + genuine.ReasonQuorum + " failed"}
		switch {
		case i == 0:
			r.State, r.Text = genuine.Failed, text
		case i >= 4:
			r.State, r.Text = genuine.NotRequired, genuine.NotRequired.String()
		}
		verdict.Reasons = append(verdict.Reasons, r)
	}
	return verdict
}
