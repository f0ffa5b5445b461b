// Package evidence gathers what the judge needs about one release: its signed metadata is in hand already,
// and the policy, the manifest and the auditors' statements are brought by a courier.
//
// Its world: mirrors that hold the files of the repository layout. The policy and the manifest are targets,
// so their length and sum are known and a mirror can only withhold them. The statements of a release lie in
// one unsigned file per release, evidence/<sha256 of release.json>.json; each statement carries its own
// signature. A mirror may leave statements out or add noise, so the file is asked of every mirror, what
// does not open with a key of the policy is dropped, and the union is handed on. Nothing here decides
// whether anything is genuine: that is release/genuine, which believes none of this package's work.
package evidence

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Courier is what *fetch.Courier does.
type Courier interface {
	// FetchSum returns the file of exactly this length and SHA-256.
	FetchSum(ctx context.Context, path string, length int64, sum [32]byte) ([]byte, error)
	// FetchEach hands the file of every source to take.
	FetchEach(ctx context.Context, path string, max int64, take func([]byte) (enough bool, err error)) error
}

// Collect brings the evidence for one version of a channel. md is what set was verified from. That no
// mirror has statements is not an error: the judge says what is missing. A version that the channel does
// not name is trust.ErrNoTarget.
func Collect(ctx context.Context, set *trust.Set, md trust.Metadata, channel, version string, c Courier) (genuine.Evidence, error) {
	ev := genuine.Evidence{Metadata: md}
	var err error
	if ev.Policy, err = target(ctx, set, "policy.json", genuine.MaxPolicy, c); err != nil {
		return genuine.Evidence{}, err
	}
	policy, err := genuine.ParsePolicy(ev.Policy)
	if err != nil {
		return genuine.Evidence{}, err
	}
	if ev.Release, err = target(ctx, set, genuine.ManifestPath(channel, version), genuine.MaxManifest, c); err != nil {
		return genuine.Evidence{}, err
	}
	ev.Statements, err = Statements(ctx, sha256.Sum256(ev.Release), policy, channel, nil, c)
	if err != nil {
		return genuine.Evidence{}, err
	}
	return ev, nil
}

// target brings a small target of the repository.
func target(ctx context.Context, set *trust.Set, path string, max int64, c Courier) ([]byte, error) {
	t, err := set.Target(path)
	if err != nil {
		return nil, err
	}
	if t.Length > max {
		return nil, fmt.Errorf("%s: %d bytes, at most %d allowed", path, t.Length, max)
	}
	return c.FetchSum(ctx, fetch.TargetPath(path, t.SHA256), t.Length, t.SHA256)
}

// Statements returns the union of the statements about a release that are in hand already and of those
// that the mirrors hold, sorted and each once, without what nobody in the policy signed. Those in hand are
// kept as they are: the policy may have changed since they were gathered. When no mirror has any, the
// result is what was in hand.
func Statements(ctx context.Context, release [32]byte, policy genuine.Policy, channel string, have [][]byte, c Courier) ([][]byte, error) {
	var keys []crypto.PublicKey
	for _, k := range policy.StatementKeys() {
		keys = append(keys, k.Public)
	}
	rule, _ := policy.Rule(channel)
	all := slices.Clone(have)
	seen, authors := map[string]bool{}, map[string]bool{}
	for _, s := range have {
		if author, id, ok := identify(s, release, keys); ok {
			seen[id], authors[author] = true, true
		}
	}
	err := c.FetchEach(ctx, Path(release), genuine.MaxFile, func(b []byte) (bool, error) {
		f, err := genuine.ParseFile(b)
		if err != nil {
			return false, err
		}
		for _, s := range f.Statements {
			author, id, ok := identify(s, release, keys)
			if !ok || seen[id] {
				continue
			}
			seen[id], authors[author] = true, true
			all = append(all, s)
		}
		return len(authors) >= rule.Rebuilds, nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.SortFunc(all, bytes.Compare)
	return all[:min(len(all), genuine.MaxStatements)], nil
}

// identify opens a statement and names its author and what was said, when it is about this release. The
// name is made of the payload and the key, not of the bundle: ECDSA signatures and JSON have many
// spellings, and a mirror that sent one statement in ten thousand of them, or all that was ever said about
// other releases, would otherwise push out the others.
func identify(raw []byte, release [32]byte, keys []crypto.PublicKey) (author, id string, ok bool) {
	payload, by, err := bundle.Open(raw, keys)
	if err != nil {
		return "", "", false
	}
	parsed, err := statement.Parse(payload)
	if err != nil {
		return "", "", false
	}
	switch s := parsed.(type) {
	case *statement.Rebuild:
		ok = s.Release == release
	case *statement.Inconclusive:
		ok = s.Release == release
	}
	der, err := x509.MarshalPKIXPublicKey(by)
	if err != nil || !ok {
		return "", "", false
	}
	sum := sha256.Sum256(payload)
	return string(der), string(der) + string(sum[:]), true
}

// Versions returns the versions a channel names a release.json for, oldest first.
func Versions(set *trust.Set, channel string) []string {
	var list []string
	for _, t := range set.Targets(channel) {
		parts := strings.Split(t.Path, "/")
		if len(parts) == 3 && parts[0] == channel && parts[2] == "release.json" && anchor.ValidVersion(parts[1]) {
			list = append(list, parts[1])
		}
	}
	slices.SortFunc(list, anchor.CompareVersions)
	return list
}
