package record

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Courier is what *fetch.Courier does.
type Courier interface {
	evidence.Courier
	tiles.Source
}

// Source is verified metadata and who brings the rest. Where the anchor has no policy, as on a mirror that
// was given a root alone, the signed one is the floor.
type Source struct {
	Anchor   anchor.Anchor
	Set      *trust.Set     // verified from Anchor, all channels
	Metadata trust.Metadata // what Set was verified from
	Broken   error          // channels that could not be verified; may be nil
	Courier  Courier
	Progress func(done, total int) // releases looked at; may be nil
}

// Gather judges every release for the time at and collects what was said about it. With a zero at it is
// judged for the time the timestamp was made, so that the same repository gives the same record. A
// release whose files cannot be had is listed with the reason; only a missing policy is an error, since
// nobody's word counts without it.
func Gather(ctx context.Context, s Source, at time.Time) (Record, error) {
	stamp, _ := s.Set.Role(trust.Timestamp)
	if at.IsZero() {
		at = stamp.Made
	}
	r := Record{At: at.UTC(), Channels: []Channel{}, People: []Auditor{}, Missing: []string{}}
	raw, err := s.small(ctx, "policy.json", genuine.MaxPolicy)
	if err != nil {
		return Record{}, err
	}
	if r.Policy, err = genuine.ParsePolicy(raw); err != nil {
		return Record{}, err
	}
	if len(s.Anchor.Policy) == 0 {
		s.Anchor.Policy = raw
	}
	if b, err := s.small(ctx, "mirrors.json", anchor.MaxFile); err != nil {
		r.miss("the list of mirrors: %v", err)
	} else if r.Name, r.Mirrors, err = anchor.ParseMirrors(b); err != nil {
		r.miss("%v", err)
	}
	if s.Broken != nil {
		r.miss("%v", s.Broken)
	}
	for _, role := range s.Set.Roles() {
		r.Roles = append(r.Roles, roleOf(role))
	}
	if err := s.channels(ctx, &r); err != nil {
		return Record{}, err
	}
	r.auditors()
	r.Log = s.log(ctx)
	return r, nil
}

func (r *Record) miss(format string, args ...any) {
	r.Missing = append(r.Missing, fmt.Sprintf(format, args...))
}

// small brings a small target of the repository.
func (s Source) small(ctx context.Context, path string, max int64) ([]byte, error) {
	t, err := s.Set.Target(path)
	if err != nil {
		return nil, err
	}
	if t.Length > max {
		return nil, fmt.Errorf("%s: %d bytes, at most %d allowed", path, t.Length, max)
	}
	return s.Courier.FetchSum(ctx, fetch.TargetPath(path, t.SHA256), t.Length, t.SHA256)
}

// channels gathers each channel that has releases or a rule.
func (s Source) channels(ctx context.Context, r *Record) error {
	total, done := 0, 0
	for _, rule := range r.Policy.Channels {
		total += len(evidence.Versions(s.Set, rule.Channel))
	}
	for _, rule := range r.Policy.Channels {
		role, ok := s.Set.Role(rule.Channel)
		if !ok {
			r.miss("channel %s: its metadata is not here or does not hold", rule.Channel)
			continue
		}
		ch := Channel{Role: roleOf(role), Rule: rule, Releases: []Release{}}
		versions := evidence.Versions(s.Set, rule.Channel)
		slices.Reverse(versions)
		for _, version := range versions {
			release, err := s.release(ctx, rule.Channel, version, r.At)
			if ctx.Err() != nil {
				return err
			}
			if err != nil {
				release.Problem = err.Error()
				r.miss("%s %s: %v", rule.Channel, version, err)
			}
			ch.Releases = append(ch.Releases, release)
			if done++; s.Progress != nil {
				s.Progress(done, total)
			}
		}
		r.Channels = append(r.Channels, ch)
	}
	slices.SortStableFunc(r.Channels, func(a, b Channel) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return nil
}

// rank puts the channel most people mean first.
func rank(channel string) int {
	if channel == "stable" {
		return 0
	}
	return 1
}

// release brings, judges and sorts all that is known of one version.
func (s Source) release(ctx context.Context, channel, version string, at time.Time) (Release, error) {
	r := Release{Channel: channel, Version: version, Reasons: []genuine.Reason{}, Artifacts: []Artifact{},
		Rebuilds: []Rebuild{}, Inconclusive: []Inconclusive{}, Reviews: []Review{}, Withdrawals: []Withdrawal{}}
	ev, err := evidence.Collect(ctx, s.Anchor, s.Set, s.Metadata, channel, version, s.Courier)
	if err != nil {
		return r, err
	}
	if r.Manifest, err = genuine.ParseManifest(ev.Release); err != nil {
		return r, err
	}
	r.Sum = sha256.Sum256(ev.Release)
	r.Path = fetch.TargetPath(genuine.ManifestPath(channel, version), r.Sum)
	r.Evidence = evidence.Path(r.Sum)
	for _, a := range r.Manifest.Artifacts {
		r.Artifacts = append(r.Artifacts, Artifact{a, fetch.TargetPath(r.Manifest.TargetPath(a), a.SHA256)})
	}
	v := judge(s.Anchor, ev, r.Manifest, at)
	r.Outcome, r.Reasons = v.Outcome, v.Reasons
	policy, err := genuine.ParsePolicy(ev.Policy)
	if err != nil {
		return r, err
	}
	r.sort(ev, policy)
	return r, nil
}

// judge asks about every program of a release and returns the first verdict that is not genuine, or one
// that is. It asks as a device would that sees this repository for the first time.
func judge(a anchor.Anchor, ev genuine.Evidence, m genuine.Manifest, at time.Time) genuine.Verdict {
	var last genuine.Verdict
	for _, art := range m.Artifacts {
		if art.Kind != genuine.KindProgram {
			continue
		}
		last = genuine.Judge(a, ev, genuine.Subject{Channel: m.Channel, Program: art.Program, OS: art.OS, Arch: art.Arch,
			Length: art.Length, SHA256: art.SHA256}, genuine.Seen{}, at)
		if last.Outcome != genuine.Genuine {
			return last
		}
	}
	return last
}

func roleOf(r trust.Role) Role {
	out := Role{Name: r.Name, Version: r.Version, Made: r.Made, Expires: r.Expires, Quorum: r.Quorum, Signers: []genuine.Person{}}
	for _, k := range r.Signers {
		out.Signers = append(out.Signers, genuine.Person{Name: k.Holder, Organisation: k.Organisation, Jurisdiction: k.Jurisdiction})
	}
	slices.SortFunc(out.Signers, func(a, b genuine.Person) int { return strings.Compare(a.Name, b.Name) })
	return out
}
