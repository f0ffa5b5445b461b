package update

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// repository is what a refresh believed.
type repository struct {
	set  *trust.Set
	meta trust.Metadata
	seen genuine.Seen
	news bool // something but the timestamp changed since the last time
}

// candidate is a version that could be installed.
type candidate struct{ channel, version string }

// refresh asks the mirrors for newer metadata: two requests when there is none. A refusal or failure is
// remembered for people.
func (u *Updater) refresh(ctx context.Context, st home.State) (repository, error) {
	u.report(StepCheck, "", "asking for news in channel %s", st.Channel)
	repo, err := u.ask(ctx, st)
	if err != nil {
		return repo, u.remember(candidate{}, err)
	}
	_, err = u.Home.Change(func(s *home.State) error {
		s.Checked = u.Now().UTC()
		return nil
	})
	return repo, err
}

// ask refreshes the trusted metadata. When one of several channels is bad, the others are used and the
// bad one is remembered.
func (u *Updater) ask(ctx context.Context, st home.State) (repository, error) {
	c, err := client.Open(u.Home.TUF(), u.Anchor.Root)
	if err != nil {
		return repository{}, err
	}
	now := u.Now()
	if u.AcceptStale {
		now = time.Time{} // expiry is not judged
	}
	before := c.Seen()
	courier := &noting{Courier: u.Courier}
	set, meta, err := c.Refresh(ctx, courier, now, channels(st)...)
	err = courier.sharpen(err)
	if err != nil && len(meta.Delegated) == 0 {
		return repository{}, err
	}
	if err != nil {
		u.report(StepCheck, "", "%v", u.remember(candidate{}, err))
	}
	after := c.Seen()
	s := seen(after)
	s.Head = u.Home.Memory().Head()
	return repository{set, meta, s, before.Root != after.Root || before.Snapshot != after.Snapshot}, nil
}

// channels are those this device follows. Who follows another one follows stable as well, so that a fix
// that is only there is not missed.
func channels(st home.State) []string {
	if st.Channel == home.DefaultChannel {
		return []string{home.DefaultChannel}
	}
	return []string{home.DefaultChannel, st.Channel}
}

// maxCandidates bounds how many versions one check judges, newest first.
const maxCandidates = 5

// candidates lists what is newer than what this device has, newest first. Held versions and those below
// the floor are none.
func (u *Updater) candidates(repo repository, st home.State) []candidate {
	have := u.Running.Version
	if st.Current != "" && anchor.CompareVersions(st.Current, have) > 0 {
		have = st.Current // installed already, and taking over at the next start
	}
	var list []candidate
	for _, channel := range channels(st) {
		for _, version := range evidence.Versions(repo.set, channel) {
			hold, held := st.Held[version]
			if held && !(hold.Withdrawn && repo.news) || st.Below(version) || anchor.CompareVersions(version, have) <= 0 {
				continue
			}
			if _, err := repo.set.Target(u.program(channel, version)); err != nil {
				continue // this release is not for our platform
			}
			list = append(list, candidate{channel, version})
		}
	}
	sortNewest(list)
	return list[:min(len(list), maxCandidates)]
}

// program is the TUF target path of this program for this platform.
func (u *Updater) program(channel, version string) string {
	return fmt.Sprintf("%s/%s/%s-%s/%s", channel, version, u.Running.OS, u.Running.Arch, u.Home.File())
}

// keepTargets stores the signed policy and the signed list of mirrors when they are others than last
// time: `about` then judges offline by the newest rules, and the next check finds mirrors that are newer
// than this program.
func (u *Updater) keepTargets(ctx context.Context, repo repository) error {
	err := u.keep(ctx, repo, "policy.json", u.Home.Policy(), func(b []byte) error {
		_, err := genuine.ParsePolicy(b)
		return err
	})
	if err != nil {
		return err
	}
	err = u.keep(ctx, repo, "mirrors.json", u.Home.Mirrors(), func(b []byte) error {
		_, _, err := anchor.ParseMirrors(b)
		return err
	})
	if err != nil {
		return err
	}
	return u.keepWithdrawn(ctx, repo)
}

// keepWithdrawn stores the list of withdrawals that the snapshot names, and every word in it for ever.
func (u *Updater) keepWithdrawn(ctx context.Context, repo repository) error {
	if _, ok := u.Home.Memory().Listed(repo.set); ok {
		return nil
	}
	list, err := evidence.Withdrawn(ctx, repo.set, u.Courier)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(u.Home.Policy())
	if err != nil {
		return err
	}
	policy, err := genuine.ParsePolicy(b)
	if err != nil {
		return err
	}
	return u.Home.Memory().KeepWithdrawn(list, policy)
}

// keep stores one small target of the top-level role.
func (u *Updater) keep(ctx context.Context, repo repository, target, path string, check func([]byte) error) error {
	t, err := repo.set.Target(target)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if t.Length > anchor.MaxFile {
		return fmt.Errorf("%s: %d bytes, at most %d allowed", target, t.Length, anchor.MaxFile)
	}
	if b, err := os.ReadFile(path); err == nil && isTarget(b, t) {
		return nil
	}
	b, err := u.Courier.FetchSum(ctx, fetch.TargetPath(t.Path, t.SHA256), t.Length, t.SHA256)
	if err != nil {
		return err
	}
	if err := check(b); err != nil {
		return err
	}
	return durable.WriteFile(path, b, 0o600)
}

// Mirrors is where to look for updates: the list the auditors signed last, then those built into the
// program, none twice.
func Mirrors(h home.Home, a anchor.Anchor) []string {
	var list []string
	if b, err := os.ReadFile(h.Mirrors()); err == nil && len(b) <= anchor.MaxFile {
		if _, signed, err := anchor.ParseMirrors(b); err == nil {
			list = signed
		}
	}
	for _, m := range a.Mirrors {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}
