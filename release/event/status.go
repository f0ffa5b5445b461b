package event

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Published is what the repository serves now, as far as the asker knows: by role, its version and the
// event it came from. The zero value means "not known", or nothing published.
type Published struct {
	Versions map[string]int64
	Events   map[string]string

	// Was tells whether a former version of a role came from an event. Nil: former versions are not
	// known, and events published long ago are shown as overtaken.
	Was func(role string, version int64, id ID) bool
}

// PublishedFrom reads a verified repository.
func PublishedFrom(set *trust.Set) Published {
	p := Published{Versions: map[string]int64{}, Events: map[string]string{}}
	for _, r := range set.Roles() {
		p.Versions[r.Name], p.Events[r.Name] = r.Version, r.Event
	}
	return p
}

// Status says how far an event is.
type Status struct {
	ID         ID          `json:"-"`
	Event      string      `json:"event"` // the id in hex
	Kind       Kind        `json:"kind"`
	Label      string      `json:"label"`
	Quorums    []Quorum    `json:"quorums"`
	Rebuilds   []Rebuilt   `json:"rebuilds,omitempty"`  // everybody with a statement key, in the policy's order
	Reviews    []Reviewed  `json:"reviews,omitempty"`   // likewise
	Withdrawn  []Withdrawn `json:"withdrawn,omitempty"` // who has withdrawn or reinstated it, their last word
	Spread     []string    `json:"spread,omitempty"`    // what the policy asks beyond signatures and is missing
	Published  bool        `json:"published"`           // what it proposes is what is served
	Superseded string      `json:"superseded,omitempty"`
	Stale      string      `json:"stale,omitempty"` // why it can no longer be published
	Ready      bool        `json:"ready"`           // every quorum and rule is met, and nothing stands in the way
	Bad        []string    `json:"bad,omitempty"`   // answers that do not hold
}

// Quorum is one set of people of whom so many must sign.
type Quorum struct {
	Role    string           `json:"role"`
	Name    string           `json:"name"` // as Authority.Name
	Need    int              `json:"need"`
	Signed  []genuine.Person `json:"signed"`
	Missing []genuine.Person `json:"missing"`
}

// Met reports whether enough distinct people signed.
func (q Quorum) Met() bool { return len(q.Signed) >= q.Need }

// The results a person's rebuild may have.
const (
	Matched      = "matched"
	Differs      = "differs"
	Inconclusive = "inconclusive"
	NotYet       = "not yet"
)

// Rebuilt is one person's word about the rebuild.
type Rebuilt struct {
	Person  genuine.Person `json:"person"`
	Result  string         `json:"result"`
	Differs []string       `json:"differs,omitempty"` // artifacts or inputs that differ
	Text    string         `json:"text,omitempty"`    // why inconclusive
}

// Status counts the event's answers. supersededBy is the id of an event that supersedes this one, or "".
func (p *Proposal) Status(now Published, supersededBy string) Status {
	s := Status{ID: p.ID, Event: p.ID.String(), Kind: p.Event.Kind, Label: p.Event.Label, Superseded: supersededBy}
	for _, role := range p.Event.Roles() {
		for _, a := range p.authorities[role] {
			s.Quorums = append(s.Quorums, p.count(role, a))
		}
	}
	s.Rebuilds = p.rebuilds()
	s.Reviews = p.reviews()
	s.Withdrawn = p.withdrawals()
	s.Spread = p.spread(s)
	s.Published, s.Stale = p.against(now)
	for _, err := range p.Bad {
		s.Bad = append(s.Bad, err.Error())
	}
	s.Ready = !s.Published && s.Stale == "" && s.Superseded == "" && len(s.Spread) == 0
	for _, q := range s.Quorums {
		s.Ready = s.Ready && q.Met()
	}
	return s
}

// count counts people, not keys: one person with two keys in a role counts once.
func (p *Proposal) count(role string, a Authority) Quorum {
	q := Quorum{Role: role, Name: a.Name, Need: a.Quorum, Signed: []genuine.Person{}, Missing: []genuine.Person{}}
	signed := map[string]bool{}
	for _, s := range p.Signatures {
		if s.Role == role {
			signed[s.KeyID] = true
		}
	}
	done := map[string]bool{}
	for i, h := range a.Holders {
		if signed[a.KeyIDs[i]] && !done[h.Name] {
			done[h.Name] = true
			q.Signed = append(q.Signed, person(h.Person))
		}
	}
	for _, h := range a.Holders {
		if !done[h.Name] {
			done[h.Name] = true
			q.Missing = append(q.Missing, person(h.Person))
		}
	}
	return q
}

func person(p repo.Person) genuine.Person {
	return genuine.Person{Name: p.Name, Organisation: p.Organisation, Jurisdiction: p.Jurisdiction}
}

// rebuilds gives each person with a statement key their last decisive word.
func (p *Proposal) rebuilds() []Rebuilt {
	if p.Event.Kind != KindRelease {
		return nil
	}
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return nil // Load has refused such a base
	}
	var out []Rebuilt
	for _, k := range policy.StatementKeys() {
		r := Rebuilt{Person: k.Person, Result: NotYet}
		var last *Statement
		for i, s := range p.Statements {
			if s.By == k.Person && (s.Rebuild != nil || s.Inconclusive != nil) && (last == nil || s.at().After(last.at())) {
				last, r = &p.Statements[i], p.result(s)
			}
		}
		out = append(out, r)
	}
	return out
}

// spread compares with the base's policy what signatures alone do not show. It is advice for people; the
// judge asks again, with the policy in force, before anything is published.
func (p *Proposal) spread(s Status) []string {
	if p.Event.Kind != KindRelease {
		return nil
	}
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return []string{err.Error()}
	}
	rule, ok := policy.Rule(p.Manifest.Channel)
	if !ok {
		return []string{fmt.Sprintf("the policy has no rule for channel %q", p.Manifest.Channel)}
	}
	countries, organisations := map[string]bool{}, map[string]bool{}
	for _, q := range s.Quorums {
		for _, who := range q.Signed {
			countries[who.Jurisdiction], organisations[strings.ToLower(who.Organisation)] = true, true
		}
	}
	matched := 0
	for _, r := range s.Rebuilds {
		if r.Result == Matched {
			matched++
		}
	}
	var out []string
	for _, n := range []struct {
		what      string
		got, want int
	}{{"jurisdictions among the signers", len(countries), rule.Jurisdictions}, {"organisations among the signers", len(organisations), rule.Organisations}, {"matching rebuilds", matched, rule.Rebuilds}} {
		if n.got < n.want {
			out = append(out, fmt.Sprintf("%d of %d %s", n.got, n.want, n.what))
		}
	}
	if r := p.reviewed(rule); r.State == genuine.Failed {
		out = append(out, "reviews: "+r.Text)
	}
	return out
}

// against compares with what is published. Only the roles an event proposes can make it stale, so that
// events for other channels do not disturb it.
func (p *Proposal) against(now Published) (published bool, stale string) {
	if len(now.Versions) == 0 {
		return false, ""
	}
	published = true
	for _, role := range p.Event.Roles() {
		published = published && now.has(role, p.Event.Version(role), p.ID)
	}
	if published {
		return true, ""
	}
	for _, role := range p.Event.Roles() {
		// A role that carries this very event is a publication that was interrupted, not a rival.
		if v := now.Versions[role]; v > p.Event.Base[role] && now.Events[role] != p.ID.String() {
			return false, fmt.Sprintf("builds on version %d of %s, and version %d is published: stage it again", p.Event.Base[role], role, v)
		}
	}
	return false, ""
}

// has reports whether a version of a role that is or was published came from an event.
func (now Published) has(role string, version int64, id ID) bool {
	switch v := now.Versions[role]; {
	case v == version:
		return now.Events[role] == id.String()
	case v > version && now.Was != nil:
		return now.Was(role, version, id)
	}
	return false
}
