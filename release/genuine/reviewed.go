package genuine

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/trust"
)

// reviewed is reason 5: every change of the source was read by so many people. A statement counts when it
// is about exactly this release.json and source, counts the change from nothing or from an older release of
// this channel that the channel's metadata names, states the criteria that are asked for, and says pass or
// partial. A person who stated fail for this release is not counted at all.
//
// Statements speak of the same list of changes only when base and list agree; among those, each item must
// have been left unread by few enough. Whoever read all since some base counts beside any list.
func (b believed) reviewed(r *Reason) {
	if b.rule.Reviews == 0 {
		r.State, r.Text = NotRequired, NotRequired.String()
		return
	}
	best, failed := b.reviewers(b.said)
	r.People, r.Against = best.people(), failed
	r.State, r.Text = Held, ""
	what := best.name()
	if len(r.People) < b.rule.Reviews || len(best.short) > 0 {
		r.State = Failed
	}
	r.Text = fmt.Sprintf("%d auditors read %s, %d needed: %s", len(r.People), what, b.rule.Reviews, names(r.People))
	if len(best.short) > 0 {
		r.Text += fmt.Sprintf("; read by fewer than %d: %s", b.rule.Reviews, few(best.short))
	}
	if len(b.rule.Criteria) > 0 {
		r.Text += "; criteria: " + strings.Join(b.rule.Criteria, ", ")
	}
	if len(failed) > 0 {
		r.Text += "; advise against it: " + names(failed)
	}
}

// Said is a review by a person, for Reviewed.
type Said struct {
	By     Person
	Review *statement.Review
}

// Reviewed tells how reason 5 stands for a release that is not published yet, so that people see what is
// missing: set is the verified state that it builds on.
func Reviewed(set *trust.Set, rule Rule, release []byte, reviews []Said) Reason {
	r := Reason{Number: 5, Name: ReasonReviewed}
	m, err := ParseManifest(release)
	if err != nil {
		r.State, r.Text = Failed, err.Error()
		return r
	}
	b := believed{set: set, rule: rule, release: m, sum: sha256.Sum256(release)}
	b.role, _ = set.Role(m.Channel)
	for _, s := range reviews {
		b.said = append(b.said, said{by: s.By, what: s.Review})
	}
	b.reviewed(&r)
	return r
}

// reading is what people read of one list of changes.
type reading struct {
	base   string                     // version the change is counted from, or ""
	unread map[Person]map[string]bool // what each of them did not read
	short  []string                   // items that too few read, sorted
}

func (g reading) people() []Person { return distinct(slices.Collect(maps.Keys(g.unread))) }

func (g reading) name() string {
	switch {
	case len(g.unread) == 0:
		return "the change"
	case g.base == "":
		return "the whole source"
	}
	return "the change since " + g.base
}

// reviewers returns the list of changes that was read best, and who advised against the release.
func (b believed) reviewers(list []said) (best reading, failed []Person) {
	groups, complete, against := map[string]reading{}, map[Person]bool{}, map[Person]bool{}
	for _, s := range list {
		if v, ok := s.what.(*statement.Review); ok && v.Release == b.sum && v.Verdict == statement.VerdictFail {
			against[s.by] = true
		}
	}
	for _, s := range list {
		v, ok := s.what.(*statement.Review)
		if !ok || against[s.by] || !b.counts(v) {
			continue
		}
		key := fmt.Sprintf("%s %x %s %x", v.Base.Version, v.Base.Release, v.Base.Tree, v.Changes)
		if _, ok := groups[key]; !ok {
			groups[key] = reading{base: v.Base.Version, unread: map[Person]map[string]bool{}}
		}
		groups[key].unread[s.by] = both(groups[key].unread[s.by], v.Unread)
		if len(v.Unread) == 0 {
			complete[s.by] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		for p := range complete {
			g.unread[p] = map[string]bool{}
		}
		g.short = g.tooFew(b.rule.Reviews)
		if best.unread == nil || g.betterThan(best, b.rule.Reviews) {
			best = g
		}
	}
	return best, distinct(keys(against))
}

// betterThan puts a list that suffices before one that does not, and then more people before fewer.
func (g reading) betterThan(o reading, need int) bool {
	enough := func(r reading) bool { return len(r.unread) >= need && len(r.short) == 0 }
	if enough(g) != enough(o) {
		return enough(g)
	}
	return len(g.unread) > len(o.unread)
}

// tooFew lists the items that fewer than need people read. What nobody left unread was read by all.
func (g reading) tooFew(need int) []string {
	missed := map[string]int{}
	for _, unread := range g.unread {
		for item := range unread {
			missed[item]++
		}
	}
	var list []string
	for item, n := range missed {
		if len(g.unread)-n < need {
			list = append(list, item)
		}
	}
	slices.Sort(list)
	return list
}

// counts reports whether a review is one of this release's source that the rule takes.
func (b believed) counts(v *statement.Review) bool {
	if v.Release != b.sum || v.HeadCommit != b.release.Source.Commit || v.HeadTree != b.release.Source.Tree {
		return false
	}
	if v.Verdict != statement.VerdictPass && v.Verdict != statement.VerdictPartial {
		return false
	}
	for _, c := range b.rule.Criteria {
		if !slices.Contains(v.Criteria, c) {
			return false
		}
	}
	return v.Base == statement.ReviewBase{} || b.isBase(v.Base)
}

// isBase reports whether a base is an older release of this channel.
func (b believed) isBase(base statement.ReviewBase) bool {
	if !anchor.ValidVersion(base.Version) || anchor.CompareVersions(base.Version, b.release.Version) >= 0 {
		return false
	}
	t, err := b.set.Target(ManifestPath(b.release.Channel, base.Version))
	return err == nil && t.Role == b.role.Name && t.SHA256 == base.Release
}

// both returns what is in had and in list; had may be nil for everything.
func both(had map[string]bool, list []string) map[string]bool {
	out := map[string]bool{}
	for _, item := range list {
		if had == nil || had[item] {
			out[item] = true
		}
	}
	return out
}

// few names the first of many things.
func few(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
