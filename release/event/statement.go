package event

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// Statement is what one person states about one event's rebuild, checked: a sigstore bundle by a
// statement key of the policy, about this event and this release.json. Exactly one of Rebuild,
// Inconclusive, Review and Withdrawal is set.
type Statement struct {
	Bundle       []byte
	By           genuine.Person
	Rebuild      *statement.Rebuild
	Inconclusive *statement.Inconclusive
	Review       *statement.Review
	Withdrawal   *statement.Withdrawal // made after publication
	name         string
}

// Name is the path of a statement below its event: the key, then the payload, so that a second word of
// the same person stands beside the first and never replaces it.
func (s Statement) Name() string { return s.name }

func statementFile(pub crypto.PublicKey, payload []byte) string {
	key, sum := sha256.Sum256(pkix(pub)), sha256.Sum256(payload)
	return dirStatements + hex.EncodeToString(key[:8]) + "." + hex.EncodeToString(sum[:8]) + ".json"
}

// ReleaseSHA256 is the hash by which statements name this event's release.
func (p *Proposal) ReleaseSHA256() [32]byte { return sha256.Sum256(p.Release) }

// CheckStatement accepts a bundle only when a statement key of the base's policy signed it, and what it
// says is about this event and this release. Whether it says yes or no does not matter here.
func (p *Proposal) CheckStatement(b []byte) (Statement, error) {
	if p.Event.Kind != KindRelease {
		return Statement{}, refusef("event %s is of kind %s; statements are made about releases", p.ID.Short(), p.Event.Kind)
	}
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return Statement{}, err
	}
	keys := policy.StatementKeys()
	var pubs []crypto.PublicKey
	for _, k := range keys {
		pubs = append(pubs, k.Public)
	}
	payload, by, err := bundle.Open(b, pubs)
	if err != nil {
		return Statement{}, refusef("statement: %v", err)
	}
	s := Statement{Bundle: b, name: statementFile(by, payload)}
	for _, k := range keys {
		if bytes.Equal(pkix(k.Public), pkix(by)) {
			s.By = k.Person
		}
	}
	return s, p.readStatement(&s, payload)
}

// readStatement parses the payload and ties it to this event.
func (p *Proposal) readStatement(s *Statement, payload []byte) error {
	parsed, err := statement.Parse(payload)
	if err != nil {
		return refusef("statement of %s: %v", s.By.Name, err)
	}
	var event string
	var release [32]byte
	switch v := parsed.(type) {
	case *statement.Rebuild:
		s.Rebuild, event, release = v, v.Event, v.Release
	case *statement.Inconclusive:
		s.Inconclusive, event, release = v, v.Event, v.Release
	case *statement.Review:
		s.Review, event, release = v, v.Event, v.Release
	case *statement.Withdrawal:
		s.Withdrawal, event, release = v, p.ID.String(), v.Release // made for a release, whatever event it came of
		if v.Channel != p.Manifest.Channel || v.Version != p.Manifest.Version {
			return refusef("statement of %s is about %s %s, and this event's release is %s %s", s.By.Name, v.Channel, clip(v.Version), p.Manifest.Channel, p.Manifest.Version)
		}
	default:
		return refusef("statement of %s: is a %T, which is not made about an event", s.By.Name, parsed)
	}
	if event != p.ID.String() {
		return refusef("statement of %s is about event %s, not about %s", s.By.Name, clip(event), p.ID.Short())
	}
	if release != p.ReleaseSHA256() {
		return refusef("statement of %s is about the release.json with sha256 %x, this event's has %x", s.By.Name, release, p.ReleaseSHA256())
	}
	return nil
}

// Differences lists in what a rebuild differs from the release: other source, other recipe, or artifacts
// by path. Empty means that every artifact is byte-equal.
func (p *Proposal) Differences(r *statement.Rebuild) []string {
	var out []string
	m := p.Manifest
	for _, f := range []struct{ what, got, want string }{
		{"source commit", r.SourceCommit, m.Source.Commit}, {"source tree", r.SourceTree, m.Source.Tree},
		{"source h1", r.SourceH1, m.Source.H1}, {"recipe", r.Recipe, m.Recipe}, {"go", r.Go, m.Toolchain.Go}, {"modules", r.ModulesSum, m.Modules},
	} {
		if f.got != f.want {
			out = append(out, fmt.Sprintf("%s %s instead of %s", f.what, clip(f.got), clip(f.want)))
		}
	}
	got := map[string]statement.Artifact{}
	for _, a := range r.Artifacts {
		got[a.Path] = a
	}
	for _, a := range m.Artifacts {
		g, ok := got[a.Path]
		delete(got, a.Path)
		switch {
		case !ok:
			out = append(out, a.Path+" missing")
		case g.SHA256 != [32]byte(a.SHA256) || g.Length != a.Length:
			out = append(out, a.Path)
		}
	}
	for _, a := range r.Artifacts {
		if _, extra := got[a.Path]; extra {
			out = append(out, a.Path+" not in the release")
		}
	}
	return out
}

// at is the time by which a person's later word is told from an earlier one.
func (s Statement) at() time.Time {
	if s.Rebuild != nil {
		return s.Rebuild.Finished
	}
	return time.Time{} // an inconclusive attempt never outweighs a finished rebuild
}

// result is one person's word in short.
func (p *Proposal) result(s Statement) Rebuilt {
	r := Rebuilt{Person: s.By}
	if s.Inconclusive != nil {
		r.Result, r.Text = Inconclusive, strings.TrimSpace(s.Inconclusive.Reason)
		return r
	}
	if d := p.Differences(s.Rebuild); len(d) > 0 {
		r.Result, r.Differs = Differs, d
		return r
	}
	r.Result = Matched
	return r
}
