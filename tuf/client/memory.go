package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

// zero is the time by which nothing is expired.
var zero time.Time

const memoryFormat = "countersign-seen-1"

// maxMemory is far above what a repository of any size we write needs.
const maxMemory = 1 << 20

// memory is seen.json.
type memory struct {
	Format    string           `json:"format"`
	Root      int64            `json:"root"`
	Timestamp int64            `json:"timestamp"`
	Snapshot  int64            `json:"snapshot"`
	Targets   int64            `json:"targets"`
	Channels  map[string]int64 `json:"channels"`
	Floor     string           `json:"floor"` // RFC 3339, UTC, whole seconds; "" when unknown
	// Keys are the sha256 of the keys each role was accepted under, sorted. A
	// version number means something only together with the keys that may set
	// it: when they are replaced, so is the memory (5.3.11).
	Keys map[string][]string `json:"keys"`
}

// readMemory treats a damaged seen.json as absent: the metadata files beside
// it guard against rollback as well, and starting anew loses only what is
// missing there too.
func (c *Client) readMemory() memory {
	var m memory
	dec := json.NewDecoder(bytes.NewReader(c.get(seenFile, maxMemory)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil || m.Format != memoryFormat {
		m = memory{Format: memoryFormat}
	}
	if m.Channels == nil {
		m.Channels = map[string]int64{}
	}
	if m.Keys == nil {
		m.Keys = map[string][]string{}
	}
	return m
}

func (m memory) clone() memory {
	m.Channels, m.Keys = maps.Clone(m.Channels), maps.Clone(m.Keys)
	return m
}

func (m memory) equal(o memory) bool {
	return m.Root == o.Root && m.Timestamp == o.Timestamp && m.Snapshot == o.Snapshot && m.Targets == o.Targets &&
		m.Floor == o.Floor && maps.Equal(m.Channels, o.Channels) && maps.EqualFunc(m.Keys, o.Keys, slices.Equal[[]string])
}

func (m memory) floor() time.Time {
	t, err := time.Parse(time.RFC3339, m.Floor)
	if err != nil {
		return zero
	}
	return t.UTC()
}

func (m memory) public() Seen {
	return Seen{Root: m.Root, Timestamp: m.Timestamp, Snapshot: m.Snapshot, Targets: m.Targets,
		Channels: maps.Clone(m.Channels), Floor: m.floor()}
}

// note remembers a verified role.
func (m *memory) note(r trust.Role) {
	switch r.Name {
	case trust.Root:
		m.Root = max(m.Root, r.Version)
	case trust.Timestamp:
		m.Timestamp = max(m.Timestamp, r.Version)
	case trust.Snapshot:
		m.Snapshot = max(m.Snapshot, r.Version)
	case trust.Targets:
		m.Targets = max(m.Targets, r.Version)
	default:
		m.Channels[r.Name] = max(m.Channels[r.Name], r.Version)
	}
	m.Keys[r.Name] = fingerprints(r.Authorised)
	online := r.Name == trust.Timestamp || r.Name == trust.Snapshot
	if !online && r.Made.After(m.floor()) {
		m.Floor = r.Made.UTC().Format(time.RFC3339)
	}
}

// changed reports whether a role is no longer signed for by exactly the keys
// its remembered version came from.
func (m memory) changed(role string, now []trust.Key) bool {
	then, ok := m.Keys[role]
	return ok && !slices.Equal(then, fingerprints(now))
}

// replaced reports whether none of those keys is left. Only then is the memory
// of a role that auditors sign dropped: after exchanging one auditor of five,
// old files may still carry a quorum, and must not come back.
func (m memory) replaced(role string, now []trust.Key) bool {
	then, ok := m.Keys[role]
	if !ok {
		return false
	}
	left := fingerprints(now)
	return !slices.ContainsFunc(then, func(k string) bool { return slices.Contains(left, k) })
}

func fingerprints(keys []trust.Key) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		sum := sha256.Sum256(k.Raw)
		list[i] = hex.EncodeToString(sum[:])
	}
	slices.Sort(list)
	return list
}

func (c *Client) writeMemory(m memory) error {
	if m.equal(c.seen) {
		return nil
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := c.put(seenFile, append(b, '\n')); err != nil {
		return err
	}
	c.seen = m
	return nil
}
