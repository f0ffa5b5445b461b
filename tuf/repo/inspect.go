package repo

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Info is what one metadata file says, unverified.
type Info struct {
	Role       string // TUF type: "root", "targets" (channels too), "snapshot" or "timestamp"
	Version    int64
	Made       time.Time
	Expires    time.Time
	Event      string
	Files      []File      // targets and channels, sorted by path
	Roles      []RoleInfo  // root and targets: the roles whose keys it names, sorted by name
	Meta       []MetaInfo  // snapshot and timestamp: the files it pins, sorted by name
	Signatures []Signature // sorted by key id, unverified
}

// RoleInfo is one role's keys as root or targets state them.
type RoleInfo struct {
	Name string
	RoleKeys
	KeyIDs []string // of Holders, in the same order
}

// MetaInfo pins one metadata file.
type MetaInfo struct {
	Name    string // "targets.json"
	Version int64
	Length  int64
	SHA256  [32]byte
}

// Inspect reads metadata without judging who signed it.
func Inspect(b []byte) (Info, error) {
	role, err := typeOf(b)
	if err != nil {
		return Info{}, err
	}
	info := Info{Role: role}
	if info.Signatures, err = Signatures(b); err != nil {
		return Info{}, err
	}
	switch role {
	case metadata.ROOT:
		err = info.root(b)
	case metadata.TARGETS:
		err = info.targets(b)
	case metadata.SNAPSHOT:
		var m *metadata.Metadata[metadata.SnapshotType]
		if m, err = decode[metadata.SnapshotType](b); err == nil {
			info.Version, info.Expires = m.Signed.Version, m.Signed.Expires
			err = info.meta(m.Signed.UnrecognizedFields, m.Signed.Meta)
		}
	case metadata.TIMESTAMP:
		var m *metadata.Metadata[metadata.TimestampType]
		if m, err = decode[metadata.TimestampType](b); err == nil {
			info.Version, info.Expires = m.Signed.Version, m.Signed.Expires
			err = info.meta(m.Signed.UnrecognizedFields, m.Signed.Meta)
		}
	}
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

func (i *Info) root(b []byte) error {
	m, err := decode[metadata.RootType](b)
	if err != nil {
		return err
	}
	i.Version, i.Expires = m.Signed.Version, m.Signed.Expires
	for _, name := range slices.Sorted(maps.Keys(m.Signed.Roles)) {
		r := m.Signed.Roles[name]
		if r == nil {
			return refusef("root", "role %q is null", name)
		}
		if err := i.addRole("root", name, r.KeyIDs, r.Threshold, m.Signed.Keys); err != nil {
			return err
		}
	}
	return i.own(m.Signed.UnrecognizedFields)
}

func (i *Info) targets(b []byte) error {
	m, err := decode[metadata.TargetsType](b)
	if err != nil {
		return err
	}
	i.Version, i.Expires = m.Signed.Version, m.Signed.Expires
	for _, path := range slices.Sorted(maps.Keys(m.Signed.Targets)) {
		t := m.Signed.Targets[path]
		f := File{Path: path, Length: t.Length}
		if len(t.Hashes) != 1 || copy(f.SHA256[:], t.Hashes["sha256"]) != 32 {
			return refusef("targets", "target %q: want one hash, sha256", path)
		}
		if t.Custom != nil {
			if err := json.Unmarshal(*t.Custom, &f.Custom); err != nil {
				return refusef("targets", "target %q: custom: %v", path, err)
			}
		}
		i.Files = append(i.Files, f)
	}
	if d := m.Signed.Delegations; d != nil {
		for _, r := range d.Roles {
			if err := i.addRole("targets", r.Name, r.KeyIDs, r.Threshold, d.Keys); err != nil {
				return err
			}
		}
		slices.SortStableFunc(i.Roles, func(a, b RoleInfo) int { return cmp.Compare(a.Name, b.Name) })
	}
	return i.own(m.Signed.UnrecognizedFields)
}

func (i *Info) addRole(in, name string, ids []string, quorum int, keys map[string]*metadata.Key) error {
	r := RoleInfo{Name: name, KeyIDs: ids, RoleKeys: RoleKeys{Quorum: quorum}}
	for n, id := range ids {
		if slices.Contains(ids[:n], id) {
			return refusef(in, "role %q: key %q is listed twice", name, id)
		}
		h, err := holder(keys[id])
		if err != nil {
			return refusef(in, "role %q: key %q: %v", name, id, err)
		}
		// The object as it stands and as we would write it must both have this id (TAP 12 clients do
		// not check): else a key could look like one of ours and be another.
		ours, err := KeyID(h)
		if err != nil {
			return refusef(in, "role %q: key %q: %v", name, id, err)
		}
		if got, err := keys[id].ID(); err != nil || got != id || ours != id {
			return refusef(in, "role %q: key %q: its content has the id %s, and written our way %s", name, id, got, ours)
		}
		r.Holders = append(r.Holders, h)
	}
	i.Roles = append(i.Roles, r)
	return nil
}

func (i *Info) meta(own map[string]any, files map[string]*metadata.MetaFiles) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if f == nil {
			return refusef(i.Role, "%q is null", name)
		}
		m := MetaInfo{Name: name, Version: f.Version, Length: f.Length}
		if len(f.Hashes) != 1 || copy(m.SHA256[:], f.Hashes["sha256"]) != 32 {
			return refusef(i.Role, "%q: want one hash, sha256", name)
		}
		i.Meta = append(i.Meta, m)
	}
	return i.own(own)
}

// own reads our fields.
func (i *Info) own(fields map[string]any) error {
	made, ok := fields[fieldMade].(string)
	t, err := parseTime(made)
	if !ok || err != nil {
		return refusef(i.Role, "%s %v, want a time in whole UTC seconds", fieldMade, fields[fieldMade])
	}
	i.Made = t
	event, has := fields[fieldEvent]
	if i.Event, ok = event.(string); has && (!ok || !eventID.MatchString(i.Event)) {
		return refusef(i.Role, "%s %v, want 64 lower-case hex digits", fieldEvent, event)
	}
	return nil
}

// Read returns the layout that published root and targets metadata describe: the start for proposing
// the next one.
func Read(root, targets []byte) (Layout, error) {
	r, err := Inspect(root)
	if err != nil {
		return Layout{}, err
	}
	t, err := Inspect(targets)
	if err != nil {
		return Layout{}, err
	}
	var l Layout
	for _, role := range r.Roles {
		switch role.Name {
		case "root":
			l.Root = role.RoleKeys
		case "targets":
			l.Targets = role.RoleKeys
		case "snapshot":
			l.Snapshot = role.RoleKeys
		case "timestamp":
			l.Timestamp = role.RoleKeys
		}
	}
	for _, role := range t.Roles {
		l.Channels = append(l.Channels, Channel{role.Name, role.RoleKeys})
	}
	return l, l.Check()
}
