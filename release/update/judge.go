package update

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/trust"
)

// offer is a version that was judged genuine.
type offer struct {
	candidate
	evidence genuine.Evidence
	manifest genuine.Manifest
	artifact genuine.Artifact
	verdict  genuine.Verdict
}

// judge gathers the evidence for a candidate and judges what the manifest names for this platform. The
// error is a *genuine.Error when the verdict is not "genuine".
func (u *Updater) judge(ctx context.Context, repo repository, c candidate) (offer, error) {
	u.report(StepJudge, c.version, "%s %s is there; who vouches for it?", c.channel, c.version)
	o := offer{candidate: c}
	var err error
	if o.evidence, err = evidence.Collect(ctx, u.Anchor, repo.set, repo.meta, c.channel, c.version, u.Courier); err != nil {
		return o, otherBytes(err)
	}
	o.evidence.Withdrawals = u.Home.Memory().Withdrawals()
	if o.manifest, err = genuine.ParseManifest(o.evidence.Release); err != nil {
		return o, refusedError{err}
	}
	var ok bool
	if o.artifact, ok = o.manifest.Find(u.Home.Program, u.Running.OS, u.Running.Arch); !ok {
		return o, refusef("%s %s has no %s for %s/%s", c.channel, c.version, u.Home.Program, u.Running.OS, u.Running.Arch)
	}
	if o.manifest.Version != c.version {
		return o, refusef("release.json under %s/%s says it is version %q", c.channel, c.version, o.manifest.Version)
	}
	o.verdict = u.verdict(o, repo.seen, o.artifact.Length, o.artifact.SHA256)
	if err := o.verdict.Err(); err != nil {
		return o, u.keepFork(o.verdict, err)
	}
	u.report(StepJudge, c.version, "genuine: %s", o.verdict.Reason(genuine.ReasonQuorum).Text)
	return o, u.Home.Memory().KeepHead(o.verdict)
}

// keepFork keeps both heads of a log that was found forked, and says where.
func (u *Updater) keepFork(v genuine.Verdict, why error) error {
	path, err := u.Home.Memory().KeepFork(v)
	if err != nil {
		return errors.Join(why, fmt.Errorf("the two heads could not be kept: %w", err))
	}
	if path == "" {
		return why
	}
	return fmt.Errorf("%w; both signed heads are in %s", why, path)
}

// verdict judges one file as the program of an offer.
func (u *Updater) verdict(o offer, seen genuine.Seen, length int64, sum genuine.Digest) genuine.Verdict {
	v := genuine.Judge(u.Anchor, o.evidence, genuine.Subject{
		Channel: o.channel, Program: u.Home.Program, OS: u.Running.OS, Arch: u.Running.Arch, Length: length, SHA256: sum,
	}, seen, u.Now())
	if u.AcceptStale {
		forgiveAge(&v)
	}
	return v
}

// forgiveAge lets expired metadata pass where the person said so. It forgives nothing else: an older
// state than this device has seen is still refused.
func forgiveAge(v *genuine.Verdict) {
	if v.Outcome != genuine.Unknown {
		return
	}
	first, ok := v.First()
	if !ok || first.Name != genuine.ReasonFresh || first.State != genuine.Open {
		return
	}
	for _, r := range v.Reasons {
		if r.Name != genuine.ReasonFresh && r.State != genuine.Held && r.State != genuine.NotRequired {
			return
		}
	}
	v.Outcome = genuine.Genuine
}

// remember notes why something was not believed, and returns the error. What could not be told because
// the network is away does not replace what was shown to be wrong.
func (u *Updater) remember(c candidate, why error) error {
	_, err := u.Home.Change(func(s *home.State) error {
		r := &home.Refusal{Version: c.version, Channel: c.channel, Reason: why.Error(), Wrong: refused(why), Since: u.Now().UTC()}
		if old := s.Refused; old != nil && old.Reason == r.Reason && old.Version == r.Version {
			return nil // since then
		}
		if r.Wrong || s.Refused == nil || !s.Refused.Wrong {
			s.Refused = r
		}
		return nil
	})
	return errors.Join(why, err)
}

// forget drops the last refusal, since a check went through without one.
func (u *Updater) forget() error {
	_, err := u.Home.Change(func(s *home.State) error {
		s.Refused = nil
		return nil
	})
	return err
}

func sortNewest(list []candidate) {
	slices.SortStableFunc(list, func(a, b candidate) int { return anchor.CompareVersions(b.version, a.version) })
}

// isTarget reports whether b are the bytes a target names.
func isTarget(b []byte, t trust.Target) bool {
	sum := sha256.Sum256(b)
	return int64(len(b)) == t.Length && bytes.Equal(sum[:], t.SHA256[:])
}
