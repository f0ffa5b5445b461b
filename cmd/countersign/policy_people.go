package main

import (
	"math/bits"
	"slices"

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
			u.Cosigns = p.Log != nil && slices.ContainsFunc(p.Log.Witnesses(), func(w proof.Witness) bool { return p.owner(w) == m.Name })
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
		if slices.ContainsFunc(witnessKeys(m), w.Key.Same) {
			return m.Name
		}
	}
	return ""
}

// witnessKeys returns a person's keys; a policy.json with an unreadable one was refused.
func witnessKeys(m genuine.Member) []proof.Key {
	var keys []proof.Key
	for _, vkey := range m.Witness {
		if k, err := proof.ParseKey(vkey); err == nil {
			keys = append(keys, k)
		}
	}
	return keys
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

// table has the people as sets of bits, so that many sets can be looked at.
type table struct {
	log           *proof.Policy
	whole         bool
	people        []unit
	signs, states uint32
	jurisdictions []uint32          // of signers, one set for each
	organisations []uint32          // of signers, one set for each
	cosigns       map[string]uint32 // by the name of the witness
}

func (p policies) table() table {
	t := table{log: p.Log, whole: p.Whole, people: p.units(), cosigns: map[string]uint32{}}
	var signers []unit
	for i, u := range t.people {
		if u.States {
			t.states |= 1 << i
		}
		if u.Signs {
			t.signs |= 1 << i
			signers = append(signers, u)
		} else {
			signers = append(signers, unit{Name: u.Name})
		}
	}
	_, t.jurisdictions = widen(signers, func(u unit) string { return u.Jurisdiction })
	_, t.organisations = widen(signers, func(u unit) string { return u.Organisation })
	if p.Log != nil {
		for _, w := range p.Log.Witnesses() {
			name := p.unitOf(w)
			t.cosigns[w.Name] = 1 << slices.IndexFunc(t.people, func(u unit) bool { return u.Name == name })
		}
	}
	return t
}

// meets says whether this set of people can do everything that a rule asks. Where a log policy is asked
// for and was not given, nothing is known to be missing, unless what was given is the whole.
func (t table) meets(r genuine.Rule, set uint32) bool {
	signers, staters := set&t.signs, bits.OnesCount32(set&t.states)
	among := func(groups []uint32) (n int) {
		for _, g := range groups {
			if g&signers != 0 {
				n++
			}
		}
		return n
	}
	if bits.OnesCount32(signers) < r.Quorum || among(t.jurisdictions) < r.Jurisdictions || among(t.organisations) < r.Organisations ||
		staters < r.Rebuilds || staters < r.Reviews {
		return false
	}
	switch {
	case !r.Logged:
		return true
	case t.log == nil:
		return !t.whole
	}
	return t.cosigned(set)
}

// cosigned says whether the log policy believes a head that these people cosigned, with any of their keys.
func (t table) cosigned(set uint32) bool {
	return t.log.Quorum().Satisfied(func(w proof.Witness) bool { return set&t.cosigns[w.Name] != 0 })
}

// search finds the smallest sets of people, of organisations and of countries.
func (p policies) search(d *Demand, r genuine.Rule) {
	t := p.table()
	kinds := []struct {
		of   string
		name func(unit) string
	}{
		{"people", func(u unit) string { return u.Name }},
		{"organisations", func(u unit) string { return u.Organisation }},
		{"countries", func(u unit) string { return u.Jurisdiction }},
	}
	if p.Rules == nil {
		kinds = kinds[:1]
		kinds[0].of = "witnesses"
	}
	for _, k := range kinds {
		if len(t.people) > maxUnits {
			d.Ship, d.Block = append(d.Ship, Sets{Of: k.of, Many: true}), append(d.Block, Sets{Of: k.of, Many: true})
			continue
		}
		all := uint32(1)<<len(t.people) - 1
		names, members := widen(t.people, k.name)
		d.Ship = append(d.Ship, smallest(k.of, names, func(set uint32) bool { return t.meets(r, union(members, set)) }))
		d.Block = append(d.Block, smallest(k.of, names, func(set uint32) bool { return !t.meets(r, all&^union(members, set)) }))
	}
}
