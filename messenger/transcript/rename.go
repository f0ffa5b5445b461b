package transcript

import "slices"

// Rename calls a member by another name from now on. Messages keep their ids, which were made with the name of then; counters go on. What was cut
// stays under the name of then.
func (t *Transcript) Rename(old, to string) {
	rename := func(name *string) {
		if *name == old {
			*name = to
		}
	}
	rename(&t.self.Member)
	t.slots = map[slot][]ID{}
	for _, id := range t.order {
		n := t.nodes[id]
		rename(&n.author.Member)
		for i := range n.citing {
			rename(&n.citing[i].Member)
		}
		s := slot{n.author, n.counter}
		t.slots[s] = append(t.slots[s], id)
	}
	for _, g := range t.gaps {
		rename(&g.author)
		for i := range g.cut {
			rename(&g.cut[i].Member)
		}
		if !slices.Contains(g.citing, to) {
			for i := range g.citing {
				rename(&g.citing[i])
			}
		}
	}
	t.past.rename(old, to)
}
