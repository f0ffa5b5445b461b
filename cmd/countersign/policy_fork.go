package main

import (
	"fmt"
	"strings"
)

// Fork is who could show somebody another log than all others see, together with whoever holds the log's key. An
// honest witness cosigns the log that it sees first and never the other: so the log is shown in two versions, each
// to a part of the witnesses, and whoever cosigns both has to lie.
type Fork struct {
	Free  bool `json:"free"` // nobody has to lie: two quorums may have nobody in common
	Liars Sets `json:"liars"`
}

// maxCosigners bounds the search: 3^14 parted sets take a tenth of a second.
const maxCosigners = 14

// fork searches the smallest sets of people who would have to lie.
func (p policies) fork() Fork {
	t := p.table()
	var names []string
	var place []uint32 // of each cosigner among the people
	for i, u := range t.people {
		if u.Cosigns {
			names, place = append(names, u.Name), append(place, 1<<i)
		}
	}
	of := "people"
	if p.Rules == nil {
		of = "witnesses"
	}
	if len(names) > maxCosigners {
		return Fork{Liars: Sets{Of: of, Many: true}}
	}
	all := uint32(1)<<len(names) - 1
	quorum := make([]bool, all+1)
	for set := range quorum {
		var people uint32
		for i, bit := range place {
			if set&(1<<i) != 0 {
				people |= bit
			}
		}
		quorum[set] = t.cosigned(people)
	}
	// forks says whether both logs can get a quorum when these lie. The others are parted in every way.
	forks := func(liars uint32) bool {
		honest := all &^ liars
		for first := honest; ; first = (first - 1) & honest {
			if quorum[first|liars] && quorum[all&^first] {
				return true
			}
			if first == 0 {
				return false
			}
		}
	}
	if forks(0) {
		return Fork{Free: true, Liars: Sets{Of: of, First: [][]string{}}}
	}
	return Fork{Liars: smallest(of, names, forks)}
}

// note says what should be meant, or "".
func (f Fork) note() string {
	switch {
	case f.Liars.Many:
		return fmt.Sprintf("more than %d witnesses: who could fork the log was not searched", maxCosigners)
	case f.Free:
		return "two quorums need have nobody in common, so whoever holds the log's key could show somebody another log though no witness lies: ask for more than half"
	case f.Liars.Size == 1:
		return "with the log's key, one of these who cosigns two logs could show somebody another one: " + alternatives(f.Liars)
	}
	return ""
}

// text says it for explain.
func (f Fork) text() string {
	var b strings.Builder
	b.WriteString("To show somebody another log than all others see takes the log's key, and ")
	switch {
	case f.Liars.Many:
		fmt.Fprintf(&b, "nobody searched whom else: there are more than %d witnesses.\n", maxCosigners)
	case f.Free:
		b.WriteString("no witness has to lie: two quorums need have nobody in common.\n")
	default:
		fmt.Fprintf(&b, "%s who cosigned two logs, such as\n", quantity(f.Liars.Size, "witness", "witnesses"))
		for _, set := range f.Liars.First {
			fmt.Fprintf(&b, "  %s\n", strings.Join(set, " + "))
		}
		if more := f.Liars.Count - len(f.Liars.First); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	return b.String()
}
