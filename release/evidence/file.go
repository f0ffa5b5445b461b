package evidence

import (
	"fmt"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
)

// Path is where a repository keeps the genuine.File of the release whose release.json has this sum.
func Path(release [32]byte) string { return fmt.Sprintf("evidence/%x.json", release) }

// WithdrawnPath is where a repository keeps the genuine.File of all withdrawals, by the version that the
// snapshot lists.
func WithdrawnPath(version int64) string { return fmt.Sprintf("metadata/%d.withdrawn.json", version) }

// Seen is what a TUF client remembers, as the judge wants it.
func Seen(s client.Seen) genuine.Seen {
	return genuine.Seen{Root: s.Root, Timestamp: s.Timestamp, Snapshot: s.Snapshot, Targets: s.Targets, Channels: s.Channels, Floor: s.Floor}
}
