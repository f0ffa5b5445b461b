package genuine

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/tuf/trust"
)

// MaxEvidence is the largest evidence file that is read, in bytes.
const MaxEvidence = 16 << 20

const evidenceFormat = "countersign-proof-2"

// Evidence is bytes not yet believed: everything Judge needs to know about one release, and nothing it
// would have to fetch. Whoever brought it can at worst make Judge refuse.
type Evidence struct {
	Metadata   trust.Metadata
	Policy     []byte   // the policy.json target
	Release    []byte   // the release.json target of the release in question
	Statements [][]byte // sigstore bundles about this release
	Proof      []byte   // of attest/proof: that release and statements are in the log; empty when there is none
	Withdrawn  []byte   // withdrawn.json, the file that the snapshot lists; empty when it lists none
	// Withdrawals are bundles that this device has seen before: it never forgets one, whatever the
	// repository says later.
	Withdrawals [][]byte
}

// Seen is what this device remembers of the repository: it never accepts less.
type Seen struct {
	Root, Timestamp, Snapshot, Targets int64
	Channels                           map[string]int64 // by name; withdrawn.json as "withdrawn"
	Floor                              time.Time        // no honest clock is before this
	Head                               []byte           // the newest signed checkpoint that was believed; empty when there was none
}

// evidenceFile is Evidence as one JSON file; []byte fields are base64.
type evidenceFile struct {
	Format      string            `json:"format"` // "countersign-proof-2"
	Roots       [][]byte          `json:"roots"`
	Timestamp   []byte            `json:"timestamp"`
	Snapshot    []byte            `json:"snapshot"`
	Targets     []byte            `json:"targets"`
	Delegated   map[string][]byte `json:"delegated"`
	Policy      []byte            `json:"policy"`
	Release     []byte            `json:"release"`
	Statements  [][]byte          `json:"statements"`
	Proof       []byte            `json:"proof"`
	Withdrawn   []byte            `json:"withdrawn"`
	Withdrawals [][]byte          `json:"withdrawals"`
}

// Encode prints the evidence as one file.
func (e Evidence) Encode() ([]byte, error) {
	return canonical(evidenceFile{
		evidenceFormat, e.Metadata.Roots, e.Metadata.Timestamp, e.Metadata.Snapshot, e.Metadata.Targets,
		e.Metadata.Delegated, e.Policy, e.Release, e.Statements, e.Proof, e.Withdrawn, e.Withdrawals,
	})
}

// ParseEvidence reads what Encode wrote. The result is as unbelieved as before.
func ParseEvidence(b []byte) (Evidence, error) {
	var f evidenceFile
	if err := parseCanonical(b, MaxEvidence, &f); err != nil {
		return Evidence{}, fmt.Errorf("evidence file: %w", err)
	}
	if f.Format != evidenceFormat {
		return Evidence{}, fmt.Errorf("evidence file: format %q, want %q", f.Format, evidenceFormat)
	}
	m := trust.Metadata{Roots: f.Roots, Timestamp: f.Timestamp, Snapshot: f.Snapshot, Targets: f.Targets, Delegated: f.Delegated}
	return Evidence{m, f.Policy, f.Release, f.Statements, f.Proof, f.Withdrawn, f.Withdrawals}, nil
}
