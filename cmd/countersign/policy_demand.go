package main

import (
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/release/genuine"
)

// Reason is one of the claim's reasons, in plain words.
type Reason struct {
	Number int    `json:"number"` // as in the design: 1 quorum to 7 not withdrawn
	Name   string `json:"name"`
	Asks   string `json:"asks"` // "" asks nothing
}

// Demand is what a channel asks of a release, or, without a policy.json, what the log policy asks of a head.
type Demand struct {
	Channel string   `json:"channel,omitempty"`
	Reasons []Reason `json:"reasons"`
	Ship    []Sets   `json:"ship"`  // who could together meet all of it, with the publisher
	Block   []Sets   `json:"block"` // who could by silence keep everybody else from it
	Notes   []string `json:"notes,omitempty"`
}

// demands returns one demand for each channel; without rules, one for the log.
func (p policies) demands() []Demand {
	if p.Rules == nil {
		d := Demand{Reasons: []Reason{{6, "logged", p.askLog()}}}
		p.search(&d, genuine.Rule{Logged: true})
		p.note(&d, genuine.Rule{})
		return []Demand{d}
	}
	var list []Demand
	for _, r := range p.Rules.Channels {
		d := Demand{Channel: r.Channel, Reasons: p.reasons(r)}
		p.search(&d, r)
		p.note(&d, r)
		list = append(list, d)
	}
	return list
}

// note tells what is allowed and should be meant.
func (p policies) note(d *Demand, r genuine.Rule) {
	where, one := "the log", "witness"
	if d.Channel != "" {
		where, one = d.Channel, "person"
	}
	add := func(format string, args ...any) { d.Notes = append(d.Notes, where+": "+fmt.Sprintf(format, args...)) }
	if d.Ship[0].Many {
		add("more than %d of them: who could ship or block was not searched", maxUnits)
		return
	}
	if d.Ship[0].Size == 1 {
		add("one %s alone could meet all of it: %s", one, alternatives(d.Ship[0]))
	}
	if d.Ship[0].Size > 0 && d.Block[0].Size == 1 {
		add("one %s alone could stop it by silence: %s", one, alternatives(d.Block[0]))
	}
	for i := 1; i < len(d.Ship); i++ {
		if d.Ship[i].Size == 1 && d.Ship[0].Size > 1 {
			add("people of a single one of the %s could meet all of it: %s", d.Ship[i].Of, alternatives(d.Ship[i]))
		}
	}
	if p.Log != nil && (r.Logged || d.Channel == "") {
		if n := p.fork().note(); n != "" {
			d.Notes = append(d.Notes, "the log: "+n)
		}
	}
	if d.Channel != "" && r.Withdrawals == 0 {
		add("nobody's withdrawal stops a release")
	}
	if d.Channel != "" && !r.Logged && p.Log != nil {
		add("the log policy is not asked for")
	}
	for _, u := range p.units() {
		if u.Stranger && p.Rules != nil && (r.Logged || d.Channel == "") {
			add("%s belongs to nobody in policy.json and counts as a person of its own", u.Name)
		}
	}
}

// misfits says why good files do not fit together, or why nobody could meet them.
func (p policies) misfits() []string {
	var wrong []string
	if p.Rules == nil {
		return nil
	}
	for _, d := range p.demands() {
		r, _ := p.Rules.Rule(d.Channel)
		switch {
		case r.Logged && p.Log == nil && p.Whole:
			wrong = append(wrong, fmt.Sprintf("channel %q asks for the log, and there is no %s: no release could be judged genuine", d.Channel, logFile))
		case !d.Ship[0].Many && d.Ship[0].Size == 0:
			wrong = append(wrong, fmt.Sprintf("channel %q can never be met, not by all together: %s", d.Channel, strings.Join(p.unmet(r), "; ")))
		}
	}
	if p.Log == nil {
		return wrong
	}
	for _, m := range p.Rules.People {
		if err := p.Log.CountsOnce(witnessKeys(m)); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s would count twice: %v", m.Name, err))
		}
	}
	return wrong
}

// unmet lists which numbers are above what there is. The quorum and the rebuilds cannot be, since a
// policy.json with such numbers is not read.
func (p policies) unmet(r genuine.Rule) []string {
	jurisdictions, organisations := map[string]bool{}, map[string]bool{}
	for _, m := range p.Rules.People {
		if len(m.Auditor) > 0 {
			jurisdictions[m.Jurisdiction], organisations[m.Organisation] = true, true
		}
	}
	var list []string
	if n := len(jurisdictions); n < r.Jurisdictions {
		list = append(list, fmt.Sprintf("%d countries wanted, the auditors are in %d", r.Jurisdictions, n))
	}
	if n := len(organisations); n < r.Organisations {
		list = append(list, fmt.Sprintf("%d organisations wanted, the auditors are of %d", r.Organisations, n))
	}
	return list
}
