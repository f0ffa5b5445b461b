package genuine

import (
	"crypto"
	"crypto/sha256"
	"fmt"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
)

// rebuilt is reason 4. A statement counts when it opens with the statement key of a person in the
// policy, is about exactly this release.json, and its artifacts are exactly those of the release: the
// comparison is made here, and no field of a statement can claim its result. A person who ever stated
// other bytes for this release is not counted at all.
func (b believed) rebuilt(r *Reason, ev Evidence) {
	if b.rule.Rebuilds == 0 {
		r.State, r.Text = NotRequired, NotRequired.String()
		return
	}
	got, otherwise := b.rebuilders(ev)
	for p := range otherwise {
		delete(got, p)
	}
	r.People = distinct(keys(got))
	r.State = Held
	if len(r.People) < b.rule.Rebuilds {
		r.State = Failed
	}
	r.Text = fmt.Sprintf("%d auditors rebuilt exactly these bytes, %d needed: %s", len(r.People), b.rule.Rebuilds, names(r.People))
	if len(otherwise) > 0 {
		r.Text += "; got other bytes: " + names(distinct(keys(otherwise)))
	}
}

// rebuilders sorts the authors of valid statements about this release into those who got its bytes and
// those who got others. What does not open, or speaks of something else, is noise anybody can add.
func (b believed) rebuilders(ev Evidence) (got, otherwise map[Person]bool) {
	got, otherwise = map[Person]bool{}, map[Person]bool{}
	holders := b.policy.StatementKeys()
	var pubs []crypto.PublicKey
	for _, h := range holders {
		pubs = append(pubs, h.Public)
	}
	release := sha256.Sum256(ev.Release)
	for _, raw := range ev.Statements[:min(len(ev.Statements), MaxStatements)] {
		payload, by, err := bundle.Open(raw, pubs)
		if err != nil {
			continue
		}
		parsed, err := statement.Parse(payload)
		if err != nil {
			continue
		}
		s, ok := parsed.(*statement.Rebuild)
		if !ok || s.Release != release {
			continue
		}
		person := holderOf(holders, by)
		if b.sameArtifacts(s) {
			got[person] = true
		} else {
			otherwise[person] = true
		}
	}
	return got, otherwise
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

func holderOf(holders []StatementKey, by crypto.PublicKey) Person {
	for _, h := range holders {
		if k, ok := h.Public.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(by) {
			return h.Person
		}
	}
	panic("internal error: a bundle opened with a key nobody gave it")
}

func keys(m map[Person]bool) []Person {
	var list []Person
	for p := range m {
		list = append(list, p)
	}
	return list
}
