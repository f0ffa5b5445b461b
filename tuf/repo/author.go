package repo

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Root makes unsigned root metadata (TUF 4.3). For a rotation give the next version: it then needs a
// quorum of the old root's holders and one of the new, both attached to the same bytes (TUF 5.3.4).
func Root(l Layout, s Stamp) ([]byte, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if err := s.check("root", true); err != nil {
		return nil, err
	}
	root := metadata.RootType{
		Type: metadata.ROOT, SpecVersion: metadata.SPECIFICATION_VERSION, ConsistentSnapshot: true,
		Version: s.Version, Expires: seconds(s.Expires), UnrecognizedFields: s.fields(),
		Keys: map[string]*metadata.Key{}, Roles: map[string]*metadata.Role{},
	}
	for name, r := range map[string]RoleKeys{"root": l.Root, "targets": l.Targets, "snapshot": l.Snapshot, "timestamp": l.Timestamp} {
		ids, err := addKeys(root.Keys, r)
		if err != nil {
			return nil, err
		}
		root.Roles[name] = &metadata.Role{KeyIDs: ids, Threshold: r.Quorum}
	}
	return encode("root", root, nil)
}

// Targets makes unsigned top-level targets metadata: the files, which have no directory ("policy.json"),
// and the delegation of each channel. Delegations terminate and their paths do not overlap, so which
// role speaks for a path does not depend on their order (TUF 4.5, 5.6.7).
func Targets(l Layout, files []File, s Stamp) ([]byte, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if err := s.check("targets", true); err != nil {
		return nil, err
	}
	targets, err := targetFiles("targets", nil, files)
	if err != nil {
		return nil, err
	}
	d := &metadata.Delegations{Keys: map[string]*metadata.Key{}, Roles: []metadata.DelegatedRole{}}
	channels := slices.Clone(l.Channels)
	slices.SortFunc(channels, func(a, b Channel) int { return cmp.Compare(a.Name, b.Name) })
	for _, ch := range channels {
		ids, err := addKeys(d.Keys, ch.RoleKeys)
		if err != nil {
			return nil, err
		}
		d.Roles = append(d.Roles, metadata.DelegatedRole{Name: ch.Name, KeyIDs: ids, Threshold: ch.Quorum,
			Terminating: true, Paths: []string{ch.Name + "/*/*", ch.Name + "/*/*/*"}})
	}
	for path := range targets {
		if strings.Contains(path, "/") {
			return nil, refusef("targets", "target %q, want a name without directories: the channels name the rest", path)
		}
	}
	return encode("targets", targetsRole(s, targets, d), nil)
}

// ChannelRole makes unsigned channel metadata: the targets of the previous version (nil for the first)
// and add. A path never changes its bytes: naming one again with others is refused. All paths are
// <channel>/<version>/<file> or <channel>/<version>/<platform>/<file> of one channel.
func ChannelRole(previous []byte, add []File, s Stamp) ([]byte, error) {
	const role = "channel"
	if err := s.check(role, true); err != nil {
		return nil, err
	}
	var had map[string]*metadata.TargetFiles
	if previous != nil {
		old, err := decode[metadata.TargetsType](previous)
		if err != nil {
			return nil, err
		}
		if old.Signed.Delegations != nil {
			return nil, refusef(role, "previous version is targets metadata: it delegates")
		}
		if s.Version <= old.Signed.Version {
			return nil, refusef(role, "version %d, want more than the previous %d", s.Version, old.Signed.Version)
		}
		had = old.Signed.Targets
	}
	targets, err := targetFiles(role, had, add)
	if err != nil {
		return nil, err
	}
	channel := ""
	for _, path := range slices.Sorted(maps.Keys(targets)) {
		part := strings.Split(path, "/")
		if len(part) != 3 && len(part) != 4 {
			return nil, refusef(role, "target %q, want channel/version/file or channel/version/platform/file", path)
		}
		if channel != "" && part[0] != channel {
			return nil, refusef(role, "target %q does not belong to channel %s", path, channel)
		}
		channel = part[0]
	}
	return encode(role, targetsRole(s, targets, nil), nil)
}

// Snapshot makes unsigned snapshot metadata over the full signed bytes of each role by name: "targets"
// and the channels it delegates to (TUF 4.4).
func Snapshot(roles map[string][]byte, s Stamp) ([]byte, error) {
	return SnapshotListing(roles, Listed{}, s)
}

// withdrawn is the name under which a snapshot lists the file of withdrawals, which is no role.
const withdrawn = "withdrawn"

// Listed is the file of withdrawals, metadata/<version>.withdrawn.json. The zero value is none.
type Listed struct {
	Version int64
	Content []byte
}

// SnapshotListing makes a snapshot that also lists the file of withdrawals.
func SnapshotListing(roles map[string][]byte, list Listed, s Stamp) ([]byte, error) {
	if err := s.check("snapshot", false); err != nil {
		return nil, err
	}
	top, err := decode[metadata.TargetsType](roles["targets"])
	if err != nil {
		return nil, err
	}
	delegated := map[string]bool{"targets": true}
	if top.Signed.Delegations != nil {
		for _, r := range top.Signed.Delegations.Roles {
			delegated[r.Name] = true
		}
	}
	meta := map[string]*metadata.MetaFiles{}
	for name, b := range roles {
		if !delegated[name] {
			return nil, refusef("snapshot", "role %q is not delegated by targets", name)
		}
		m, err := decode[metadata.TargetsType](b)
		if err != nil {
			return nil, err
		}
		meta[name+".json"] = metaFile(m.Signed.Version, b)
	}
	if list.Version < 0 || (list.Version == 0) != (len(list.Content) == 0) {
		return nil, refusef("snapshot", "withdrawals of version %d in %d bytes", list.Version, len(list.Content))
	}
	if list.Version > 0 {
		meta[withdrawn+".json"] = metaFile(list.Version, list.Content)
	}
	return encode("snapshot", metadata.SnapshotType{Type: metadata.SNAPSHOT, SpecVersion: metadata.SPECIFICATION_VERSION,
		Version: s.Version, Expires: seconds(s.Expires), Meta: meta, UnrecognizedFields: s.fields()}, nil)
}

// Timestamp makes unsigned timestamp metadata over the full signed bytes of a snapshot (TUF 4.6).
func Timestamp(snapshot []byte, s Stamp) ([]byte, error) {
	if err := s.check("timestamp", false); err != nil {
		return nil, err
	}
	m, err := decode[metadata.SnapshotType](snapshot)
	if err != nil {
		return nil, err
	}
	return encode("timestamp", metadata.TimestampType{Type: metadata.TIMESTAMP, SpecVersion: metadata.SPECIFICATION_VERSION,
		Version: s.Version, Expires: seconds(s.Expires), UnrecognizedFields: s.fields(),
		Meta: map[string]*metadata.MetaFiles{"snapshot.json": metaFile(m.Signed.Version, snapshot)}}, nil)
}

func metaFile(version int64, b []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(b)
	return &metadata.MetaFiles{Version: version, Length: int64(len(b)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

func targetsRole(s Stamp, targets map[string]*metadata.TargetFiles, d *metadata.Delegations) metadata.TargetsType {
	return metadata.TargetsType{Type: metadata.TARGETS, SpecVersion: metadata.SPECIFICATION_VERSION,
		Version: s.Version, Expires: seconds(s.Expires), Targets: targets, Delegations: d, UnrecognizedFields: s.fields()}
}

// addKeys puts a role's key objects into keys and returns their ids in order.
func addKeys(keys map[string]*metadata.Key, r RoleKeys) ([]string, error) {
	ids := make([]string, 0, len(r.Holders))
	for _, h := range r.Holders {
		key, err := keyObject(h)
		if err != nil {
			return nil, err
		}
		id, err := key.ID()
		if err != nil {
			return nil, err
		}
		keys[id] = key
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// pathPart is one step of a target path: no separators of any system, no "." or "..", nothing a shell
// or a URL would read differently.
var pathPart = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._+-]{0,126}[A-Za-z0-9_+-])?$`)

// maxTargets is far above what a channel holds: 30 files a release, for 300 releases.
const maxTargets = 10_000

// targetFiles returns had and files in one map.
func targetFiles(role string, had map[string]*metadata.TargetFiles, files []File) (map[string]*metadata.TargetFiles, error) {
	all := maps.Clone(had)
	if all == nil {
		all = map[string]*metadata.TargetFiles{}
	}
	for _, f := range files {
		for _, part := range strings.Split(f.Path, "/") {
			if !pathPart.MatchString(part) {
				return nil, refusef(role, "target %q is no path we use: letters, digits and ._+- between single slashes", f.Path)
			}
		}
		if f.Length < 1 || f.Length > math.MaxInt32*int64(1024) {
			return nil, refusef(role, "target %s has %d bytes", f.Path, f.Length)
		}
		t := &metadata.TargetFiles{Length: f.Length, Hashes: metadata.Hashes{"sha256": slices.Clone(f.SHA256[:])}}
		if len(f.Custom) > 0 {
			b, err := json.Marshal(f.Custom)
			if err != nil {
				return nil, err
			}
			t.Custom = (*json.RawMessage)(&b)
		}
		if old, twice := all[f.Path]; twice && !sameTarget(old, t) {
			return nil, refusef(role, "target %s is already named with other bytes: %d bytes, sha256 %s", f.Path, old.Length, old.Hashes["sha256"])
		}
		all[f.Path] = t
	}
	if len(all) > maxTargets {
		return nil, refusef(role, "%d targets, at most %d", len(all), maxTargets)
	}
	return all, nil
}

func sameTarget(a, b *metadata.TargetFiles) bool {
	text := func(t *metadata.TargetFiles) string {
		if t.Custom == nil {
			return ""
		}
		return string(*t.Custom)
	}
	return a.Equal(*b) && text(a) == text(b)
}

// byID orders signatures.
func byID(a, b Signature) int { return cmp.Compare(a.KeyID, b.KeyID) }
