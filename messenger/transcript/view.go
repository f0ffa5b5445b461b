package transcript

import (
	"bytes"
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
	forwarded bool     // by another member; its author has not sent it to us
	lacks     lacking  // which of its parents are missing
	citing    []Author // of a forwarded one: as gap.cut, of messages that were cut before it came
}

// lacking has bit i set if parent i of a message has not come.
type lacking uint8

// gap is a message that somebody cites and we do not have.
type gap struct {
	since  time.Time
	citing []string // members, in order of their citing
	author string   // the member whose own previous message it must be; empty: nobody cites it as that
	asked  bool
	due    bool     // asked for again, whatever its age; not stored, as a restart is a new connection
	cut    []Author // on whose word messages that were cut cite it (words.citing)
	held   uint64   // the lowest timestamp of messages that were cut and cite it; 0 if there is none
}

// slot is what an author can fill once.
type slot struct {
	author  Author
	counter uint64
}

// Transcript is the view of one device on one group. Use New.
type Transcript struct {
	// Archive finds what was cut. Nil, as with a new Transcript: nothing of it is known.
	Archive Archive

	self    Author
	nodes   map[ID]*node // that are kept
	order   []ID         // of arrival
	slots   map[slot][]ID
	gaps    map[ID]*gap
	before  map[ID]bool // sent before we were a member: never missing
	last    ID          // our own previous message
	counter uint64      // of our own
	past    past
	cut     []Cut // since TakeCut
	window  int   // how many messages are kept
}

// New starts a view. Before are the heads at the time we joined, as the member who added us says: nobody reports them missing.
func New(self Author, before ...ID) *Transcript {
	t := &Transcript{self: self, nodes: map[ID]*node{}, slots: map[slot][]ID{}, gaps: map[ID]*gap{}, before: map[ID]bool{}, past: newPast(), window: Window}
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
	// The newest heads; what does not fit is cited by somebody else's next message. Those that nobody has answered in the whole of a window come last.
	cited := t.cited()
	for _, heads := range [][]ID{t.order, t.past.frontier} {
		for _, id := range slices.Backward(heads) {
			if len(m.Parents) < MaxParents && !cited[id] && !slices.Contains(m.Parents, id) {
				m.Parents = append(m.Parents, id)
			}
		}
	}
}

// cited are the messages that a kept one names as parents.
func (t *Transcript) cited() map[ID]bool {
	cited := map[ID]bool{}
	for _, n := range t.nodes {
		for _, p := range n.parents {
			cited[p] = true
		}
	}
	return cited
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

func (t *Transcript) add(m *Message, id ID, forwarded bool, now time.Time) (Notice, error) {
	missing, equivocation, err := t.lookUp(m, id)
	if err != nil {
		return Notice{}, err
	}
	n := &node{id: id, author: m.Author, counter: m.Counter, timestamp: m.Timestamp, parents: slices.Clone(m.Parents), forwarded: forwarded}
	notice := Notice{ID: id, Equivocation: equivocation}
	t.trim(t.window - 1)
	t.keep(n)
	for i, p := range n.parents {
		if missing[i] {
			n.lacks |= 1 << i
			notice.Missing = append(notice.Missing, p)
			t.cite(p, n, now)
		}
	}
	filled := t.cameIn(id)
	if g := t.gaps[id]; g != nil {
		delete(t.gaps, id)
		notice.Filled = filled
		if forwarded {
			n.citing = g.cut
		}
	}
	if m.Author == t.self {
		t.last, t.counter = id, max(t.counter, m.Counter)
	}
	return notice, nil
}

// lookUp tells which parents of a message are missing, and what else its author has said under its number. A message that was there is a duplicate.
func (t *Transcript) lookUp(m *Message, id ID) (missing [MaxParents]bool, equivocation []ID, err error) {
	_, wanted := t.gaps[id]
	duplicate := t.nodes[id] != nil
	equivocation = slices.Clone(t.slots[slot{m.Author, m.Counter}])
	if t.Archive != nil && !duplicate {
		if !wanted {
			if duplicate, err = t.Archive.WasCut(id); err != nil {
				return missing, nil, err
			}
		}
		cut, err := t.Archive.Under(m.Author, m.Counter)
		if err != nil {
			return missing, nil, err
		}
		equivocation = append(cut, equivocation...)
	}
	if duplicate {
		return missing, nil, refusal.Because(refusal.Duplicate, "transcript: message %s", id)
	}
	for i, p := range m.Parents {
		if t.nodes[p] != nil || t.before[p] {
			continue
		}
		known := false
		if t.Archive != nil && t.gaps[p] == nil {
			if known, err = t.Archive.Knows(p); err != nil {
				return missing, nil, err
			}
		}
		missing[i] = !known
	}
	return missing, equivocation, nil
}

func (t *Transcript) keep(n *node) {
	t.nodes[n.id] = n
	t.order = append(t.order, n.id)
	s := slot{n.author, n.counter}
	t.slots[s] = append(t.slots[s], n.id)
}

// cite notes that a message we do not have is a parent of n.
func (t *Transcript) cite(missing ID, n *node, now time.Time) {
	by := n.author.Member
	g := t.gaps[missing]
	if g == nil {
		if t.gapsOf(by) >= maxGaps {
			return
		}
		g = &gap{since: now}
		t.gaps[missing] = g
	}
	if g.author == "" && n.follows(missing) {
		g.author = by
	}
	if !slices.Contains(g.citing, by) {
		g.citing = append(g.citing, by)
	}
}

// follows tells whether id is its author's own previous message, as the author says.
func (n *node) follows(id ID) bool { return n.counter > 1 && len(n.parents) > 0 && n.parents[0] == id }

// gapsOf counts the gaps that a member was the first to open.
func (t *Transcript) gapsOf(member string) (n int) {
	for _, g := range t.gaps {
		if g.citing[0] == member {
			n++
		}
	}
	return n
}

// cameIn strikes a message from what the others lack, and lists those that lack nothing more.
func (t *Transcript) cameIn(id ID) (whole []ID) {
	for _, o := range t.order {
		n := t.nodes[o]
		for i, p := range n.parents {
			if p != id || n.lacks&(1<<i) == 0 {
				continue
			}
			if n.lacks &^= 1 << i; n.lacks == 0 {
				whole = append(whole, o)
			}
		}
	}
	return whole
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
			all = append(all, Request{id, t.whom(g), waited})
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
func (t *Transcript) whom(g *gap) (ask []string) {
	if g.author != "" {
		ask = append(ask, g.author)
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

// Has tells whether a message is kept.
func (t *Transcript) Has(id ID) bool { return t.nodes[id] != nil }

// Missing lists what somebody cites and we do not have.
func (t *Transcript) Missing() []ID {
	return sorted(t.gaps)
}

func sorted[T any](m map[ID]T) []ID {
	return slices.SortedFunc(maps.Keys(m), func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
}
