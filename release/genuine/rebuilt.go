package genuine

import (
	"fmt"

	"github.com/countersign-project/countersign/attest/statement"
)

// rebuilt is reason 4. A statement counts when it opens with the statement key of a person in the
// policy, is about exactly this release.json, and its artifacts are exactly those of the release: the
// comparison is made here, and no field of a statement can claim its result. A person who ever stated
// other bytes for this release is not counted at all.
func (b believed) rebuilt(r *Reason) {
	if b.rule.Rebuilds == 0 {
		r.State, r.Text = NotRequired, NotRequired.String()
		return
	}
	got, otherwise := b.rebuilders(b.said)
	r.People, r.Against = got, otherwise
	r.State = Held
	if len(got) < b.rule.Rebuilds {
		r.State = Failed
	}
	r.Text = fmt.Sprintf("%d auditors rebuilt exactly these bytes, %d needed: %s", len(got), b.rule.Rebuilds, names(got))
	if len(otherwise) > 0 {
		r.Text += "; got other bytes: " + names(otherwise)
	}
}

// rebuilders sorts the authors of statements about this release into those who got its bytes and those who
// got others.
func (b believed) rebuilders(list []said) (got, otherwise []Person) {
	same, other := map[Person]bool{}, map[Person]bool{}
	for _, s := range list {
		r, ok := s.what.(*statement.Rebuild)
		switch {
		case !ok || r.Release != b.sum:
		case b.sameArtifacts(r):
			same[s.by] = true
		default:
			other[s.by] = true
		}
	}
	for p := range other {
		delete(same, p)
	}
	return distinct(keys(same)), distinct(keys(other))
}

// sameArtifacts compares every artifact of the release, in both directions, and the source and recipe
// they were made from.
func (b believed) sameArtifacts(s *statement.Rebuild) bool {
	m := b.release
	if s.SourceCommit != m.Source.Commit || s.SourceTree != m.Source.Tree || s.SourceH1 != m.Source.H1 {
		return false
	}
	if s.Recipe != m.Recipe || s.ModulesSum != m.Modules || s.Go != m.Toolchain.Go {
		return false
	}
	if len(s.Artifacts) != len(m.Artifacts) {
		return false
	}
	want := map[string]Artifact{}
	for _, a := range m.Artifacts {
		want[a.Path] = a
	}
	for _, a := range s.Artifacts {
		w, ok := want[a.Path]
		if !ok || w.SHA256 != Digest(a.SHA256) || w.Length != a.Length {
			return false
		}
		delete(want, a.Path) // a path named twice must not stand in for a missing one
	}
	return len(want) == 0
}
