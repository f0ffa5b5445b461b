package transcript

import (
	"cmp"
	"math"
	"slices"
)

// seen returns everything kept that the messages of a member acknowledge, directly or through what they answer, themselves included. What others
// forward in a member's name acknowledges nothing.
func (t *Transcript) seen(member string) map[ID]bool {
	seen := map[ID]bool{}
	var stack []ID
	for _, id := range t.order {
		if n := t.nodes[id]; n.author.Member == member && !n.forwarded {
			stack = append(stack, id)
		}
	}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n := t.nodes[id]; n != nil && !seen[id] {
			seen[id] = true
			stack = append(stack, n.parents...)
		}
	}
	return seen
}

// ConfirmedBy lists the members whose messages acknowledge id, its author included. Of a message that was cut: ConfirmedCut.
func (t *Transcript) ConfirmedBy(id ID, members []string) []string {
	var all []string
	for _, m := range members {
		if t.seen(m)[id] {
			all = append(all, m)
		}
	}
	return all
}

// Watermark returns the time up to which every other member has acknowledged every message we have: the timestamp of the last message
// before the first unconfirmed one, in the order of timestamps; 0 if there is none. While anything is missing here we
// cannot say more than up to what cites it. If the first unconfirmed one was cut, or is older than what was cut, it is the last millisecond before it at most.
func (t *Transcript) Watermark(members []string) uint64 {
	cut := t.cutMark(members)
	ordered := slices.Clone(t.order)
	slices.SortStableFunc(ordered, func(a, b ID) int { return cmp.Compare(t.nodes[a].timestamp, t.nodes[b].timestamp) })
	var views []map[ID]bool
	for _, m := range members {
		if m != t.self.Member {
			views = append(views, t.seen(m))
		}
	}
	mark := uint64(0)
	for _, id := range ordered {
		n := t.nodes[id]
		if n.lacks != 0 || slices.ContainsFunc(views, func(v map[ID]bool) bool { return !v[id] }) {
			return min(max(mark, min(cut, t.past.newest)), before(n.timestamp))
		}
		if n.timestamp > cut {
			break
		}
		mark = n.timestamp
	}
	return max(mark, min(cut, t.past.newest))
}

// cutMark is the time up to which every other member has acknowledged everything that was cut, and nothing is missing that it cites.
func (t *Transcript) cutMark(members []string) uint64 {
	if t.past.places == 0 {
		return math.MaxUint64
	}
	mark, upToDate := uint64(math.MaxUint64), t.upToDate()
	for _, m := range members {
		if m != t.self.Member && !upToDate[m] {
			mark = min(mark, t.past.reach[m].mark)
		}
	}
	for _, g := range t.gaps {
		if g.held > 0 {
			mark = min(mark, before(g.held))
		}
	}
	return mark
}
