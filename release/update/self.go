package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/trust"
)

// judgeSelf keeps what the running program needs to judge itself offline: the newest policy, and the
// evidence for its own version where it was not installed by us and so came without. On a first start
// this is where a program gets to know who vouches for it. A version that the repository does not name
// has no evidence, which is for `about` to say. Nothing here can keep an update away, so errors are only
// reported.
//
// The result says why the running version has been withdrawn, or "".
func (u *Updater) judgeSelf(ctx context.Context, repo repository, st home.State) (withdrawn string) {
	_, listed := u.Home.Memory().Listed(repo.set)
	if _, _, err := ownEvidence(u.Home, u.Running); err == nil && !repo.news && listed && exists(u.Home.Policy()) && exists(u.Home.Mirrors()) {
		return withdrawnHold(st, u.Running.Version) // then all of it is as it was, and a check costs next to nothing
	}
	withdrawn, err := u.keepEvidence(ctx, repo, st)
	if err != nil {
		u.report(StepJudge, u.Running.Version, "could not tell who vouches for the running version: %v", err)
	}
	return withdrawn
}

func (u *Updater) keepEvidence(ctx context.Context, repo repository, st home.State) (withdrawn string, err error) {
	if err := u.keepTargets(ctx, repo); err != nil {
		return "", err
	}
	ev, m, err := ownEvidence(u.Home, u.Running)
	have := err == nil
	if have {
		ev = newest(ev, u.Home, repo.set, repo.meta)
		v, err := judgeOwn(u.Anchor, u.Home, u.Running, ev, m, repo.seen, u.Now())
		if err == nil && v.Outcome == genuine.Genuine {
			return "", errors.Join(u.raise(m.Minimum), u.Home.Memory().KeepHead(v))
		}
		if r := v.Reason(genuine.ReasonNotWithdrawn); err == nil && r.State == genuine.Failed {
			return r.Text, nil
		}
	}
	for _, channel := range channels(st) {
		found, err := evidence.Collect(ctx, u.Anchor, repo.set, repo.meta, channel, u.Running.Version, u.Courier)
		if errors.Is(err, trust.ErrNoTarget) {
			continue
		}
		if err != nil {
			return "", err
		}
		found.Withdrawals = u.Home.Memory().Withdrawals()
		if have && !u.better(found, repo.seen) {
			return "", nil // what it was installed by stays
		}
		b, err := found.Encode()
		if err != nil {
			return "", err
		}
		if err := durable.WriteFile(u.Home.Evidence(u.Running.Installed), b, 0o600); err != nil {
			return "", err
		}
		if m, err = genuine.ParseManifest(found.Release); err != nil {
			return "", err
		}
		v, err := judgeOwn(u.Anchor, u.Home, u.Running, found, m, repo.seen, u.Now())
		if r := v.Reason(genuine.ReasonNotWithdrawn); err == nil && r.State == genuine.Failed {
			return r.Text, nil
		}
		return "", err
	}
	return "", nil
}

// better reports whether evidence shows the running program to be genuine. Only then may it replace what
// the program was installed by: a later state that does not hold must not leave it without any.
func (u *Updater) better(ev genuine.Evidence, s genuine.Seen) bool {
	m, err := genuine.ParseManifest(ev.Release)
	if err != nil {
		return false
	}
	v, err := judgeOwn(u.Anchor, u.Home, u.Running, ev, m, s, u.Now())
	return err == nil && v.Outcome == genuine.Genuine
}

// raise lifts the floor to the signed minimum of the running version, which is genuine.
func (u *Updater) raise(minimum string) error {
	_, err := u.Home.Change(func(s *home.State) error {
		s.Raise(minimum)
		return nil
	})
	return err
}

// ownEvidence reads what the running version was judged by, as unbelieved as when it came.
func ownEvidence(h home.Home, r Running) (genuine.Evidence, genuine.Manifest, error) {
	f, err := os.Open(h.Evidence(r.Installed))
	if err != nil {
		return genuine.Evidence{}, genuine.Manifest{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, genuine.MaxEvidence+1))
	if err != nil {
		return genuine.Evidence{}, genuine.Manifest{}, err
	}
	ev, err := genuine.ParseEvidence(b)
	if err != nil {
		return ev, genuine.Manifest{}, err
	}
	m, err := genuine.ParseManifest(ev.Release)
	if err == nil && m.Version != r.Version {
		err = fmt.Errorf("the evidence is about version %s", m.Version) // the base was replaced
	}
	return ev, m, err
}

// newest puts the newest metadata and policy this device has into old evidence. Judging a version by the
// state of the day it was installed would overlook what happened since, and would be refused as a replay.
func newest(ev genuine.Evidence, h home.Home, set *trust.Set, meta trust.Metadata) genuine.Evidence {
	ev.Metadata = meta
	ev.Withdrawn, _ = h.Memory().Listed(set)
	ev.Withdrawals = h.Memory().Withdrawals()
	if b, err := os.ReadFile(h.Policy()); err == nil {
		ev.Policy = b
	}
	return ev
}

// judgeOwn judges the running file.
func judgeOwn(a anchor.Anchor, h home.Home, r Running, ev genuine.Evidence, m genuine.Manifest, s genuine.Seen, now time.Time) (genuine.Verdict, error) {
	subject, err := r.Self(h.Program, m.Channel)
	if err != nil {
		return genuine.Verdict{}, err
	}
	return genuine.Judge(a, ev, subject, s, now), nil
}

// Self judges the running program offline, from what this device has. An error means that there is
// nothing to judge by: it was never checked, or the repository does not name this version.
func Self(a anchor.Anchor, h home.Home, r Running, now time.Time) (genuine.Verdict, error) {
	ev, m, err := ownEvidence(h, r)
	if err != nil {
		return genuine.Verdict{}, err
	}
	installed := ev
	var s genuine.Seen
	if c, err := client.Open(h.TUF(), a.Root); err == nil {
		s = seen(c.Seen())
		// What is judged here is this device's own last complete state, which nobody served again. The online
		// keys may have vouched since for a state that did not hold; that is told apart from this, as the
		// refused update, and must not make the running program look forged.
		s.Timestamp, s.Snapshot = 0, 0
		delete(s.Channels, trust.Withdrawn)
		s.Head = h.Memory().Head()
		if set, meta, err := c.Load(time.Time{}, m.Channel); err == nil {
			ev = newest(ev, h, set, meta)
		}
	}
	v, err := judgeOwn(a, h, r, ev, m, s, now)
	if first, ok := v.First(); err == nil && ok && first.Name == genuine.ReasonSpread {
		// The newest state names these bytes still, but too narrow a quorum signed it: it has no say over this
		// device. So what the version was installed by counts, and that it was signed by others since does not.
		return judgeOwn(a, h, r, installed, m, genuine.Seen{Floor: s.Floor}, now)
	}
	return v, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
