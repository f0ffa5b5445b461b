package transcript

import (
	"maps"
	"slices"
)

// past sums up what was cut: how far each member has acknowledged it. What a member has acknowledged is never overstated; who has fallen silent
// for longer than the window, and goes on, is up to date again as soon as what he sends answers the newest that was cut, directly or through others.
type past struct {
	places   uint64           // how many messages were cut
	newest   uint64           // their highest timestamp
	frontier []ID             // those that no other of them answers, in the order of the cuts
	reach    map[string]reach // by member; one who is not there has acknowledged none
}

// reach is what a member has acknowledged of what was cut.
type reach struct {
	place uint64 // the first so many, without exception
	mark  uint64 // everything up to this timestamp
}

// Bounds of what is kept of the past. Frontiers are as wide as the group was split; a group has at most 150 members at a time.
const (
	maxFrontier = 64
	maxReach    = 1024
)

func newPast() past { return past{reach: map[string]reach{}} }

// leave moves a message from what is kept into the past.
func (t *Transcript) leave(n *node) {
	p, seers := &t.past, t.seers(n.id)
	upToDate := t.upToDate()
	for _, m := range t.speakers() {
		r := p.reach[m]
		if upToDate[m] {
			r = reach{p.places, p.newest}
		}
		if r.place == p.places && seers[m] {
			r = reach{p.places + 1, max(p.newest, n.timestamp)}
		} else {
			r.mark = min(r.mark, before(n.timestamp))
		}
		if r.place > 0 {
			p.reach[m] = r
		} else {
			delete(p.reach, m)
		}
	}
	p.places++
	p.newest = max(p.newest, n.timestamp)
	p.frontier = append(slices.DeleteFunc(p.frontier, func(id ID) bool { return slices.Contains(n.parents, id) }), n.id)
	p.frontier = p.frontier[max(0, len(p.frontier)-maxFrontier):]
	p.forget()
}

// forget drops who has acknowledged least, if there are too many.
func (p *past) forget() {
	if len(p.reach) <= maxReach {
		return
	}
	least := slices.MinFunc(slices.Sorted(maps.Keys(p.reach)), func(a, b string) int {
		x, y := p.reach[a].place, p.reach[b].place
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	delete(p.reach, least)
}

func (p *past) rename(old, to string) {
	if r, ok := p.reach[old]; ok {
		delete(p.reach, old)
		if r.place > p.reach[to].place {
			p.reach[to] = r
		}
	}
}

// before is the last millisecond before a timestamp.
func before(timestamp uint64) uint64 { return timestamp - min(timestamp, 1) }

// speakers are the members who have said something, as far as it is known.
func (t *Transcript) speakers() []string {
	all := map[string]bool{}
	for m := range t.past.reach {
		all[m] = true
	}
	for _, n := range t.nodes {
		if !n.forwarded {
			all[n.author.Member] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// seers are the members whose kept messages are this one or acknowledge it, directly or through others. The message itself need not be kept.
func (t *Transcript) seers(id ID) map[string]bool {
	above := map[ID]bool{id: true}
	for more := true; more; { // once, and once again, unless messages came long before what they answer
		more = false
		for _, o := range t.order {
			if !above[o] && slices.ContainsFunc(t.nodes[o].parents, func(p ID) bool { return above[p] }) {
				above[o], more = true, true
			}
		}
	}
	seers := map[string]bool{}
	for o := range above {
		if n := t.nodes[o]; n != nil && !n.forwarded {
			seers[n.author.Member] = true
		}
	}
	return seers
}

// upToDate are the members who have acknowledged everything that was cut.
func (t *Transcript) upToDate() map[string]bool {
	all := map[string]bool{}
	for _, m := range t.speakers() {
		all[m] = true
	}
	for _, id := range t.past.frontier {
		seers := t.seers(id)
		maps.DeleteFunc(all, func(m string, _ bool) bool { return !seers[m] })
	}
	for m, r := range t.past.reach {
		if r.place == t.past.places {
			all[m] = true
		}
	}
	return all
}

// ConfirmedCut lists the members who have acknowledged a message that was cut, as ConfirmedBy does.
func (t *Transcript) ConfirmedCut(c Cut, members []string) (all []string) {
	upToDate := t.upToDate()
	for _, m := range members {
		if upToDate[m] || c.Place <= t.past.reach[m].place || m == c.Author.Member && len(c.Vouchers) == 0 {
			all = append(all, m)
		}
	}
	return all
}
