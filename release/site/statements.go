package site

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// sort reads the statements about this release that people of the policy signed. It only shows them:
// which of them count, and for what, was for the judge to say.
func (r *Release) sort(ev genuine.Evidence, policy genuine.Policy) {
	keys := policy.StatementKeys()
	release := sha256.Sum256(ev.Release)
	for _, raw := range ev.Statements {
		person, said, ok := open(raw, keys)
		if !ok {
			continue
		}
		switch s := said.(type) {
		case *statement.Rebuild:
			if s.Release == release {
				r.Rebuilds = append(r.Rebuilds, rebuildOf(person, s, r.Manifest))
			}
		case *statement.Inconclusive:
			if s.Release == release {
				r.Inconclusive = append(r.Inconclusive, Inconclusive{person, s.Finished, s.Reason, s.Builder})
			}
		case *statement.Review:
			if s.Release == release {
				r.Reviews = append(r.Reviews, reviewOf(person, s))
			}
		}
	}
	slices.SortStableFunc(r.Rebuilds, func(a, b Rebuild) int { return first(a.Finished.Compare(b.Finished), a.Person, b.Person) })
	slices.SortStableFunc(r.Inconclusive, func(a, b Inconclusive) int { return first(a.Finished.Compare(b.Finished), a.Person, b.Person) })
	slices.SortStableFunc(r.Reviews, func(a, b Review) int { return first(a.Finished.Compare(b.Finished), a.Person, b.Person) })
}

func first(c int, a, b genuine.Person) int {
	if c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// open returns what a bundle says and whose word it is, when that is somebody of the policy.
func open(raw []byte, keys []genuine.StatementKey) (genuine.Person, any, bool) {
	for _, k := range keys {
		payload, _, err := bundle.Open(raw, []crypto.PublicKey{k.Public})
		if err != nil {
			continue
		}
		said, err := statement.Parse(payload)
		return k.Person, said, err == nil
	}
	return genuine.Person{}, nil, false
}

func reviewOf(p genuine.Person, s *statement.Review) Review {
	return Review{Person: p, Finished: s.Finished, Base: s.Base.Version, Verdict: s.Verdict, Notes: s.Notes, Criteria: s.Criteria,
		Files: s.Files, Modules: s.Modules, Lines: s.Lines, Unread: s.Unread, Generated: s.Generated, Mechanical: s.Mechanical,
		Minutes: s.MinutesSpent, Tools: s.Tools, Independence: s.Independence, Changes: s.Changes}
}

func rebuildOf(p genuine.Person, s *statement.Rebuild, m genuine.Manifest) Rebuild {
	return Rebuild{Person: p, Finished: s.Finished, Minutes: int(s.Finished.Sub(s.Started).Round(time.Minute) / time.Minute),
		Builder: s.Builder, Bootstrap: s.Bootstrap, Go: s.Go, ToolchainH1: s.ToolchainH1, Differences: differences(s, m)}
}

// differences compares a rebuild with the release, in both directions.
func differences(s *statement.Rebuild, m genuine.Manifest) []Difference {
	list := []Difference{}
	for _, v := range []struct{ what, released, got string }{
		{"source commit", m.Source.Commit, s.SourceCommit}, {"source tree", m.Source.Tree, s.SourceTree}, {"source h1", m.Source.H1, s.SourceH1},
		{"recipe", m.Recipe, s.Recipe}, {"go.sum", m.Modules, s.ModulesSum}, {"Go", m.Toolchain.Go, s.Go},
	} {
		if v.released != v.got {
			list = append(list, Difference{v.what, v.released, v.got})
		}
	}
	got := map[string]statement.Artifact{}
	for _, a := range s.Artifacts {
		got[a.Path] = a
	}
	for _, want := range m.Artifacts {
		a, ok := got[want.Path]
		delete(got, want.Path)
		switch {
		case !ok:
			list = append(list, Difference{want.Path, want.SHA256.String(), ""})
		case genuine.Digest(a.SHA256) != want.SHA256 || a.Length != want.Length:
			list = append(list, Difference{want.Path, want.SHA256.String(), fmt.Sprintf("%x", a.SHA256)})
		}
	}
	for _, a := range s.Artifacts {
		if _, extra := got[a.Path]; extra {
			list = append(list, Difference{a.Path, "", fmt.Sprintf("%x", a.SHA256)})
		}
	}
	return list
}
