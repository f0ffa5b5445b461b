package transcript

import "slices"

// Window is how many messages a Transcript keeps. It is read and written with each message of the group, so it must not grow with the group's age.
// What is older is cut off, and is found in the Archive: with it nothing that Add tells depends on the cut, save that of messages
// that were cut nobody hears that they wait no longer. What they have confirmed, past knows.
const Window = 512

// maxHeads is how many heads, messages that nobody has answered, a cut passes over. Whoever has not spoken since they came would never acknowledge them.
const maxHeads = 64

// Cut is a message that is kept no more.
type Cut struct {
	ID       ID
	Author   Author
	Counter  uint64
	Place    uint64   // how many were cut up to here, itself included
	Vouchers []string // as Transcript.Vouchers has it
}

// Archive finds messages that were cut, and others that are here without the transcript's doing, such as from before a device was linked.
// An error of it is passed on, and then nothing has changed.
type Archive interface {
	// WasCut tells whether a message was cut.
	WasCut(ID) (bool, error)
	// Knows tells whether it was cut or is here otherwise: then nobody misses it.
	Knows(ID) (bool, error)
	// Under lists what was cut under an author's number, in the order of the cuts.
	Under(a Author, counter uint64) ([]ID, error)
}

// TakeCut returns what was cut since it was last called. Whoever stores the transcript puts it into the archive before, in the same transaction.
func (t *Transcript) TakeCut() []Cut {
	cut := t.cut
	t.cut = nil
	return cut
}

// HasCut tells whether TakeCut has something to return.
func (t *Transcript) HasCut() bool { return len(t.cut) > 0 }

// trim cuts until no more than so many are kept.
func (t *Transcript) trim(most int) {
	for len(t.order) > most {
		t.cutOff(t.nodes[t.oldest()])
	}
}

// oldest is the message to cut next: the first to arrive of those somebody has answered, or what it answers itself and came later. So a message is cut only
// after all that it answers, and what is kept answers what was cut, never the other way round, but for what is still missing.
func (t *Transcript) oldest() ID {
	cited, heads := t.cited(), 0
	for _, id := range t.order {
		if !cited[id] {
			heads++
		}
	}
	for _, id := range t.order {
		if cited[id] || heads > maxHeads {
			return t.beneath(id)
		}
	}
	return t.order[0]
}

// beneath goes down from a message to one that answers nothing that is kept. Hashes make no circles; a stored form that does is none of ours, and ends it too.
func (t *Transcript) beneath(id ID) ID {
	for range t.order {
		i := slices.IndexFunc(t.nodes[id].parents, func(p ID) bool { return t.nodes[p] != nil })
		if i < 0 {
			break
		}
		id = t.nodes[id].parents[i]
	}
	return id
}

func (t *Transcript) cutOff(n *node) {
	t.leave(n)
	t.cut = append(t.cut, Cut{n.id, n.author, n.counter, t.past.places, t.Vouchers(n.id)})
	for i, p := range n.parents {
		if g := t.gaps[p]; g != nil && n.lacks&(1<<i) != 0 {
			g.lose(n, t.words().citing(n))
		}
	}
	s := slot{n.author, n.counter}
	t.slots[s] = slices.DeleteFunc(t.slots[s], func(id ID) bool { return id == n.id })
	if len(t.slots[s]) == 0 {
		delete(t.slots, s)
	}
	delete(t.nodes, n.id)
	i := slices.Index(t.order, n.id)
	t.order = slices.Delete(t.order, i, i+1)
}

// lose keeps of a message that is cut what it says of a gap: on whose word it says so, and that nobody can have seen everything later than that.
func (g *gap) lose(n *node, word []Author) {
	for _, a := range word {
		if !slices.Contains(g.cut, a) {
			g.cut = append(g.cut, a)
		}
	}
	if g.held == 0 || n.timestamp < g.held {
		g.held = n.timestamp
	}
}
