package mirror

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// file is a target and where a repository keeps it.
type file struct {
	trust.Target
	path string
}

// release is a version of a channel whose statements are wanted.
type release struct {
	channel, version string
	sum              [32]byte // of release.json
}

func (r release) String() string { return r.channel + " " + r.version }

// plan is everything that verified metadata names.
type plan struct {
	set      *trust.Set
	files    []file    // targets of all roles, policy.json first
	releases []release // of all channels
	metadata []named   // in the order in which they are written; timestamp.json last
}

// named is a small file with its bytes.
type named struct {
	path string
	data []byte
}

// planOf lists what a mirror of this metadata holds. first is the version of the anchor's root,
// withdrawn the list of withdrawals that the snapshot names.
func planOf(a anchor.Anchor, first int64, set *trust.Set, md trust.Metadata, withdrawn []byte) plan {
	p := plan{set: set}
	for _, role := range set.Roles() {
		for _, t := range set.Targets(role.Name) {
			f := file{t, fetch.TargetPath(t.Path, t.SHA256)}
			if t.Path == "policy.json" {
				p.files = append([]file{f}, p.files...)
			} else {
				p.files = append(p.files, f)
			}
			parts := strings.Split(t.Path, "/")
			if len(parts) == 3 && t.Path == genuine.ManifestPath(role.Name, parts[1]) {
				p.releases = append(p.releases, release{role.Name, parts[1], t.SHA256})
			}
		}
	}
	add := func(name string, b []byte) { p.metadata = append(p.metadata, named{"metadata/" + name, b}) }
	version := func(role string) int64 { r, _ := set.Role(role); return r.Version }
	for _, r := range set.Roles() {
		if b, ok := md.Delegated[r.Name]; ok {
			add(fmt.Sprintf("%d.%s.json", r.Version, r.Name), b)
		}
	}
	add(fmt.Sprintf("%d.targets.json", version(trust.Targets)), md.Targets)
	if f, ok := set.Withdrawn(); ok {
		add(fmt.Sprintf("%d.%s.json", f.Version, trust.Withdrawn), withdrawn)
	}
	add(fmt.Sprintf("%d.snapshot.json", version(trust.Snapshot)), md.Snapshot)
	add(fmt.Sprintf("%d.root.json", first), a.Root)
	for i, b := range md.Roots {
		add(fmt.Sprintf("%d.root.json", first+1+int64(i)), b)
	}
	add("timestamp.json", md.Timestamp)
	return p
}

// names is every path the plan accounts for.
func (p plan) names() map[string]bool {
	known := map[string]bool{}
	for _, f := range p.files {
		known[f.path] = true
	}
	for _, r := range p.releases {
		known[evidence.Path(r.sum)] = true
	}
	for _, m := range p.metadata {
		known[m.path] = true
	}
	return known
}

func hex256(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
