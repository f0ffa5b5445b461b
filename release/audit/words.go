package audit

import (
	"crypto"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// inWords says what a distribution file means: who the people are, how many of them it takes for what,
// and what a channel asks of a release.
func inWords(p *event.Proposal) ([]string, error) {
	d, err := event.ParseDistribution(p.Distribution)
	if err != nil {
		return nil, err
	}
	out := []string{"", fmt.Sprintf("distribution %q, served at %s", d.Name, strings.Join(d.Mirrors, ", "))}
	var roots, auditors []string
	for _, who := range d.People {
		if who.Root != nil {
			roots = append(roots, who.Name)
		}
		if who.Auditor != nil {
			auditors = append(auditors, who.Name)
		}
	}
	out = append(out,
		fmt.Sprintf("  root (decides who everybody is): %d of %d: %s", d.Quorum.Root, len(roots), strings.Join(roots, ", ")),
		fmt.Sprintf("  targets (policy, mirrors, channels): %d of %d: %s", d.Quorum.Targets, len(auditors), strings.Join(auditors, ", ")))
	for _, c := range d.Channels {
		out = append(out, fmt.Sprintf("  channel %s: a release takes %s", c.Name, ruleText(genuine.Rule{
			Channel: c.Name, Quorum: c.Quorum, Jurisdictions: c.Jurisdictions, Organisations: c.Organisations, Rebuilds: c.Rebuilds})))
	}
	out = append(out, fmt.Sprintf("  the publisher, %s (%s, %s), holds the online keys: may delay, cannot ship a byte", d.Publisher.Name, d.Publisher.Organisation, d.Publisher.Jurisdiction))
	for _, who := range d.People {
		out = append(out, fmt.Sprintf("  %s (%s, %s): %s", who.Name, who.Organisation, who.Jurisdiction, strings.Join(keysText(who), "; ")))
	}
	return out, nil
}

func ruleText(r genuine.Rule) string {
	s := fmt.Sprintf("%d auditors", r.Quorum)
	if r.Jurisdictions > 1 {
		s += fmt.Sprintf(" from at least %d countries", r.Jurisdictions)
	}
	if r.Organisations > 1 {
		s += fmt.Sprintf(" and %d organisations", r.Organisations)
	}
	return s + fmt.Sprintf(", and %d matching rebuilds", r.Rebuilds)
}

func keysText(who event.Person) []string {
	var out []string
	add := func(purpose string, key crypto.PublicKey) {
		if key != nil {
			out = append(out, purpose+" key "+signer.Fingerprint(key))
		}
	}
	add("root", who.Root)
	add("auditor", who.Auditor)
	add("statement", who.Statement)
	return out
}

// weakened compares the numbers of a changed distribution with those in force, and names each that asks
// for less. It is allowed, by a quorum that saw it; nobody should find out later.
func weakened(p *event.Proposal) ([]string, error) {
	if p.Event.Kind == event.KindDistribution {
		return nil, nil
	}
	d, err := event.ParseDistribution(p.Distribution)
	if err != nil {
		return nil, err
	}
	before, err := repo.Read(p.Base.Roots[len(p.Base.Roots)-1], p.Base.Targets)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	policy, err := p.Base.ParsedPolicy()
	if err != nil {
		return nil, err
	}
	var out []string
	less := func(what string, now, was int) {
		if now < was {
			out = append(out, fmt.Sprintf("%s is lowered from %d to %d", what, was, now))
		}
	}
	less("the quorum of root", d.Quorum.Root, before.Root.Quorum)
	less("the quorum of targets", d.Quorum.Targets, before.Targets.Quorum)
	for _, c := range d.Channels {
		for _, old := range before.Channels {
			if old.Name == c.Name {
				less("the quorum of "+c.Name, c.Quorum, old.Quorum)
			}
		}
		if old, ok := policy.Rule(c.Name); ok {
			less("the number of jurisdictions for "+c.Name, c.Jurisdictions, old.Jurisdictions)
			less("the number of organisations for "+c.Name, c.Organisations, old.Organisations)
			less("the number of rebuilds for "+c.Name, c.Rebuilds, old.Rebuilds)
		}
	}
	return append(out, peopleChanged(d, policy)...), nil
}

// peopleChanged names people who come, go or change a key, by the keys the policy lists.
func peopleChanged(d event.Distribution, policy genuine.Policy) []string {
	var out []string
	after := map[string]genuine.Member{}
	for _, m := range d.Policy().People {
		after[m.Name] = m
	}
	for _, old := range policy.People {
		now, still := after[old.Name]
		delete(after, old.Name)
		switch {
		case !still:
			out = append(out, fmt.Sprintf("%s is an auditor no longer", old.Person))
		case now.Person != old.Person:
			out = append(out, fmt.Sprintf("%s becomes %s", old.Person, now.Person))
		case string(now.Auditor) != string(old.Auditor) || string(now.Statement) != string(old.Statement):
			out = append(out, fmt.Sprintf("%s has other keys: ask them, not the publisher", old.Person))
		}
	}
	for _, m := range d.Policy().People {
		if _, isNew := after[m.Name]; isNew {
			out = append(out, fmt.Sprintf("%s is a new auditor", m.Person))
		}
	}
	return out
}

// peopleText joins names, or is empty for nobody.
func peopleText(before string, people []genuine.Person, after string) string {
	if len(people) == 0 {
		return ""
	}
	var names []string
	for _, p := range people {
		names = append(names, plain(p.Name))
	}
	return before + strings.Join(names, ", ") + after
}
