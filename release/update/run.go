package update

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
)

// Result is what a round came to.
type Result struct {
	Running   string           `json:"running"`           // the version that asked
	Newest    string           `json:"newest,omitempty"`  // the newest genuine version that could be installed, or ""
	Channel   string           `json:"channel,omitempty"` // where it is from
	Length    int64            `json:"length,omitempty"`  // its size in bytes
	Notes     string           `json:"notes,omitempty"`   // what its signed manifest says to users
	Installed bool             `json:"installed"`         // it was switched to, and runs from the next start on
	Pinned    string           `json:"pinned,omitempty"`  // the person chose to stay on this version
	Held      string           `json:"held,omitempty"`    // why the newest version there is was passed over
	Verdict   *genuine.Verdict `json:"verdict,omitempty"` // about Newest
}

// Check asks whether there is something newer, and judges it, but fetches and installs no program. The
// error is a refusal when something newer is there and none of it is genuine.
func (u *Updater) Check(ctx context.Context) (Result, error) {
	return u.round(ctx, func(context.Context, repository, offer, home.State) error { return nil }, false)
}

// Update installs the newest genuine version, unless the person pinned one. With nothing new it costs
// two requests and changes nothing.
func (u *Updater) Update(ctx context.Context) (Result, error) {
	return u.round(ctx, u.install, true)
}

// round is check and judge, and then install for the newest version that is genuine. A refused version
// does not hide an older one that is newer than ours.
func (u *Updater) round(ctx context.Context, install func(context.Context, repository, offer, home.State) error, installs bool) (Result, error) {
	result := Result{Running: u.Running.Version}
	unlock, err := u.lock(ctx)
	if err != nil {
		return result, err
	}
	defer unlock()
	u.tidy()
	st, err := u.Home.Load()
	if err != nil {
		return result, err
	}
	result.Pinned = st.Pinned
	repo, err := u.refresh(ctx, st)
	if err != nil {
		return result, err
	}
	if why := u.judgeSelf(ctx, repo, st); why != "" && installs {
		if err := u.leaveWithdrawn(ctx, repo, why); err != nil {
			return result, err
		}
	} else if why == "" {
		if err := u.reinstated(u.Running.Version); err != nil {
			return result, err
		}
	}
	if st, err = u.Home.Load(); err != nil {
		return result, err
	}
	result.Pinned = st.Pinned
	result.Held = heldNewest(repo, st, u.Running.Version)
	o, err := u.newest(ctx, repo, st)
	if err != nil || o.version == "" {
		return result, err
	}
	result.Newest, result.Channel, result.Length, result.Notes, result.Verdict = o.version, o.channel, o.artifact.Length, o.manifest.Notes, &o.verdict
	if !installs || st.Pinned != "" {
		return result, nil
	}
	if err := install(ctx, repo, o, st); err != nil {
		return result, u.remember(o.candidate, err)
	}
	result.Installed = true
	return result, nil
}

// newest judges the candidates, newest first, until one is genuine. None and nothing refused is an empty
// offer. What was refused on the way is remembered; it is the error only when nothing genuine is left.
func (u *Updater) newest(ctx context.Context, repo repository, st home.State) (offer, error) {
	var first error
	for _, c := range u.candidates(repo, st) {
		o, err := u.judge(ctx, repo, c)
		if err == nil {
			if err := u.reinstated(c.version); err != nil {
				return o, err
			}
			if first != nil {
				return o, nil
			}
			return o, u.forget()
		}
		if herr := u.holdWithdrawn(o); herr != nil {
			return offer{}, errors.Join(err, herr)
		}
		u.report(StepJudge, c.version, "not taken: %v", err)
		if first == nil {
			first = u.remember(c, err)
		}
	}
	if first == nil {
		return offer{}, u.forget()
	}
	return offer{}, first
}

// install takes an offer through fetch, stage, probe and switch.
func (u *Updater) install(ctx context.Context, repo repository, o offer, st home.State) error {
	if o.manifest.Minimum != "" && anchor.CompareVersions(o.version, o.manifest.Minimum) < 0 || st.Below(o.version) {
		return refusef("%s is below the signed minimum version", o.version)
	}
	partial, err := u.fetch(ctx, o)
	if err != nil {
		return err
	}
	file, err := u.stage(o, repo, partial, func(path string) error { return u.probe(ctx, o, path) })
	var broken brokenError
	if errors.As(err, &broken) {
		// Held, or it would be fetched again at every check. A person can still ask for it by name.
		_, herr := u.Home.Change(func(s *home.State) error {
			s.Hold(o.version, broken.Error(), u.Now())
			return nil
		})
		return errors.Join(err, herr)
	}
	if err != nil {
		return err
	}
	return u.switchTo(o, file)
}

// switchTo makes an installed version the one that runs from the next start on, on trial. It is one
// atomic replacement of state.json.
func (u *Updater) switchTo(o offer, file home.File) error {
	_, err := u.Home.Change(func(s *home.State) error {
		s.Switch(o.version, file, u.Running.Installed, o.manifest.Minimum, u.Now())
		return nil
	})
	if err != nil {
		return err
	}
	u.report(StepSwitch, o.version, "%s runs from the next start on", o.version)
	return nil
}

// heldNewest says why the newest version of the repository is none for us, or "".
func heldNewest(repo repository, st home.State, running string) string {
	best, why := "", ""
	for _, channel := range channels(st) {
		for v, hold := range st.Held {
			if _, err := repo.set.Target(genuine.ManifestPath(channel, v)); err != nil || anchor.CompareVersions(v, running) <= 0 {
				continue
			}
			if best == "" || anchor.CompareVersions(v, best) > 0 {
				best, why = v, fmt.Sprintf("%s is held since %s: %s", v, hold.Since.Format("2006-01-02 15:04 UTC"), hold.Reason)
			}
		}
	}
	return why
}
