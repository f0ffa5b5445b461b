package event

import (
	"fmt"
	"sort"

	"github.com/countersign-project/countersign/tuf/repo"
)

// Authority is one set of people of whom a quorum must sign a role. A root that follows another has two:
// those of the root before, and its own (TUF 5.3.4).
type Authority struct {
	Name    string // "stable"; "root 3 (in force)"; "root 4 (proposed)"
	Quorum  int
	Holders []repo.Holder
	KeyIDs  []string // of Holders, in the same order
}

// Authorities returns who may sign a role of the event. A role whose keys the same event changes is
// signed by the new keys; for root the old ones must agree as well.
func (p *Proposal) Authorities(role string) []Authority { return p.authorities[role] }

// loadAuthorities reads the keys from the proposed metadata where it is proposed, else from the base.
func (p *Proposal) loadAuthorities() error {
	p.authorities = map[string][]Authority{}
	var oldRoot, root, targets []byte
	if n := len(p.Base.Roots); n > 0 {
		oldRoot, targets = p.Base.Roots[n-1], p.Base.Targets
		root = oldRoot
	}
	newRoot, changed := p.Metadata["root"]
	if changed {
		root = newRoot
	}
	if t, ok := p.Metadata["targets"]; ok {
		targets = t
	}
	inspected := map[*byte]repo.Info{} // root and targets once each, whatever the number of roles
	for _, role := range p.Event.Roles() {
		above := targets
		if rank(role) < 2 {
			above = root
		}
		a, err := authority(inspected, above, role)
		if err != nil {
			return err
		}
		if role == "root" && oldRoot != nil {
			old, err := authority(inspected, oldRoot, role)
			if err != nil {
				return err
			}
			old.Name = fmt.Sprintf("root %d (in force)", p.Event.Base["root"])
			a.Name = fmt.Sprintf("root %d (proposed)", p.Event.Version("root"))
			p.authorities[role] = append(p.authorities[role], old)
		}
		p.authorities[role] = append(p.authorities[role], a)
	}
	return nil
}

// authority reads one role's keys from root or targets metadata.
func authority(inspected map[*byte]repo.Info, metadata []byte, role string) (Authority, error) {
	if len(metadata) == 0 {
		return Authority{}, refusef("role %q has no metadata above it", role)
	}
	info, ok := inspected[&metadata[0]]
	if !ok {
		var err error
		if info, err = repo.Inspect(metadata); err != nil {
			return Authority{}, err
		}
		inspected[&metadata[0]] = info
	}
	for _, r := range info.Roles {
		if r.Name == role {
			a := Authority{Name: role, Quorum: r.Quorum, Holders: r.Holders, KeyIDs: r.KeyIDs}
			sort.Sort(byName(a))
			return a, nil
		}
	}
	return Authority{}, refusef("role %q has no keys in the metadata above it", role)
}

// byName sorts an authority's people as they are shown.
type byName Authority

func (a byName) Len() int           { return len(a.Holders) }
func (a byName) Less(i, j int) bool { return a.Holders[i].Name < a.Holders[j].Name }
func (a byName) Swap(i, j int) {
	a.Holders[i], a.Holders[j] = a.Holders[j], a.Holders[i]
	a.KeyIDs[i], a.KeyIDs[j] = a.KeyIDs[j], a.KeyIDs[i]
}
