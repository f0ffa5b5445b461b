package record

import (
	"testing"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// Whoever rebuilt a release and got other bytes must not be listed like those who got its bytes.
func TestWordOfARebuild(t *testing.T) {
	m := genuine.Manifest{Artifacts: []genuine.Artifact{{Path: "linux-amd64/messenger", Length: 3, SHA256: genuine.Digest{1}}}}
	for sum, want := range map[byte]string{1: "rebuilt", 2: "rebuilt otherwise"} {
		r := &statement.Rebuild{Artifacts: []statement.Artifact{{Path: "linux-amd64/messenger", Length: 3, SHA256: [32]byte{sum}}}}
		if got := wordOf(said{what: r}, m); got != want {
			t.Errorf("artifact %d: %q, want %q", sum, got, want)
		}
	}
}
