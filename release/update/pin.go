package update

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Current, given to Pin, stands for the version that runs.
const Current = "current"

// Pin stays on a version, or goes (back) to it, because the person said so: this is the only way down.
// The version must be genuine and not below the signed minimum. One that is installed already is not
// fetched again, and needs no network. A hold on it ends.
func (u *Updater) Pin(ctx context.Context, version string) (Result, error) {
	result := Result{Running: u.Running.Version}
	unlock, err := u.lock(ctx)
	if err != nil {
		return result, err
	}
	defer unlock()
	u.tidy()
	if version == Current {
		version = u.Running.Version
	}
	if !anchor.ValidVersion(version) {
		return result, fmt.Errorf("%q is not a version such as 1.4.0", version)
	}
	st, err := u.Home.Load()
	if err != nil {
		return result, err
	}
	if st.Below(version) {
		return result, refusef("version %s is below %s, the signed minimum: it may not be used any more", version, st.Floor)
	}
	result.Pinned, result.Newest = version, version
	result.Installed, err = u.goTo(ctx, version, st)
	if err != nil {
		return result, u.remember(candidate{version: version}, err)
	}
	_, err = u.Home.Change(func(s *home.State) error {
		s.Pinned = version
		s.Release(version)
		return nil
	})
	return result, err
}

// goTo makes a version the one that runs from the next start on; switched is false when it is already.
func (u *Updater) goTo(ctx context.Context, version string, st home.State) (switched bool, err error) {
	installed, have := st.Versions[version]
	switch {
	case version == u.Running.Version && st.Choose(u.Running.Base) == u.Running.Installed:
		return false, nil // it runs, and nothing else is about to take over
	case version == u.Running.Base:
		_, err := u.Home.Change(func(s *home.State) error {
			s.ToBase()
			return nil
		})
		return true, err
	case have && u.Home.Verify(version, installed) == nil:
		return true, u.goToInstalled(version, installed)
	}
	repo, err := u.refresh(ctx, st)
	if err != nil {
		return false, err
	}
	if err := u.keepTargets(ctx, repo); err != nil {
		return false, err
	}
	for _, channel := range channels(st) {
		if _, err := repo.set.Target(genuine.ManifestPath(channel, version)); err != nil {
			continue
		}
		o, err := u.judge(ctx, repo, candidate{channel, version})
		if err != nil {
			return false, err
		}
		return true, u.install(ctx, repo, o, st)
	}
	return false, fmt.Errorf("%w: version %s in channel %s; there are %v", trust.ErrNoTarget, version, st.Channel, versions(repo, st))
}

// goToInstalled switches to a version that lies in the home. It was genuine when it was installed; here
// it is judged again by what this device knows now, and only what is shown to be wrong keeps it away:
// the person may be without network.
func (u *Updater) goToInstalled(version string, file home.File) error {
	r := u.Running
	r.Version, r.Installed, r.Path = version, version, u.Home.Executable(version)
	v, err := Self(u.Anchor, u.Home, r, u.Now())
	if err != nil {
		return err
	}
	if v.Outcome == genuine.Refused {
		return v.Err()
	}
	return u.switchTo(offer{candidate: candidate{file.Channel, version}}, file)
}

func versions(repo repository, st home.State) []string {
	var list []string
	for _, channel := range channels(st) {
		list = append(list, evidence.Versions(repo.set, channel)...)
	}
	return list
}

// Set changes what the person decides without a version: nil leaves a setting as it is.
func Set(h home.Home, unpin bool, channel *string, automatic *bool) (home.State, error) {
	return h.Change(func(s *home.State) error {
		if unpin {
			s.Pinned = ""
		}
		if channel != nil {
			s.Channel = *channel
		}
		if automatic != nil {
			s.Manual = !*automatic
		}
		return nil
	})
}
