package main

import (
	"math/bits"
	"slices"
)

// maxUnits bounds the search for smallest sets: 2^18 of them are looked at in a fraction of a second.
const maxUnits = 18

// Sets are the smallest sets of people, organisations or countries that could do something.
type Sets struct {
	Of    string     `json:"of"`             // "people", "organisations" or "countries"
	Size  int        `json:"size"`           // how many there are in each; 0: not even all together could
	Count int        `json:"count"`          // how many such sets there are
	First [][]string `json:"first"`          // the first of them
	Many  bool       `json:"many,omitempty"` // there are too many people to search
}

// firstSets is how many sets are listed by name.
const firstSets = 6

// smallest searches the sets of units, small ones first, and returns those of the least size for which ok
// holds. There are at most maxUnits. ok must be monotone: more units never make it false.
func smallest(of string, units []string, ok func(set uint32) bool) Sets {
	s := Sets{Of: of, First: [][]string{}}
	if all := uint32(1)<<len(units) - 1; !ok(all) {
		return s
	}
	for size := 1; size <= len(units); size++ {
		for set := range combinations(len(units), size) {
			if !ok(set) {
				continue
			}
			s.Size = size
			if s.Count++; len(s.First) < firstSets {
				s.First = append(s.First, namesOf(units, set))
			}
		}
		if s.Size > 0 {
			break
		}
	}
	return s
}

// combinations yields all sets of so many out of n, n up to 31.
func combinations(n, size int) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for set := uint32(1)<<size - 1; set < 1<<n; {
			if !yield(set) {
				return
			}
			low := set & -set // the next larger number with as many bits set
			up := set + low
			set = up | (set^up)/low>>2
		}
	}
}

func namesOf(units []string, set uint32) []string {
	var list []string
	for ; set != 0; set &= set - 1 {
		list = append(list, units[bits.TrailingZeros32(set)])
	}
	return list
}

// widen turns sets of wider units, such as countries, into sets of people.
func widen(people []unit, of func(unit) string) (units []string, members []uint32) {
	for i, p := range people {
		name := of(p)
		if name == "" {
			name = p.Name // nobody knows where this witness belongs: it stands for itself
		}
		n := slices.Index(units, name)
		if n < 0 {
			n = len(units)
			units, members = append(units, name), append(members, 0)
		}
		members[n] |= 1 << i
	}
	return units, members
}

// union returns the people of a set of wider units.
func union(members []uint32, set uint32) (people uint32) {
	for ; set != 0; set &= set - 1 {
		people |= members[bits.TrailingZeros32(set)]
	}
	return people
}
