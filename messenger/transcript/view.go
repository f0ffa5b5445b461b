package transcript

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/refusal"
)

// askAfter is how long a missing message may be late before it is asked for.
const askAfter = 2 * time.Minute

// maxGaps is how many missing messages one member can make us look for at a time. What a member cites beyond that is shown as missing, but
// not asked for: each request goes to three members, so inventing hashes must not pay.
const maxGaps = 100

// maxWitnesses is how many members, besides the author, are asked for a missing message.
const maxWitnesses = 2

// node is a message we have.
type node struct {
	id        ID
	author    Author
	counter   uint64
	timestamp uint64
	parents   []ID
	forwarded bool // by another member; its author has not sent it to us
}

// gap is a message that somebody cites and we do not have.
type gap struct {
	since  time.Time
	citing []string // members, in order of their citing
	asked  bool
	due    bool // asked for again, whatever its age; not stored, as a restart is a new connection
}

// slot is what an author can fill once.
type slot struct {
	author  Author
	counter uint64
}

// Transcript is the view of one device on one group. Use New.
type Transcript struct {
	self    Author
	nodes   map[ID]*node
	order   []ID // of arrival
	slots   map[slot][]ID
	cited   map[ID]bool // has a child
	gaps    map[ID]*gap
	before  map[ID]bool // sent before we were a member: never missing
	last    ID          // our own previous message
	counter uint64      // of our own
}

// New starts a view. Before are the heads at the time we joined, as the member who added us says: nobody reports them missing.
func New(self Author, before ...ID) *Transcript {
	t := &Transcript{self: self, nodes: map[ID]*node{}, slots: map[slot][]ID{}, cited: map[ID]bool{}, gaps: map[ID]*gap{}, before: map[ID]bool{}}
	for _, id := range before {
		t.before[id] = true
	}
	return t
}

// Next fills in the fields of our own next message that belong to the transcript: author, counter, parents. The caller adds group, text,
// nonce and membership, and then takes it in with Add before it is sent.
func (t *Transcript) Next(m *Message) {
	m.Author, m.Counter, m.Parents = t.self, t.counter+1, nil
	if t.counter > 0 {
		m.Parents = append(m.Parents, t.last)
	}
	// The newest heads; what does not fit is cited by somebody else's next message.
	for _, id := range slices.Backward(t.order) {
		if len(m.Parents) == MaxParents {
			break
		}
		if !t.cited[id] && !slices.Contains(m.Parents, id) {
			m.Parents = append(m.Parents, id)
		}
	}
}

// Notice is what a person should be told about one message, beyond the message itself. The zero value is the normal case.
type Notice struct {
	ID      ID
	Missing []ID // this message answers messages that have not arrived
	Filled  []ID // messages that waited for this one and wait no longer
	// Equivocation names other messages of the same author under the same number: the author told different members different things.
	// That is certain if Vouchers knows nobody for any of them; otherwise those members may have made it up.
	Equivocation []ID
}

// Add takes in a message that came from its author, authenticated, or that we send ourselves as Next has filled it in. A message we have is
// a duplicate, unless we had it from others only: then its author has now said so itself, and there is nothing else to tell.
func (t *Transcript) Add(m *Message, now time.Time) (Notice, error) {
	if err := m.check(); err != nil {
		return Notice{}, err
	}
	if m.Author == t.self && m.Counter != t.counter+1 {
		return Notice{}, refusal.Because(refusal.InvalidMessage, "transcript: message %d in our name, our next is %d", m.Counter, t.counter+1)
	}
	id := m.ID()
	if n := t.nodes[id]; n != nil && n.forwarded {
		n.forwarded = false
		return Notice{ID: id}, nil
	}
	return t.add(m, id, false, now)
}

// AddForwarded takes in a message that another member sent on. Its author did not authenticate it to us, so it must be one that was
// cited to us: then its hash vouches for every bit. But only as far as those who cite it are honest (Vouchers): who cites a message of
// his own invention can put words, and an equivocation, into another's mouth. Our own messages are known to us, and not taken from others.
func (t *Transcript) AddForwarded(m *Message, now time.Time) (Notice, error) {
	if err := m.check(); err != nil {
		return Notice{}, err
	}
	id := m.ID()
	switch _, wanted := t.gaps[id]; {
	case m.Author == t.self:
		return Notice{}, refusal.Because(refusal.InvalidMessage, "transcript: forwarded message %s in our name", id)
	case !wanted && t.nodes[id] == nil:
		return Notice{}, refusal.Because(refusal.InvalidMessage, "transcript: forwarded message %s was cited by nobody", id)
	}
	return t.add(m, id, true, now)
}

// Vouchers lists, in order of arrival, the members on whose word alone we have a message: those who cite it. It is nil for a message
// that its author has sent us, or cites in what it has sent us. A person must be told the difference, above all before an
// author is called a liar for an equivocation.
func (t *Transcript) Vouchers(id ID) (members []string) {
	said := t.nodes[id]
	if said == nil || !said.forwarded {
		return nil
	}
	for _, o := range t.order {
		n := t.nodes[o]
		switch {
		case n.forwarded || !slices.Contains(n.parents, id):
		case n.author == said.author:
			return nil
		case !slices.Contains(members, n.author.Member):
			members = append(members, n.author.Member)
		}
	}
	return members
}

func (t *Transcript) add(m *Message, id ID, forwarded bool, now time.Time) (Notice, error) {
	if t.nodes[id] != nil {
		return Notice{}, refusal.Because(refusal.Duplicate, "transcript: message %s", id)
	}
	if len(t.order) == maxStored {
		return Notice{}, fmt.Errorf("transcript: %d messages, and no room for more", maxStored)
	}
	n := Notice{ID: id}
	t.nodes[id] = &node{id, m.Author, m.Counter, m.Timestamp, slices.Clone(m.Parents), forwarded}
	t.order = append(t.order, id)
	for _, p := range m.Parents {
		t.cited[p] = true
		if t.nodes[p] == nil && !t.before[p] {
			n.Missing = append(n.Missing, p)
			t.cite(p, m.Author.Member, now)
		}
	}
	if t.gaps[id] != nil {
		delete(t.gaps, id)
		n.Filled = t.waitingFor(id)
	}
	s := slot{m.Author, m.Counter}
	n.Equivocation = slices.Clone(t.slots[s])
	t.slots[s] = append(t.slots[s], id)
	if m.Author == t.self {
		t.last, t.counter = id, max(t.counter, m.Counter)
	}
	return n, nil
}

func (t *Transcript) cite(missing ID, by string, now time.Time) {
	g := t.gaps[missing]
	if g == nil {
		if t.gapsOf(by) >= maxGaps {
			return
		}
		g = &gap{since: now}
		t.gaps[missing] = g
	}
	if !slices.Contains(g.citing, by) {
		g.citing = append(g.citing, by)
	}
}

// gapsOf counts the gaps that a member was the first to open.
func (t *Transcript) gapsOf(member string) (n int) {
	for _, g := range t.gaps {
		if g.citing[0] == member {
			n++
		}
	}
	return n
}

// waitingFor lists the messages that cite id and whose parents are now all there.
func (t *Transcript) waitingFor(id ID) (all []ID) {
	for _, o := range t.order {
		if n := t.nodes[o]; slices.Contains(n.parents, id) && len(t.missing(n)) == 0 {
			all = append(all, o)
		}
	}
	return all
}

func (t *Transcript) missing(n *node) (all []ID) {
	for _, p := range n.parents {
		if t.nodes[p] == nil && !t.before[p] {
			all = append(all, p)
		}
	}
	return all
}

// Request asks members for a message, in this order. Its author is not known until it is here; who cites it has it.
type Request struct {
	ID     ID
	Ask    []string // the first is the one most likely to be its author, if anybody can be
	Waited time.Duration
}

// Due returns what to ask for: once two minutes after a gap was noticed, and again at the next connection (Reconnected).
func (t *Transcript) Due(now time.Time) []Request {
	var all []Request
	for id, g := range t.gaps {
		if waited := now.Sub(g.since); g.due || !g.asked && waited >= askAfter {
			g.asked, g.due = true, false
			all = append(all, Request{id, t.whom(id, g), waited})
		}
	}
	slices.SortFunc(all, func(a, b Request) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all
}

// Reconnected makes every gap due again.
func (t *Transcript) Reconnected() {
	for _, g := range t.gaps {
		g.due = true
	}
}

// whom lists the member whose own previous message it must be, if one cites it as that, and then up to two who cited it.
func (t *Transcript) whom(id ID, g *gap) []string {
	var ask []string
	for _, o := range t.order {
		n := t.nodes[o]
		if n.counter > 1 && len(n.parents) > 0 && n.parents[0] == id {
			ask = append(ask, n.author.Member)
			break
		}
	}
	for _, c := range g.citing {
		if len(ask) > maxWitnesses {
			break
		}
		if !slices.Contains(ask, c) && c != t.self.Member {
			ask = append(ask, c)
		}
	}
	return ask
}

// Has tells whether we have a message, and may send it on to a member who asks.
func (t *Transcript) Has(id ID) bool { return t.nodes[id] != nil }

// Missing lists what somebody cites and we do not have.
func (t *Transcript) Missing() []ID {
	return sorted(t.gaps)
}

func sorted[T any](m map[ID]T) []ID {
	return slices.SortedFunc(maps.Keys(m), func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
}

// Rename calls a member by another name from now on. Messages keep their ids, which were made with the name of then; counters go on.
func (t *Transcript) Rename(old, to string) {
	if t.self.Member == old {
		t.self.Member = to
	}
	t.slots = map[slot][]ID{}
	for _, id := range t.order {
		n := t.nodes[id]
		if n.author.Member == old {
			n.author.Member = to
		}
		s := slot{n.author, n.counter}
		t.slots[s] = append(t.slots[s], id)
	}
	for _, g := range t.gaps {
		for i, name := range g.citing {
			if name == old && !slices.Contains(g.citing, to) {
				g.citing[i] = to
			}
		}
	}
}
