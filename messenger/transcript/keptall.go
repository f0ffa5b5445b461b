package transcript

import (
	"time"

	"github.com/countersign-project/countersign/messenger/record"
)

// readAll reads stored form version 2, which kept every message of the group, and brings it to the present one: the messages are kept one after another,
// as they came, and the oldest are cut. It is as version 3, without our last message and counter, the past, lacks, citing, and, of gaps, author, cut
// and held; these follow from the messages.
func readAll(r *record.Reader, window int) (*Transcript, error) {
	t := New(readAuthor(r))
	t.window = window
	t.readBefore(r)
	var all []*node
	have := map[ID]bool{}
	for range r.Count(maxStored) {
		n := readNode(r)
		if have[n.id] {
			r.Failf("message %s twice", n.id)
		}
		if r.Err() != nil {
			return nil, r.Err()
		}
		have[n.id] = true
		all = append(all, n)
		if n.author == t.self { // never forwarded
			t.last, t.counter = n.id, max(t.counter, n.counter)
		}
	}
	// The gaps come before the messages that leave, so that what these say of them is kept.
	if err := t.readGaps(r, func(r *record.Reader) *gap {
		return &gap{since: time.Unix(0, int64(r.U64())).UTC(), asked: r.Bool(), citing: readNames(r)}
	}); err != nil {
		return nil, err
	}
	for id := range t.gaps {
		if have[id] {
			r.Failf("message %s is there and missing", id)
		}
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	whole := New(t.self)
	for _, n := range all {
		whole.keep(n)
	}
	words := whole.words()
	for _, n := range all {
		if n.forwarded {
			n.citing = words.of(n) // whoever cites it may be cut before it
		}
	}
	for _, n := range all {
		for i, p := range n.parents {
			if !have[p] && !t.before[p] {
				n.lacks |= 1 << i
				if g := t.gaps[p]; g != nil && g.author == "" && n.follows(p) {
					g.author = n.author.Member
				}
			}
		}
		t.trim(t.window - 1)
		t.keep(n)
	}
	return t, nil
}
