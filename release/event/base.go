package event

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// The fixed names below base/. Channels are base/<channel>.json, roots base/<version>.root.json.
const (
	baseTimestamp = "base/timestamp.json"
	baseSnapshot  = "base/snapshot.json"
	baseTargets   = "base/targets.json"
	basePolicy    = "base/policy.json"
	baseMirrors   = "base/mirrors.json"
)

func baseRoot(n int64) string { return fmt.Sprintf("base/%d.root.json", n) }

// Base is the published state an event builds on. Roots holds every root from version 1.
type Base struct {
	Roots                        [][]byte // version 1, 2, …
	Timestamp, Snapshot, Targets []byte
	Channels                     map[string][]byte // signed metadata of every channel
	Policy, Mirrors              []byte            // the target files policy.json and mirrors.json
	Withdrawn                    repo.Listed       // the withdrawals that the snapshot lists; no file of an event
}

// Metadata returns the base as a client that started from the root of version 1 would have fetched it.
func (b Base) Metadata() trust.Metadata {
	return trust.Metadata{Roots: b.Roots[1:], Timestamp: b.Timestamp, Snapshot: b.Snapshot, Targets: b.Targets, Delegated: b.Channels}
}

// Verify checks the base as a client starting from anchor would. An anchor of nil means the base's own
// first root: then the result is consistent in itself, and proves nothing about who made it. Expiry is
// not judged, since an event may well be what renews it.
func (b Base) Verify(anchor []byte) (*trust.Set, error) {
	if len(b.Roots) == 0 {
		return nil, refusef("the event's base has no root")
	}
	m, err := b.after(anchor)
	if err != nil {
		return nil, err
	}
	if anchor == nil {
		anchor = b.Roots[0]
	}
	set, err := trust.Verify(anchor, m, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	for name, content := range map[string][]byte{"policy.json": b.Policy, "mirrors.json": b.Mirrors} {
		t, err := set.Target(name)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		if t.Length != int64(len(content)) || t.SHA256 != sha256.Sum256(content) {
			return nil, refusef("base: %s is not the one its targets metadata names", name)
		}
	}
	return set, nil
}

// after leaves away the roots up to the anchor's version, at which the base must say the same as the
// anchor; the chain after it is for trust.Verify to check.
func (b Base) after(anchor []byte) (trust.Metadata, error) {
	m := b.Metadata()
	if anchor == nil {
		return m, nil
	}
	info, err := inspect(anchor)
	if err != nil {
		return m, fmt.Errorf("trusted root: %w", err)
	}
	if info.Version < 1 || info.Version > int64(len(b.Roots)) {
		return m, refusef("base: has roots up to version %d, this program already trusts version %d", len(b.Roots), info.Version)
	}
	ours, err := repo.Payload(anchor)
	if err != nil {
		return m, fmt.Errorf("trusted root: %w", err)
	}
	theirs, err := repo.Payload(b.Roots[info.Version-1])
	if err != nil {
		return m, fmt.Errorf("base: root %d: %w", info.Version, err)
	}
	if !bytes.Equal(ours, theirs) {
		return m, refusef("base: root %d is not the one trusted here: it is another distribution, or a forged history", info.Version)
	}
	m.Roots = b.Roots[info.Version:]
	return m, nil
}

// versions lists what the base holds, for Event.Base.
func (b Base) versions() (map[string]int64, error) {
	out := map[string]int64{"root": int64(len(b.Roots))}
	for role, raw := range b.roles() {
		info, err := inspect(raw)
		if err != nil {
			return nil, fmt.Errorf("base: %s: %w", role, err)
		}
		out[role] = info.Version
	}
	return out, nil
}

// roles returns targets and the channels.
func (b Base) roles() map[string][]byte {
	out := map[string][]byte{"targets": b.Targets}
	for name, raw := range b.Channels {
		out[name] = raw
	}
	return out
}

// files lays the base out as the files of an event.
func (b Base) files() map[string][]byte {
	out := map[string][]byte{
		baseTimestamp: b.Timestamp, baseSnapshot: b.Snapshot, baseTargets: b.Targets,
		basePolicy: b.Policy, baseMirrors: b.Mirrors,
	}
	for i, r := range b.Roots {
		out[baseRoot(int64(i+1))] = r
	}
	for name, raw := range b.Channels {
		out[dirBase+name+".json"] = raw
	}
	return out
}

// baseFrom is the reverse of files.
func baseFrom(e Event, small map[string][]byte) Base {
	b := Base{
		Timestamp: small[baseTimestamp], Snapshot: small[baseSnapshot], Targets: small[baseTargets],
		Policy: small[basePolicy], Mirrors: small[baseMirrors], Channels: map[string][]byte{},
	}
	for n := int64(1); n <= e.Base["root"]; n++ {
		b.Roots = append(b.Roots, small[baseRoot(n)])
	}
	for role := range e.Base {
		if raw, ok := small[dirBase+role+".json"]; ok && rank(role) == 2 {
			b.Channels[strings.TrimSuffix(role, ".json")] = raw
		}
	}
	return b
}

// ParsedPolicy reads the base's policy.
func (b Base) ParsedPolicy() (genuine.Policy, error) { return genuine.ParsePolicy(b.Policy) }
