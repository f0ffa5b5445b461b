package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/release/genuine"
)

// quantity prints a number with its noun: "1 person", "3 people".
func quantity(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// printable makes text out of a file safe to show: names in a policy must not move the cursor or turn
// other text around.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// rulesInShort is one line about a policy.json.
func rulesInShort(p genuine.Policy) string {
	var channels []string
	for _, r := range p.Channels {
		channels = append(channels, fmt.Sprintf("%s asks %d", r.Channel, r.Quorum))
	}
	return fmt.Sprintf("%s, %s (%s to sign)", quantity(len(p.People), "person", "people"), quantity(len(p.Channels), "channel", "channels"), strings.Join(channels, ", "))
}

// logInShort is one line about a log.policy.
func logInShort(p proof.Policy) string {
	return fmt.Sprintf("log %s, %s, quorum %v", p.Origin(), quantity(len(p.Witnesses()), "witness", "witnesses"), p.Quorum())
}

// reasons puts a rule into words, one line for each reason of the claim.
func (p policies) reasons(r genuine.Rule) []Reason {
	auditors, staters := 0, 0
	for _, m := range p.Rules.People {
		auditors += min(1, len(m.Auditor))
		staters += min(1, len(m.Statement))
	}
	list := []Reason{
		{1, "quorum", fmt.Sprintf("%d of %s signed exactly these bytes", r.Quorum, quantity(auditors, "auditor", "auditors"))},
		{2, "spread", ""},
		{3, "fresh", "the signatures are not expired, and nothing newer was seen before"},
		{4, "rebuilt", ""},
		{5, "reviewed", ""},
		{6, "logged", ""},
		{7, "not withdrawn", ""},
	}
	if r.Jurisdictions > 1 || r.Organisations > 1 {
		list[1].Asks = fmt.Sprintf("they are in %s and of %s at least", quantity(max(1, r.Jurisdictions), "country", "countries"), quantity(max(1, r.Organisations), "organisation", "organisations"))
	}
	if r.Rebuilds > 0 {
		list[3].Asks = fmt.Sprintf("%d of %s got the same bytes from the source themselves", r.Rebuilds, quantity(staters, "person", "people"))
	}
	if r.Reviews > 0 {
		list[4].Asks = fmt.Sprintf("every change was read by %d of %s", r.Reviews, quantity(staters, "person", "people"))
		if len(r.Criteria) > 0 {
			list[4].Asks += ", by the criteria " + strings.Join(r.Criteria, ", ")
		}
	}
	if r.Logged {
		list[5].Asks = p.askLog()
	}
	if r.Withdrawals > 0 {
		list[6].Asks = fmt.Sprintf("fewer than %s took it back since", quantity(r.Withdrawals, "person", "people"))
	}
	return list
}

// askLog says who must have cosigned.
func (p policies) askLog() string {
	if p.Log == nil {
		return "it and what was stated are in a public log; which one is said by a log.policy, which is not here"
	}
	return fmt.Sprintf("it and what was stated are in the log %s, under a head cosigned by %s", p.Log.Origin(), p.nodeWords(p.Log.Quorum()))
}

// nodeWords says in words which witnesses are a quorum: "2 of (Ana Sousa, Bo Lund, any of (x, y))". A
// person's keys that need any one of them are the person.
func (p policies) nodeWords(n proof.Node) string {
	if n.Witness != nil {
		if name := p.owner(*n.Witness); name != "" {
			return name
		}
		return n.Name
	}
	if name := p.onePerson(n); name != "" {
		return name
	}
	var members []string
	for _, m := range n.Members {
		members = append(members, p.nodeWords(m))
	}
	switch {
	case len(members) == 1:
		return members[0]
	case n.Need == len(members) && n.Need == 2:
		return "both " + members[0] + " and " + members[1]
	case n.Need == len(members):
		return fmt.Sprintf("all %d of (%s)", n.Need, strings.Join(members, ", "))
	case n.Need == 1:
		return "any one of (" + strings.Join(members, ", ") + ")"
	}
	return fmt.Sprintf("%d of these %d (%s)", n.Need, len(members), strings.Join(members, ", "))
}

// onePerson returns the name of the person whose keys a group that needs any of them holds, or "".
func (p policies) onePerson(n proof.Node) string {
	if n.Need != 1 {
		return ""
	}
	name := ""
	for _, m := range n.Members {
		if m.Witness == nil {
			return ""
		}
		owner := p.owner(*m.Witness)
		if owner == "" || name != "" && owner != name {
			return ""
		}
		name = owner
	}
	return name
}

// alternatives prints the listed sets: "Ana + Bo, or Ana + Chen, or 4 others".
func alternatives(s Sets) string {
	var list []string
	for _, set := range s.First {
		list = append(list, strings.Join(set, " + "))
	}
	if more := s.Count - len(s.First); more > 0 {
		list = append(list, quantity(more, "other", "others"))
	}
	return strings.Join(list, ", or ")
}
