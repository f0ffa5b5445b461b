package client

import (
	"encoding/json"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

const (
	lastFile   = deviceDir + "/last.json"
	lastFormat = "countersign-last-1"
	maxLast    = 64 << 20
)

// last is last.json: the files of the last refresh in which every role that
// was asked for was verified, kept together because the single files are
// replaced one after the other. It is for Load only: it is verified anew each
// time, and no refresh ever starts from it.
type last struct {
	Format    string            `json:"format"`
	Timestamp []byte            `json:"timestamp"`
	Snapshot  []byte            `json:"snapshot"`
	Targets   []byte            `json:"targets"`
	Delegated map[string][]byte `json:"delegated"`
}

func (c *Client) saveLast(m trust.Metadata) error {
	b, err := json.Marshal(last{lastFormat, m.Timestamp, m.Snapshot, m.Targets, m.Delegated})
	if err != nil {
		return err
	}
	return c.put(lastFile, append(b, '\n'))
}

// loadLast verifies last.json under the newest root. Rollback is not judged:
// the files are older than what was seen, which is why they are here.
func (c *Client) loadLast(now time.Time, channels []string) (*trust.Set, trust.Metadata, bool) {
	var l last
	b := c.get(lastFile, maxLast)
	if json.Unmarshal(b, &l) != nil || l.Format != lastFormat {
		return nil, trust.Metadata{}, false
	}
	m := trust.Metadata{Timestamp: l.Timestamp, Snapshot: l.Snapshot, Targets: l.Targets}
	for _, name := range channels {
		file, ok := l.Delegated[name]
		if !ok {
			return nil, trust.Metadata{}, false
		}
		if m.Delegated == nil {
			m.Delegated = map[string][]byte{}
		}
		m.Delegated[name] = file
	}
	if !now.IsZero() && now.Before(c.seen.floor()) {
		now = c.seen.floor()
	}
	if c.mode != trust.Strict {
		return nil, trust.Metadata{}, false
	}
	set, err := trust.Verify(c.base.Root(), m, now)
	if err != nil {
		return nil, trust.Metadata{}, false
	}
	m.Roots = append([][]byte(nil), c.history...)
	return set, m, true
}
