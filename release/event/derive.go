package event

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// Inputs is what proposed metadata is derived from, besides event.json and its id: the contents of the
// small files event.json names. Everything in it was compared with event.json's hashes before.
type Inputs struct {
	Release      []byte // release.json of a release
	Distribution []byte // distribution.toml of the other kinds
	Base         Base
}

// Derive makes the unsigned metadata an event proposes, one for each of its roles. It is a pure function
// and the only way proposed metadata comes to be: the publisher stages with it, every auditor runs it
// again before signing, and publishing runs it once more. So there is nothing in what people sign that
// is not in event.json and the files it names.
func Derive(id ID, e Event, in Inputs) (map[string][]byte, error) {
	if e.Kind == KindRelease {
		return deriveRelease(id, e, in)
	}
	return deriveRoles(id, e, in)
}

// stamp is the part of a role that differs between one version and the next.
func (e Event) stamp(id ID, role string) repo.Stamp {
	return repo.Stamp{Version: e.Version(role), Made: e.Made, Expires: e.Expires[role], Event: id.String()}
}

// deriveRelease adds release.json and every artifact to the channel, keeping what was there.
func deriveRelease(id ID, e Event, in Inputs) (map[string][]byte, error) {
	m, err := genuine.ParseManifest(in.Release)
	if err != nil {
		return nil, err
	}
	if err := e.checkManifest(m); err != nil {
		return nil, err
	}
	previous, ok := in.Base.Channels[m.Channel]
	if !ok {
		return nil, refusef("release.json: channel %q is not one the distribution has", m.Channel)
	}
	add := []repo.File{{
		Path: genuine.ManifestPath(m.Channel, m.Version), Length: int64(len(in.Release)), SHA256: sha256.Sum256(in.Release),
	}}
	for _, a := range m.Artifacts {
		add = append(add, repo.File{Path: m.TargetPath(a), Length: a.Length, SHA256: a.SHA256})
	}
	raw, err := repo.ChannelRole(previous, add, e.stamp(id, m.Channel))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Channel, err)
	}
	return map[string][]byte{m.Channel: raw}, nil
}

// checkManifest compares release.json with the event it came in: the channel proposed, and the very same
// artifacts, no more and no fewer.
func (e Event) checkManifest(m genuine.Manifest) error {
	if _, ok := e.Expires[m.Channel]; !ok {
		return refusef("release.json: is for channel %q, the event proposes %s", m.Channel, strings.Join(e.Roles(), ", "))
	}
	named := map[string]bool{}
	for _, a := range m.Artifacts {
		name := dirArtifacts + a.Path
		named[name] = true
		f, ok := e.Files[name]
		if !ok {
			return refusef("release.json: artifact %s is not among the event's files", a.Path)
		}
		if f.Length != a.Length || f.SHA256 != a.SHA256 {
			return refusef("release.json: artifact %s is %d bytes with sha256 %s, the event's file has %d and %s", a.Path, a.Length, a.SHA256, f.Length, f.SHA256)
		}
	}
	for name := range e.Files {
		if strings.HasPrefix(name, dirArtifacts) && !named[name] {
			return refusef("event.json: file %q is not in release.json", name)
		}
	}
	return nil
}

// deriveRoles makes the roles of a distribution from its TOML file: version 1 of all, or the next
// versions of those the event proposes.
func deriveRoles(id ID, e Event, in Inputs) (map[string][]byte, error) {
	d, err := ParseDistribution(in.Distribution)
	if err != nil {
		return nil, err
	}
	layout, err := d.Layout()
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, role := range e.Roles() {
		s := e.stamp(id, role)
		switch role {
		case "root":
			out[role], err = repo.Root(layout, s)
		case "targets":
			out[role], err = deriveTargets(d, layout, s)
		default:
			if !d.hasChannel(role) {
				return nil, refusef("event.json: role %q is not a channel of distribution.toml", role)
			}
			out[role], err = repo.ChannelRole(in.Base.Channels[role], nil, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", role, err)
		}
	}
	return out, e.checkComplete(d, in.Base)
}

func deriveTargets(d Distribution, layout repo.Layout, s repo.Stamp) ([]byte, error) {
	files, err := d.TargetFiles()
	if err != nil {
		return nil, err
	}
	var list []repo.File
	for _, name := range []string{"mirrors.json", "policy.json"} {
		list = append(list, repo.File{Path: name, Length: int64(len(files[name])), SHA256: sha256.Sum256(files[name])})
	}
	return repo.Targets(layout, list, s)
}

// checkComplete makes sure that no channel is lost or left without a first version: clients refuse a
// snapshot from which a role they know has disappeared.
func (e Event) checkComplete(d Distribution, b Base) error {
	for name := range b.Channels {
		if !d.hasChannel(name) {
			return refusef("distribution.toml: channel %q is published and missing here; a published channel cannot be taken away", name)
		}
	}
	for _, c := range d.Channels {
		_, published := b.Channels[c.Name]
		_, proposed := e.Expires[c.Name]
		if !published && !proposed {
			return refusef("event.json: channel %q is new and the event does not propose it", c.Name)
		}
	}
	return nil
}

// TargetFiles returns policy.json and mirrors.json, the two files the targets role itself names.
func (d Distribution) TargetFiles() (map[string][]byte, error) {
	policy, err := d.Policy().Encode()
	if err != nil {
		return nil, err
	}
	mirrors, err := anchor.FormatMirrors(d.Name, d.Mirrors)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"policy.json": policy, "mirrors.json": mirrors}, nil
}

// inspect reads the plain facts of one role's metadata.
func inspect(metadata []byte) (repo.Info, error) { return repo.Inspect(metadata) }
