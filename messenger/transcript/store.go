package transcript

import (
	"bytes"
	"time"

	"github.com/countersign-project/countersign/messenger/record"
)

// Stored form, version 2, in the terms of package record; names have their length before them, at most 256 bytes:
//
//	version u8 ‖ self: author
//	before: u32 count ‖ ids, ascending
//	messages: u32 count ‖ each, in order of arrival: id 32 ‖ author ‖ counter u64 ‖ timestamp u64 ‖ forwarded bool ‖ parents u32 count ‖ ids
//	gaps: u32 count ‖ each, ascending by id: id ‖ since u64 (Unix nanoseconds) ‖ asked bool ‖ citing u32 count, at least 1 ‖ names
//
// author: name ‖ device u32 ‖ install u64. Everything else follows from these. It holds no secret, but says who wrote when.
// Version 1, which no release has written, did not say what was forwarded; it is refused.
const (
	storeVersion = 2
	maxName      = 256
	maxStored    = 1 << 20
)

// Marshal returns the stored form.
func (t *Transcript) Marshal() []byte {
	var w record.Writer
	author := func(a Author) {
		w.Var([]byte(a.Member))
		w.U32(a.Device)
		w.U64(a.Install)
	}
	w.U8(storeVersion)
	author(t.self)
	before := sorted(t.before)
	w.U32(uint32(len(before)))
	for _, id := range before {
		w.Fixed(id[:])
	}
	w.U32(uint32(len(t.order)))
	for _, id := range t.order {
		n := t.nodes[id]
		w.Fixed(id[:])
		author(n.author)
		w.U64(n.counter)
		w.U64(n.timestamp)
		w.Bool(n.forwarded)
		w.U32(uint32(len(n.parents)))
		for _, p := range n.parents {
			w.Fixed(p[:])
		}
	}
	gaps := t.Missing()
	w.U32(uint32(len(gaps)))
	for _, id := range gaps {
		g := t.gaps[id]
		w.Fixed(id[:])
		w.U64(uint64(g.since.UnixNano()))
		w.Bool(g.asked)
		w.U32(uint32(len(g.citing)))
		for _, c := range g.citing {
			w.Var([]byte(c))
		}
	}
	return w.Bytes()
}

// Unmarshal reads a stored form.
func Unmarshal(b []byte) (*Transcript, error) {
	r := record.NewReader(b)
	if v := r.U8(); v != storeVersion {
		r.Failf("transcript of version %d, want %d", v, storeVersion)
	}
	t := New(readAuthor(r))
	var last ID
	for i := range r.Count(maxStored) {
		id := readAscending(r, i, &last)
		if r.Err() != nil {
			return nil, r.Err()
		}
		t.before[id] = true
	}
	for range r.Count(maxStored) {
		n := readNode(r)
		if t.nodes[n.id] != nil {
			r.Failf("message %s twice", n.id)
		}
		if r.Err() != nil {
			return nil, r.Err()
		}
		t.restore(n)
	}
	for i := range r.Count(maxStored) {
		id := readAscending(r, i, &last)
		if t.nodes[id] != nil || t.before[id] {
			r.Failf("message %s is there and missing", id)
		}
		t.gaps[id] = readGap(r)
		if r.Err() != nil {
			return nil, r.Err()
		}
	}
	return t, r.End()
}

func readAuthor(r *record.Reader) Author {
	return Author{string(r.Var(maxName)), r.U32(), r.U64()}
}

// readAscending takes entry number i of a list of ids, and wants it to be beyond the last.
func readAscending(r *record.Reader, i int, last *ID) ID {
	id := ID(r.Fixed(len(ID{})))
	if i > 0 && bytes.Compare(id[:], last[:]) <= 0 {
		r.Failf("ids out of order")
	}
	*last = id
	return id
}

func readNode(r *record.Reader) *node {
	n := &node{id: ID(r.Fixed(len(ID{}))), author: readAuthor(r), counter: r.U64(), timestamp: r.U64(), forwarded: r.Bool()}
	for range r.Count(MaxParents) {
		n.parents = append(n.parents, ID(r.Fixed(len(ID{}))))
	}
	return n
}

func readGap(r *record.Reader) *gap {
	g := &gap{since: time.Unix(0, int64(r.U64())).UTC(), asked: r.Bool()}
	for range r.Count(maxStored) {
		g.citing = append(g.citing, string(r.Var(maxName)))
		if r.Err() != nil {
			return g
		}
	}
	if len(g.citing) == 0 {
		r.Failf("a gap that nobody cites")
	}
	return g
}

func (t *Transcript) restore(n *node) {
	t.nodes[n.id] = n
	t.order = append(t.order, n.id)
	for _, p := range n.parents {
		t.cited[p] = true
	}
	s := slot{n.author, n.counter}
	t.slots[s] = append(t.slots[s], n.id)
	if n.author == t.self { // never forwarded
		t.last, t.counter = n.id, max(t.counter, n.counter)
	}
}
