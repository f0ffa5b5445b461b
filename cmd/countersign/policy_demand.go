package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/release/genuine"
)

// unit is a person, or a witness of whom nobody knows the person.
type unit struct {
	Name         string `json:"name"`
	Organisation string `json:"organisation,omitempty"`
	Jurisdiction string `json:"jurisdiction,omitempty"`
	Signs        bool   `json:"signs"`   // has a key for TUF roles
	States       bool   `json:"states"`  // has a key for rebuilds, reviews and withdrawals
	Cosigns      bool   `json:"cosigns"` // counts in the log policy
	Stranger     bool   `json:"-"`       // a witness without a person
}

// units lists the people, then the witnesses that belong to none of them.
func (p policies) units() []unit {
	var list []unit
	if p.Rules != nil {
		for _, m := range p.Rules.People {
			u := unit{Name: m.Name, Organisation: m.Organisation, Jurisdiction: m.Jurisdiction, Signs: len(m.Auditor) > 0, States: len(m.Statement) > 0}
			u.Cosigns = p.Log != nil && slices.ContainsFunc(p.Log.Witnesses(), func(w proof.Witness) bool { return slices.Contains(m.Witness, w.Key.String()) })
			list = append(list, u)
		}
	}
	if p.Log != nil {
		for _, w := range p.Log.Witnesses() {
			if p.owner(w) == "" {
				list = append(list, unit{Name: p.unitOf(w), Cosigns: true, Stranger: true})
			}
		}
	}
	return list
}

// owner returns the person who holds a witness key, or "".
func (p policies) owner(w proof.Witness) string {
	if p.Rules == nil {
		return ""
	}
	for _, m := range p.Rules.People {
		if slices.Contains(m.Witness, w.Key.String()) {
			return m.Name
		}
	}
	return ""
}

// unitOf returns the name under which a witness counts among the units.
func (p policies) unitOf(w proof.Witness) string {
	if p.Rules == nil {
		return w.Name
	}
	if name := p.owner(w); name != "" {
		return name
	}
	return "witness " + w.Name
}

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
		p.search(&d, p.cosigned)
		p.note(&d, genuine.Rule{})
		return []Demand{d}
	}
	var list []Demand
	for _, r := range p.Rules.Channels {
		d := Demand{Channel: r.Channel, Reasons: p.reasons(r)}
		p.search(&d, func(has func(string) bool) bool { return p.meets(r, has) })
		p.note(&d, r)
		list = append(list, d)
	}
	return list
}

// meets says whether these people together can do everything that a rule asks.
func (p policies) meets(r genuine.Rule, has func(name string) bool) bool {
	var signers, staters int
	jurisdictions, organisations := map[string]bool{}, map[string]bool{}
	for _, m := range p.Rules.People {
		if !has(m.Name) {
			continue
		}
		if len(m.Statement) > 0 {
			staters++
		}
		if len(m.Auditor) > 0 {
			signers++
			jurisdictions[m.Jurisdiction], organisations[m.Organisation] = true, true
		}
	}
	return signers >= r.Quorum && len(jurisdictions) >= r.Jurisdictions && len(organisations) >= r.Organisations &&
		staters >= r.Rebuilds && staters >= r.Reviews && (!r.Logged || p.cosigned(has))
}

// cosigned says whether these people's witnesses are a quorum of the log policy. Where that was not given,
// nothing is known to be missing.
func (p policies) cosigned(has func(name string) bool) bool {
	if p.Log == nil {
		return !p.Whole
	}
	return p.Log.Quorum().Satisfied(func(w proof.Witness) bool { return has(p.unitOf(w)) })
}

// search finds the smallest sets of people, of organisations and of countries.
func (p policies) search(d *Demand, meets func(has func(string) bool) bool) {
	people := p.units()
	could := func(set uint32) bool {
		return meets(func(name string) bool {
			i := slices.IndexFunc(people, func(u unit) bool { return u.Name == name })
			return i >= 0 && set&(1<<i) != 0
		})
	}
	all := uint32(1)<<len(people) - 1
	kinds := []struct {
		of   string
		name func(unit) string
	}{{"people", func(u unit) string { return u.Name }}}
	if p.Rules == nil {
		kinds[0].of = "witnesses"
	} else {
		kinds = append(kinds, kinds[0], kinds[0])
		kinds[1].of, kinds[1].name = "organisations", func(u unit) string { return u.Organisation }
		kinds[2].of, kinds[2].name = "countries", func(u unit) string { return u.Jurisdiction }
	}
	for _, k := range kinds {
		names, members := widen(people, k.name)
		if len(people) > maxUnits {
			names = make([]string, len(people)) // too many, whatever they are
		}
		d.Ship = append(d.Ship, smallest(k.of, names, func(set uint32) bool { return could(union(members, set)) }))
		d.Block = append(d.Block, smallest(k.of, names, func(set uint32) bool { return !could(all &^ union(members, set)) }))
	}
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
		var keys []proof.Key
		for _, vkey := range m.Witness {
			if k, err := proof.ParseKey(vkey); err == nil {
				keys = append(keys, k)
			}
		}
		if err := p.Log.CountsOnce(keys); err != nil {
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
