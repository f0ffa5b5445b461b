package transcript

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/record"
)

// Stored form, version 3, in the terms of package record; names have their length before them, at most 256 bytes:
//
//	version u8 ‖ self: author ‖ our last message 32 ‖ our counter u64
//	past: places u64 ‖ newest u64 ‖ frontier u32 count ‖ ids ‖ reach u32 count ‖ each, ascending by name: name ‖ place u64, at least 1 ‖ mark u64
//	before: u32 count ‖ ids, ascending
//	messages: u32 count ‖ each, in order of arrival: id 32 ‖ author ‖ counter u64 ‖ timestamp u64 ‖ forwarded bool ‖ parents u32 count ‖ ids ‖
//		lacks u8 ‖ citing: authors
//	gaps: u32 count ‖ each, ascending by id: id ‖ since u64 (Unix nanoseconds) ‖ asked bool ‖ author: name, may be empty ‖
//		citing u32 count, at least 1 ‖ names ‖ cut: authors ‖ held u64
//
// author: name ‖ device u32 ‖ install u64; authors: u32 count ‖ each. Everything else follows from these. It holds no secret, but says who wrote when.
// It is as long as the window, whatever the age of the group. Version 2 kept everything (readAll). Version 1, which no release has
// written, did not say what was forwarded; it is refused.
const (
	storeVersion = 3
	keptAll      = 2 // the version
	maxName      = 256
	maxStored    = 1 << 20
)

// Marshal returns the stored form. What was cut is not in it (TakeCut).
func (t *Transcript) Marshal() []byte {
	var w record.Writer
	w.U8(storeVersion)
	writeAuthor(&w, t.self)
	w.Fixed(t.last[:])
	w.U64(t.counter)
	t.past.write(&w)
	writeIDs(&w, sorted(t.before))
	w.U32(uint32(len(t.order)))
	for _, id := range t.order {
		t.nodes[id].write(&w)
	}
	gaps := t.Missing()
	w.U32(uint32(len(gaps)))
	for _, id := range gaps {
		w.Fixed(id[:])
		t.gaps[id].write(&w)
	}
	return w.Bytes()
}

func (p *past) write(w *record.Writer) {
	w.U64(p.places)
	w.U64(p.newest)
	writeIDs(w, p.frontier)
	w.U32(uint32(len(p.reach)))
	for _, m := range slices.Sorted(maps.Keys(p.reach)) {
		w.Var([]byte(m))
		w.U64(p.reach[m].place)
		w.U64(p.reach[m].mark)
	}
}

func (n *node) write(w *record.Writer) {
	w.Fixed(n.id[:])
	writeAuthor(w, n.author)
	w.U64(n.counter)
	w.U64(n.timestamp)
	w.Bool(n.forwarded)
	writeIDs(w, n.parents)
	w.U8(uint8(n.lacks))
	writeAuthors(w, n.citing)
}

func (g *gap) write(w *record.Writer) {
	w.U64(uint64(g.since.UnixNano()))
	w.Bool(g.asked)
	w.Var([]byte(g.author))
	w.U32(uint32(len(g.citing)))
	for _, c := range g.citing {
		w.Var([]byte(c))
	}
	writeAuthors(w, g.cut)
	w.U64(g.held)
}

func writeIDs(w *record.Writer, ids []ID) {
	w.U32(uint32(len(ids)))
	for _, id := range ids {
		w.Fixed(id[:])
	}
}

func writeAuthor(w *record.Writer, a Author) {
	w.Var([]byte(a.Member))
	w.U32(a.Device)
	w.U64(a.Install)
}

func writeAuthors(w *record.Writer, list []Author) {
	w.U32(uint32(len(list)))
	for _, a := range list {
		writeAuthor(w, a)
	}
}

// Unmarshal reads a stored form. If it is of before anything was cut, what it has beyond the window is cut at once.
func Unmarshal(b []byte) (*Transcript, error) {
	r := record.NewReader(b)
	switch v := r.U8(); v {
	case storeVersion:
	case keptAll:
		return readAll(r, Window)
	default:
		r.Failf("transcript of version %d, want %d", v, storeVersion)
	}
	t := New(readAuthor(r))
	t.last, t.counter = ID(r.Fixed(len(ID{}))), r.U64()
	t.past = readPast(r)
	t.readBefore(r)
	for range r.Count(Window) {
		n := readNode(r)
		n.lacks, n.citing = lacking(r.U8()), readAuthors(r)
		if t.nodes[n.id] != nil {
			r.Failf("message %s twice", n.id)
		}
		if n.lacks>>len(n.parents) != 0 {
			r.Failf("message %s lacks parents that it has not", n.id)
		}
		if r.Err() != nil {
			return nil, r.Err()
		}
		t.keep(n)
	}
	if err := t.readGaps(r, func(r *record.Reader) *gap {
		g := &gap{since: time.Unix(0, int64(r.U64())).UTC(), asked: r.Bool(), author: string(r.Var(maxName))}
		g.citing, g.cut, g.held = readNames(r), readAuthors(r), r.U64()
		return g
	}); err != nil {
		return nil, err
	}
	return t, r.End()
}

func readPast(r *record.Reader) past {
	p := newPast()
	p.places, p.newest = r.U64(), r.U64()
	for range r.Count(maxFrontier) {
		p.frontier = append(p.frontier, ID(r.Fixed(len(ID{}))))
	}
	last := ""
	for i := range r.Count(maxReach) {
		name, place, mark := string(r.Var(maxName)), r.U64(), r.U64()
		if i > 0 && name <= last || place == 0 || place > p.places {
			r.Failf("what %q has acknowledged is out of order", name)
		}
		if r.Err() != nil {
			return p
		}
		p.reach[name], last = reach{place, mark}, name
	}
	return p
}

func (t *Transcript) readBefore(r *record.Reader) {
	var last ID
	for i := range r.Count(maxStored) {
		id := readAscending(r, i, &last)
		if r.Err() != nil {
			return
		}
		t.before[id] = true
	}
}

func (t *Transcript) readGaps(r *record.Reader, read func(*record.Reader) *gap) error {
	var last ID
	for i := range r.Count(maxStored) {
		id := readAscending(r, i, &last)
		if t.nodes[id] != nil || t.before[id] {
			r.Failf("message %s is there and missing", id)
		}
		g := read(r)
		if len(g.citing) == 0 {
			r.Failf("a gap that nobody cites")
		}
		if r.Err() != nil {
			return r.Err()
		}
		t.gaps[id] = g
	}
	return r.Err()
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

func readNames(r *record.Reader) (names []string) {
	for range r.Count(maxStored) {
		names = append(names, string(r.Var(maxName)))
		if r.Err() != nil {
			break
		}
	}
	return names
}

func readAuthors(r *record.Reader) (list []Author) {
	for range r.Count(maxStored) {
		list = append(list, readAuthor(r))
		if r.Err() != nil {
			break
		}
	}
	return list
}
