package update

import (
	"context"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
)

// Claim is what a program somewhere else says it is.
type Claim struct {
	Program      string         `json:"program"`
	Version      string         `json:"version"`
	OS           string         `json:"os"`
	Arch         string         `json:"arch"`
	SHA256       genuine.Digest `json:"sha256"`
	Distribution string         `json:"distribution"`
}

// Claimed is how far a claim holds. Nobody can see from here which bytes another computer runs; what is checked is that there is a release that is as the
// claim says, that it is genuine and not withdrawn, and whether there is a newer one.
type Claimed struct {
	Outcome genuine.Outcome  `json:"outcome"` // of the release that is claimed, not of the computer that claims it
	Why     string           `json:"why,omitempty"`
	Verdict *genuine.Verdict `json:"verdict,omitempty"`
	Newest  string           `json:"newest,omitempty"` // of the channel
	Behind  bool             `json:"behind"`           // Newest is newer than what is claimed
	Limits  string           `json:"limits"`           // what was not checked, in a sentence for people
	// Need, Counts and People are of the release, as in Picture; empty without a verdict.
	Need   genuine.Rule `json:"need"`
	Counts Counts       `json:"counts"`
	People []Vouch      `json:"people"`
}

// limits is true of every claim.
const limits = "What is checked is the release that the server says it runs: that these auditors vouch for exactly those bytes, that they have not withdrawn it, and that it is not out of date. " +
	"That the server really runs them cannot be seen from here: it can claim anything about itself. What protects your messages does not depend on it: they are encrypted from device to device."

// Judge checks a claim against the repository, as it is now. What cannot be asked or is not named there leaves the outcome "could not tell".
func (u *Updater) Judge(ctx context.Context, c Claim) Claimed {
	out := Claimed{Limits: limits, People: []Vouch{}}
	if err := u.judgeClaim(ctx, c, &out); err != nil {
		out.Why = err.Error()
		if out.Outcome != genuine.Genuine && refused(err) {
			out.Outcome = genuine.Refused
		}
	}
	return out
}

// Unjudged is the answer of a program that has nothing to judge claims by, and why not.
func Unjudged(why error) Claimed { return Claimed{Why: why.Error(), Limits: limits, People: []Vouch{}} }

func (u *Updater) judgeClaim(ctx context.Context, c Claim, out *Claimed) error {
	switch {
	case c.Distribution == "":
		return fmt.Errorf("it says that it has no distribution: nobody vouches for it")
	case c.Distribution != u.Anchor.Name:
		return fmt.Errorf("it is of the distribution %.60q, and this program knows only %q", c.Distribution, u.Anchor.Name)
	case !anchor.ValidVersion(c.Version):
		return fmt.Errorf("%.60q is not a version such as 1.4.0", c.Version)
	}
	unlock, err := u.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := u.Home.Load()
	if err != nil {
		return err
	}
	repo, err := u.refresh(ctx, st)
	if err != nil {
		return err
	}
	for _, channel := range channels(st) {
		for _, v := range evidence.Versions(repo.set, channel) {
			if out.Newest == "" || anchor.CompareVersions(v, out.Newest) > 0 {
				out.Newest = v
			}
		}
	}
	out.Behind = out.Newest != "" && anchor.CompareVersions(out.Newest, c.Version) > 0
	for _, channel := range channels(st) {
		if _, err := repo.set.Target(genuine.ManifestPath(channel, c.Version)); err == nil {
			return u.judgeRelease(ctx, repo, channel, c, out)
		}
	}
	return fmt.Errorf("the distribution names no version %.60s in the channels that this program follows", c.Version)
}

// judgeRelease judges the release that a claim names.
func (u *Updater) judgeRelease(ctx context.Context, repo repository, channel string, c Claim, out *Claimed) error {
	ev, err := evidence.Collect(ctx, u.Anchor, repo.set, repo.meta, channel, c.Version, u.Courier)
	if err != nil {
		return otherBytes(err)
	}
	ev.Withdrawals = u.Home.Memory().Withdrawals()
	m, err := genuine.ParseManifest(ev.Release)
	if err != nil {
		return refusedError{err}
	}
	a, ok := m.Find(c.Program, c.OS, c.Arch)
	if !ok {
		return fmt.Errorf("%s %s has no %.40q for %.20s/%.20s", channel, c.Version, c.Program, c.OS, c.Arch)
	}
	if a.SHA256 != c.SHA256 {
		return refusef("it says that its bytes have the hash %s, and those of %s %s for %s/%s have %s: it was built by somebody else", c.SHA256, c.Program, c.Version, c.OS, c.Arch, a.SHA256)
	}
	v := genuine.Judge(u.Anchor, ev, genuine.Subject{Channel: channel, Program: c.Program, OS: c.OS, Arch: c.Arch, Length: a.Length, SHA256: a.SHA256}, repo.seen, u.Now())
	out.Verdict, out.Outcome = &v, v.Outcome
	out.paint(knownPolicy(u.Anchor, u.Home), channel, c.Version, ev)
	return v.Err()
}

// paint adds the people to a claim that was judged.
func (out *Claimed) paint(policy genuine.Policy, channel, version string, ev genuine.Evidence) {
	var p Picture
	p.Version = version
	p.named(policy, channel)
	p.vouch(*out.Verdict)
	p.witnessed(policy, out.Verdict.Log)
	p.times(policy, append(slices.Clone(ev.Statements), ev.Withdrawals...))
	out.Need, out.Counts, out.People = p.Need, p.Counts, p.People
}
