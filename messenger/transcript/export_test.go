package transcript

import "github.com/countersign-project/countersign/messenger/record"

// Keep has a transcript keep so many messages.
func (t *Transcript) Keep(window int) { t.window = window }

// Kept are the messages that are kept, in order of arrival.
func (t *Transcript) Kept() []ID { return t.order }

// TimeOf is a kept message's timestamp.
func (t *Transcript) TimeOf(id ID) uint64 { return t.nodes[id].timestamp }

// MarshalKeptAll writes the stored form of version 2.
func (t *Transcript) MarshalKeptAll() []byte {
	var w record.Writer
	w.U8(keptAll)
	writeAuthor(&w, t.self)
	writeIDs(&w, sorted(t.before))
	w.U32(uint32(len(t.order)))
	for _, id := range t.order {
		n := t.nodes[id]
		w.Fixed(id[:])
		writeAuthor(&w, n.author)
		w.U64(n.counter)
		w.U64(n.timestamp)
		w.Bool(n.forwarded)
		writeIDs(&w, n.parents)
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

// UnmarshalKeptAll reads it, and keeps so many messages.
func UnmarshalKeptAll(b []byte, window int) (*Transcript, error) {
	r := record.NewReader(b)
	r.U8()
	return readAll(r, window)
}
