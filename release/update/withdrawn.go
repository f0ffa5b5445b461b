package update

import (
	"context"
	"slices"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
)

// withdrawnHold says why a version is held as withdrawn, or "".
func withdrawnHold(st home.State, version string) string {
	if h := st.Held[version]; h.Withdrawn {
		return h.Reason
	}
	return ""
}

// leaveWithdrawn leaves the running version, which its auditors have withdrawn, for the last genuine one:
// one that is installed, or the base, or else one that the repository has. Nothing below the signed minimum
// and nothing refused will do. Where none is left the program keeps running and says so: a version that is
// not to be trusted is one thing, no messenger at all another, and which is worse is for people to say.
//
// Where another version takes over at the next start anyway, that one stays.
func (u *Updater) leaveWithdrawn(ctx context.Context, repo repository, why string) error {
	running := u.Running.Version
	u.report(StepJudge, running, "the running version was withdrawn: %s", why)
	st, err := u.Home.Load()
	if err != nil {
		return err
	}
	to, ok := st.Choose(u.Running.Base), true
	if to == u.Running.Installed {
		to, ok = u.lastGenuine(st)
	}
	st, err = u.Home.Change(func(s *home.State) error {
		s.Withdraw(running, to, !ok, why, u.Now())
		return nil
	})
	if err != nil || ok {
		return err
	}
	u.report(StepJudge, running, "%s", st.Notice)
	return u.fetchOlder(ctx, repo, st)
}

// lastGenuine finds an installed version, newest first, or the base, of which nothing is shown to be wrong
// by all that this device knows.
func (u *Updater) lastGenuine(st home.State) (version string, ok bool) {
	var list []string
	for v := range st.Versions {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b string) int { return anchor.CompareVersions(b, a) })
	for _, v := range list {
		if v == u.Running.Version || st.Below(v) || held(st, v) || u.Home.Verify(v, st.Versions[v]) != nil {
			continue
		}
		r := u.Running
		r.Version, r.Installed, r.Path = v, v, u.Home.Executable(v)
		if u.maySelf(r) {
			return v, true
		}
	}
	base := u.Running
	base.Version, base.Installed, base.Path = base.Base, "", base.BasePath
	if base.Version == u.Running.Version || st.Below(base.Version) || held(st, base.Version) || !u.maySelf(base) {
		return "", false
	}
	return "", true
}

func held(st home.State, version string) bool {
	_, ok := st.Held[version]
	return ok
}

// maySelf reports whether nothing is shown to be wrong about an installed program.
func (u *Updater) maySelf(r Running) bool {
	v, err := Self(u.Anchor, u.Home, r, u.Now())
	return err == nil && v.Outcome != genuine.Refused
}

// fetchOlder installs the newest genuine version that is older than the withdrawn one.
func (u *Updater) fetchOlder(ctx context.Context, repo repository, st home.State) error {
	var list []candidate
	for _, channel := range channels(st) {
		for _, version := range evidence.Versions(repo.set, channel) {
			if anchor.CompareVersions(version, u.Running.Version) >= 0 || st.Below(version) || held(st, version) {
				continue
			}
			if _, err := repo.set.Target(u.program(channel, version)); err == nil {
				list = append(list, candidate{channel, version})
			}
		}
	}
	sortNewest(list)
	for _, c := range list[:min(len(list), maxCandidates)] {
		o, err := u.judge(ctx, repo, c)
		if err != nil {
			u.report(StepJudge, c.version, "not taken: %v", err)
			continue
		}
		return u.install(ctx, repo, o, st)
	}
	return nil
}

// holdWithdrawn remembers that a candidate was refused because it is withdrawn, so that it is not fetched
// and judged again before the repository has news.
func (u *Updater) holdWithdrawn(o offer) error {
	r := o.verdict.Reason(genuine.ReasonNotWithdrawn)
	if r.State != genuine.Failed {
		return nil
	}
	_, err := u.Home.Change(func(s *home.State) error {
		if !held(*s, o.version) {
			s.HoldWithdrawn(o.version, r.Text, u.Now())
		}
		return nil
	})
	return err
}

// reinstated ends the hold of a withdrawn version that is genuine again.
func (u *Updater) reinstated(version string) error {
	_, err := u.Home.Change(func(s *home.State) error {
		if s.Held[version].Withdrawn {
			s.Release(version)
		}
		return nil
	})
	return err
}
