package event

import (
	"time"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// Reviewed is one person's last word about the change of the source.
type Reviewed struct {
	Person   genuine.Person `json:"person"`
	Result   string         `json:"result"`             // pass, partial, fail, inconclusive or not yet
	Base     string         `json:"base,omitempty"`     // version the change was counted from; "" for the whole source
	Unread   int            `json:"unread,omitempty"`   // items that were not read
	Criteria []string       `json:"criteria,omitempty"` // what they vouch for
	Text     string         `json:"text,omitempty"`     // their notes
}

// Withdrawn is one person's last word about a published release.
type Withdrawn struct {
	Person genuine.Person `json:"person"`
	State  string         `json:"state"` // withdrawn or reinstated
	Reason string         `json:"reason"`
	At     time.Time      `json:"at"`
}

// reviews gives each person with a statement key their last review, or none at all where the policy asks
// for no reviews and nobody made one.
func (p *Proposal) reviews() []Reviewed {
	policy, rule, ok := p.rule()
	if !ok {
		return nil
	}
	var out []Reviewed
	some := rule.Reviews > 0
	for _, k := range policy.StatementKeys() {
		r, last := Reviewed{Person: k.Person, Result: NotYet}, time.Time{}
		for _, s := range p.Statements {
			if v := s.Review; v != nil && s.By == k.Person && !v.Finished.Before(last) {
				last, some = v.Finished, true
				r = Reviewed{k.Person, v.Verdict, v.Base.Version, len(v.Unread), v.Criteria, v.Notes}
			}
		}
		out = append(out, r)
	}
	if !some {
		return nil
	}
	return out
}

// reviewed asks the judge whether the reviews suffice.
func (p *Proposal) reviewed(rule genuine.Rule) genuine.Reason {
	set, err := p.Base.Verify(nil)
	if err != nil {
		return genuine.Reason{State: genuine.Open, Text: err.Error()}
	}
	var said []genuine.Said
	for _, s := range p.Statements {
		if s.Review != nil {
			said = append(said, genuine.Said{By: s.By, Review: s.Review})
		}
	}
	return genuine.Reviewed(set, rule, p.Release, said)
}

// withdrawals lists who has spoken about the release since it was published.
func (p *Proposal) withdrawals() []Withdrawn {
	policy, _, ok := p.rule()
	if !ok {
		return nil
	}
	var out []Withdrawn
	for _, k := range policy.StatementKeys() {
		var last *statement.Withdrawal
		for _, s := range p.Statements {
			if w := s.Withdrawal; w != nil && s.By == k.Person && (last == nil || w.Supersedes(*last)) {
				last = w
			}
		}
		if last != nil {
			out = append(out, Withdrawn{k.Person, last.State, last.Reason, last.At})
		}
	}
	return out
}

// rule returns the policy of a release's base and its rule for the channel.
func (p *Proposal) rule() (genuine.Policy, genuine.Rule, bool) {
	if p.Event.Kind != KindRelease {
		return genuine.Policy{}, genuine.Rule{}, false
	}
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return policy, genuine.Rule{}, false // Load has refused such a base
	}
	rule, ok := policy.Rule(p.Manifest.Channel)
	return policy, rule, ok
}
