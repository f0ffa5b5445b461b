package record

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// sort reads the statements about this release that people of the policy signed. It only shows them:
// which of them count, and for what, was for the judge to say.
func (r *Release) sort(ev genuine.Evidence, policy genuine.Policy) {
	keys := policy.StatementKeys()
	release := sha256.Sum256(ev.Release)
	r.Entries = []Said{{proof.ReleaseLeaf(r.Channel, r.Version, release), "release"}}
	seen := map[string]bool{}
	for _, raw := range slices.Concat(ev.Statements, withdrawnIn(ev), ev.Withdrawals) {
		s, ok := open(raw, keys)
		if !ok || seen[string(s.entry)] || !r.add(s, release) {
			continue
		}
		seen[string(s.entry)] = true
		r.Entries = append(r.Entries, Said{s.entry, wordOf(s, r.Manifest)})
	}
	slices.SortStableFunc(r.Rebuilds, func(a, b Rebuild) int { return first(a.Finished.Compare(b.Finished), a.Person, b.Person) })
	slices.SortStableFunc(r.Inconclusive, func(a, b Inconclusive) int { return first(a.Finished.Compare(b.Finished), a.Person, b.Person) })
	slices.SortStableFunc(r.Reviews, func(a, b Review) int { return first(a.Finished.Compare(b.Finished), a.Person, b.Person) })
	r.latest()
}

// add files one statement, if it is about this release.
func (r *Release) add(s said, release [32]byte) bool {
	switch x := s.what.(type) {
	case *statement.Rebuild:
		if x.Release != release {
			return false
		}
		r.Rebuilds = append(r.Rebuilds, rebuildOf(s.by, x, r.Manifest))
	case *statement.Inconclusive:
		if x.Release != release {
			return false
		}
		r.Inconclusive = append(r.Inconclusive, Inconclusive{s.by, x.Finished, x.Reason, x.Builder})
	case *statement.Review:
		if x.Release != release {
			return false
		}
		r.Reviews = append(r.Reviews, reviewOf(s.by, x))
	case *statement.Withdrawal:
		if x.Release != release {
			return false
		}
		r.Withdrawals = append(r.Withdrawals, Withdrawal{Person: s.by, At: x.At, State: x.State, Reason: x.Reason})
	}
	return true
}

// latest marks each person's last word about a release; of two at one time the withdrawal counts.
func (r *Release) latest() {
	slices.SortStableFunc(r.Withdrawals, func(a, b Withdrawal) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return first(strings.Compare(a.State, b.State), a.Person, b.Person) // "reinstated" before "withdrawn"
	})
	last := map[genuine.Person]int{}
	for i, w := range r.Withdrawals {
		last[w.Person] = i
	}
	for _, i := range last {
		r.Withdrawals[i].Latest = true
	}
}

// withdrawnIn returns the withdrawals of all releases that the snapshot's file holds.
func withdrawnIn(ev genuine.Evidence) [][]byte {
	f, err := genuine.ParseFile(ev.Withdrawn)
	if err != nil {
		return nil // absent, or not one: the judge says which
	}
	return f.Statements
}

func first(c int, a, b genuine.Person) int {
	if c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// said is one statement by a person of the policy.
type said struct {
	by    genuine.Person
	what  any
	entry []byte // by which the log knows it
}

// open returns what a bundle says and whose word it is, when that is somebody of the policy.
func open(raw []byte, keys []genuine.StatementKey) (said, bool) {
	for _, k := range keys {
		payload, _, err := bundle.Open(raw, []crypto.PublicKey{k.Public})
		if err != nil {
			continue
		}
		what, err := statement.Parse(payload)
		if err != nil {
			return said{}, false
		}
		der, err := x509.MarshalPKIXPublicKey(k.Public)
		return said{k.Person, what, proof.StatementLeaf(sha256.Sum256(der), sha256.Sum256(payload))}, err == nil
	}
	return said{}, false
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
