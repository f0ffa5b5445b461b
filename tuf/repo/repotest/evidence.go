package repotest

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/countersign-project/countersign/tuf/repo"
)

// Statement returns member i's bundle saying that these artifacts came out of rebuilding a release.
//
// It prints the formats of attest/statement and attest/bundle on its own, since tuf may not import
// attest; a test over there compares the two.
func (w *World) Statement(i int, m Made, artifacts map[string][]byte) []byte {
	w.T.Helper()
	var subject []string
	for _, name := range slices.Sorted(maps.Keys(artifacts)) {
		sum := sha256.Sum256(artifacts[name])
		subject = append(subject, fmt.Sprintf(`{"name":%q,"digest":{"sha256":"%x"},"annotations":{"length":"%d"}}`, name, sum, len(artifacts[name])))
	}
	release := sha256.Sum256(m.Manifest)
	at := w.Now.UTC().Truncate(time.Second).Format(time.RFC3339)
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":"https://slsa.dev/provenance/v1","predicate":{`+
		`"buildDefinition":{"buildType":"https://github.com/countersign-project/countersign/rebuild/v1",`+
		`"externalParameters":{"event":%q,"release":{"sha256":"%x"},"source":{"commit":%q,"tree":%q,"h1":%q},"recipe":{"sha256":%q}},`+
		`"internalParameters":{"bootstrap":"","builder":%q,"environment":["GOENV=off","CGO_ENABLED=0"]},`+
		`"resolvedDependencies":[{"name":"source","digest":{"gitCommit":%q,"gitTree":%q},"annotations":{"h1":%q}},`+
		`{"name":%q,"digest":{},"annotations":{"go":%q,"h1":%q}},{"name":"go.sum","digest":{"sha256":%q}}]},`+
		`"runDetails":{"builder":{"id":"https://github.com/countersign-project/countersign/builder/v1"},`+
		`"metadata":{"invocationId":%q,"startedOn":%q,"finishedOn":%q}}}}`,
		join(subject), m.Event, release, Commit, Tree, H1, Recipe, Builder, Commit, Tree, H1, "toolchain "+Go, Go, H1, GoSum, m.Event, at, at)
	return w.Bundle(w.People[i].Statement, []byte(payload))
}

// Bundle signs any payload as a sigstore bundle.
func (w *World) Bundle(k crypto.Signer, payload []byte) []byte {
	const kind = "application/vnd.in-toto+json"
	sig := w.sign(k, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	hint := sha256.Sum256(pkix(k))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":%q}},`+
		`"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`, b64(hint[:]), b64(payload), kind, b64(sig))
}

// SetEvidence publishes the statements (bundles on one line each) about a release.json, sorted, in place
// of those before.
func (w *World) SetEvidence(manifest []byte, statements [][]byte) {
	w.files[EvidencePath(manifest)] = w.evidence(statements, w.Proofs[EvidencePath(manifest)])
}

// evidence prints an evidence file as release/genuine reads it.
func (w *World) evidence(statements [][]byte, proof []byte) []byte {
	raw := []json.RawMessage{}
	for _, s := range slices.SortedFunc(slices.Values(statements), bytes.Compare) {
		raw = append(raw, s)
	}
	b, err := json.Marshal(struct {
		Format     string            `json:"format"`
		Statements []json.RawMessage `json:"statements"`
		Proof      string            `json:"proof"`
	}{"countersign-evidence-2", raw, string(proof)})
	w.check(err)
	return append(b, '\n')
}

// Withdraw publishes the next list of withdrawals, with these bundles in place of those before, and a
// snapshot that lists it.
func (w *World) Withdraw(bundles ...[]byte) {
	w.T.Helper()
	w.Withdrawn = repo.Listed{Version: w.Withdrawn.Version + 1, Content: w.evidence(bundles, nil)}
	w.files[fmt.Sprintf("metadata/%d.withdrawn.json", w.Withdrawn.Version)] = w.Withdrawn.Content
	w.Refresh()
}

// EvidencePath is where a mirror holds the statements about a release.json.
func EvidencePath(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return "evidence/" + hex.EncodeToString(sum[:]) + ".json"
}

func pkix(k crypto.Signer) []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return der
}

func join(parts []string) string {
	out := ""
	for i, p := range parts {
		if i > 0 {
			out += ","
		}
		out += p
	}
	return out
}
