package transcript

import "slices"

// Vouchers lists, in order of arrival, those first whose messages were cut, the members on whose word alone we have a message that is kept: those who cite it, or who cite a forwarded one that
// does. It is nil for a message that its author has sent us, or cites in what is his own word. A person must be told the difference, above all before an
// author is called a liar for an equivocation.
func (t *Transcript) Vouchers(id ID) (members []string) {
	n := t.nodes[id]
	if n == nil || !n.forwarded {
		return nil
	}
	for _, a := range t.words().of(n) {
		if a == n.author {
			return nil
		}
		if !slices.Contains(members, a.Member) {
			members = append(members, a.Member)
		}
	}
	return members
}

// words finds on whose word we have messages.
type words struct {
	t    *Transcript
	have map[ID][]Author // found out already
}

func (t *Transcript) words() words { return words{t, map[ID][]Author{}} }

// of is the author alone, if he has sent a message himself or cites it, and otherwise who vouches for it.
func (w words) of(n *node) []Author {
	own := []Author{n.author}
	if !n.forwarded {
		return own
	}
	if have, ok := w.have[n.id]; ok {
		return have
	}
	w.have[n.id] = nil // hashes make no circles; a stored form that does is none of ours, and ends here
	all := slices.Clone(n.citing)
	for _, o := range w.t.order {
		by := w.t.nodes[o]
		if !slices.Contains(by.parents, n.id) {
			continue
		}
		all = append(all, w.citing(by)...)
	}
	if slices.Contains(all, n.author) {
		all = own
	}
	w.have[n.id] = all
	return all
}

// citing is on whose word n names its parents. Who vouches for n only does not say it of what is his own: of him only the name is there.
func (w words) citing(n *node) []Author {
	all := slices.Clone(w.of(n))
	for i, a := range all {
		if a != n.author {
			all[i] = Author{Member: a.Member}
		}
	}
	return all
}
