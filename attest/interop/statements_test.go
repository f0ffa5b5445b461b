package interop_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/statement"
)

// said is one statement as an auditor's tool makes it, with what a stranger needs to check it.
type said struct {
	kind      string
	predicate string            // its URI
	subjects  map[string]string // name → content of the files it is about
	payload   []byte
	bundle    []byte
	key       crypto.PublicKey
}

const manifest = "a release.json; what is in it does not matter here\n"

// statements returns one of every kind, signed by new keys of this purpose.
func statements(t *testing.T, purpose string) []said {
	t.Helper()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	release := sha256.Sum256([]byte(manifest))
	event, commit, tree := strings.Repeat("e", 64), strings.Repeat("c", 40), strings.Repeat("d", 40)
	h1 := "h1:" + strings.Repeat("s", 43) + "="
	artifacts := map[string]string{"linux-amd64/messenger": "the messenger", "messenger-1.4.0-linux-amd64.tar": "an archive of it"}
	whole := map[string]string{"release.json": manifest}
	artifact := func(path string) statement.Artifact {
		return statement.Artifact{Path: path, SHA256: sha256.Sum256([]byte(artifacts[path])), Length: int64(len(artifacts[path]))}
	}
	return []said{
		sign(t, purpose, "rebuild", statement.PredicateProvenance, artifacts, statement.Rebuild{
			Event: event, Release: release, SourceCommit: commit, SourceTree: tree, SourceH1: h1, Recipe: strings.Repeat("a", 64), Go: "go1.26.8",
			ToolchainH1: h1, Bootstrap: "from C & checked <sum database>", ModulesSum: strings.Repeat("b", 64), Env: []string{"GOENV=off", "CGO_ENABLED=0"},
			Builder: "Ana's machine, Debian 12", Started: at, Finished: at.Add(time.Minute),
			Artifacts: []statement.Artifact{artifact("linux-amd64/messenger"), artifact("messenger-1.4.0-linux-amd64.tar")},
		}),
		sign(t, purpose, "inconclusive", statement.PredicateInconclusive, whole, statement.Inconclusive{
			Event: event, Release: release, SourceCommit: commit, Reason: "no space left on device", Builder: "Ana's machine", Started: at, Finished: at,
		}),
		sign(t, purpose, "review", statement.PredicateReview, whole, statement.Review{
			Release: release, Event: event, Base: statement.ReviewBase{Version: "1.3.2", Release: sha256.Sum256([]byte("an older one")), Tree: strings.Repeat("f", 40)},
			HeadCommit: commit, HeadTree: tree, Changes: sha256.Sum256([]byte("the change list")), Files: 9, Modules: 1, Lines: 120,
			Unread: []string{"file docs/<b>.md"}, Generated: []string{"file pb/x.pb.go"}, Mechanical: []string{"file a.go"}, Criteria: []string{"read-every-change"},
			Verdict: statement.VerdictPartial, Notes: "docs left out", MinutesSpent: 90, Tools: "none", Independence: "none", Started: at, Finished: at.Add(time.Hour),
		}),
		sign(t, purpose, "withdrawal", statement.PredicateWithdrawal, whole, statement.Withdrawal{
			Release: release, Channel: "stable", Version: "1.4.0", State: statement.StateWithdrawn, Reason: "CVE-2026-1: keys leak", At: at,
		}),
	}
}

func sign(t *testing.T, purpose, kind, predicate string, subjects map[string]string, s interface{ Encode() ([]byte, error) }) said {
	t.Helper()
	payload, err := s.Encode()
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	keys, err := signer.Generate([]string{purpose}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys[0].Signer()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Sign(payload, k)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return said{kind, predicate, subjects, payload, b, k.Public()}
}

func pemOf(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
