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
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

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
// mirror has statements or a proof is not an error: the judge says what is missing. A version that the
// channel does not name is trust.ErrNoTarget.
func Collect(ctx context.Context, a anchor.Anchor, set *trust.Set, md trust.Metadata, channel, version string, c Courier) (genuine.Evidence, error) {
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
	file, err := Gather(ctx, Wanted{channel, version, sha256.Sum256(ev.Release), policy, a}, genuine.File{}, c)
	if err != nil {
		return genuine.Evidence{}, err
	}
	ev.Statements, ev.Proof = file.Statements, file.Proof
	ev.Withdrawn, err = Withdrawn(ctx, set, c)
	return ev, err
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
