package event

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// Opening is what every new event needs from outside: when, and a nonce's randomness.
type Opening struct {
	Now        time.Time
	Rand       io.Reader
	Supersedes ID // zero for none
}

func (o Opening) event(kind Kind, label string) (Event, error) {
	var nonce [16]byte
	if _, err := io.ReadFull(o.Rand, nonce[:]); err != nil {
		return Event{}, err
	}
	e := Event{
		Format: Format, Kind: kind, Label: label, Made: o.Now.UTC().Truncate(time.Second), Nonce: hex.EncodeToString(nonce[:]),
		Expires: map[string]time.Time{}, Base: map[string]int64{}, Files: map[string]File{},
	}
	if o.Supersedes != (ID{}) {
		e.Supersedes = o.Supersedes.String()
	}
	return e, nil
}

// OpenDistribution opens the event that makes version 1 of a distribution.
func (d *DirStore) OpenDistribution(ctx context.Context, file []byte, o Opening) (ID, error) {
	dist, err := ParseDistribution(file)
	if err != nil {
		return ID{}, err
	}
	e, err := o.event(KindDistribution, "new distribution "+dist.Name)
	if err != nil {
		return ID{}, err
	}
	roles := []string{"root", "targets"}
	for _, c := range dist.Channels {
		roles = append(roles, c.Name)
	}
	dist.expire(&e, roles)
	return d.create(ctx, e, map[string]Content{FileDistribution: Bytes(file)}, Base{})
}

// OpenRelease opens the event of one release. files holds "source.bundle", "modules.tar" and
// "artifacts/<path>" for every artifact of the manifest; days is how long the channel metadata lives.
func (d *DirStore) OpenRelease(ctx context.Context, m genuine.Manifest, files map[string]Content, base Base, days int, o Opening) (ID, error) {
	e, err := o.event(KindRelease, m.Version+" "+m.Channel)
	if err != nil {
		return ID{}, err
	}
	raw, err := m.Encode()
	if err != nil {
		return ID{}, err
	}
	e.Expires[m.Channel] = e.Made.AddDate(0, 0, days)
	content := map[string]Content{FileRelease: Bytes(raw)}
	for name, c := range files {
		content[name] = c
	}
	return d.create(ctx, e, content, base)
}

// OpenRoles opens an event that makes the next version of some roles from a distribution file: those
// named, and those the file changes. With nothing named and nothing changed there is nothing to sign,
// which is ErrNothingToDo.
func (d *DirStore) OpenRoles(ctx context.Context, file []byte, base Base, renew []string, o Opening) (ID, error) {
	dist, err := ParseDistribution(file)
	if err != nil {
		return ID{}, err
	}
	roles, err := dist.Changed(base)
	if err != nil {
		return ID{}, err
	}
	for _, r := range renew {
		if r != "root" && r != "targets" && !dist.hasChannel(r) {
			return ID{}, fmt.Errorf("role %q is not one that people sign in this distribution", clip(r))
		}
		roles = append(roles, r)
	}
	if len(roles) == 0 {
		return ID{}, ErrNothingToDo
	}
	e, err := o.event(KindRoles, "")
	if err != nil {
		return ID{}, err
	}
	dist.expire(&e, roles)
	e.Label = "next version of " + joined(e.Roles())
	return d.create(ctx, e, map[string]Content{FileDistribution: Bytes(file)}, base)
}

// create fills in base and files, and writes the event.
func (d *DirStore) create(ctx context.Context, e Event, content map[string]Content, base Base) (ID, error) {
	if e.Kind != KindDistribution {
		if _, err := base.Verify(nil); err != nil {
			return ID{}, err
		}
		versions, err := base.versions()
		if err != nil {
			return ID{}, err
		}
		e.Base = versions
		for name, b := range base.files() {
			content[name] = Bytes(b)
		}
	}
	for name, c := range content {
		if err := checkName(name); err != nil {
			return ID{}, err
		}
		f, err := describe(name, c)
		if err != nil {
			return ID{}, err
		}
		e.Files[name] = f
	}
	return d.Create(ctx, e, content)
}

// expire gives each role its time to live.
func (dist Distribution) expire(e *Event, roles []string) {
	for _, role := range roles {
		days := dist.Expiry.ChannelDays
		switch role {
		case "root":
			days = dist.Expiry.RootDays
		case "targets":
			days = dist.Expiry.TargetsDays
		}
		e.Expires[role] = e.Made.AddDate(0, 0, days)
	}
}

// Changed lists the roles of which a distribution file needs a new version: root or targets where they
// would say something else than the published ones, and channels whose keys or quorum change, since
// their signatures may no longer suffice.
func (dist Distribution) Changed(base Base) ([]string, error) {
	layout, err := dist.Layout()
	if err != nil {
		return nil, err
	}
	var out []string
	root, err := repo.Inspect(base.Roots[len(base.Roots)-1])
	if err != nil {
		return nil, err
	}
	same, err := sameAs(base.Roots[len(base.Roots)-1], root, func(s repo.Stamp) ([]byte, error) { return repo.Root(layout, s) })
	if err != nil {
		return nil, err
	}
	if !same {
		out = append(out, "root")
	}
	targets, err := repo.Inspect(base.Targets)
	if err != nil {
		return nil, err
	}
	same, err = sameAs(base.Targets, targets, func(s repo.Stamp) ([]byte, error) { return deriveTargets(dist, layout, s) })
	if err != nil {
		return nil, err
	}
	// New keys for the targets role come with the root, and the targets they replace were signed by old ones.
	if !same || roleChanged(root.Roles, "targets", layout.Targets) {
		out = append(out, "targets")
	}
	for _, c := range layout.Channels {
		if _, published := base.Channels[c.Name]; !published || roleChanged(targets.Roles, c.Name, c.RoleKeys) {
			out = append(out, c.Name)
		}
	}
	return out, nil
}

// sameAs reports whether a role made anew with the published version's stamp has the published payload.
func sameAs(published []byte, info repo.Info, make func(repo.Stamp) ([]byte, error)) (bool, error) {
	again, err := make(repo.Stamp{Version: info.Version, Made: info.Made, Expires: info.Expires, Event: info.Event})
	if err != nil {
		return false, err
	}
	a, err := repo.Payload(published)
	if err != nil {
		return false, err
	}
	b, err := repo.Payload(again)
	return string(a) == string(b), err
}

func roleChanged(published []repo.RoleInfo, name string, want repo.RoleKeys) bool {
	for _, r := range published {
		if r.Name != name {
			continue
		}
		if r.Quorum != want.Quorum || len(r.KeyIDs) != len(want.Holders) {
			return true
		}
		ids := map[string]bool{}
		for _, id := range r.KeyIDs {
			ids[id] = true
		}
		for _, h := range want.Holders {
			if id, err := repo.KeyID(h); err != nil || !ids[id] {
				return true
			}
		}
		return false
	}
	return true
}

func joined(list []string) string {
	sorted := append([]string(nil), list...)
	sort.SliceStable(sorted, func(i, j int) bool { return rank(sorted[i]) < rank(sorted[j]) })
	out := ""
	for i, s := range sorted {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}
