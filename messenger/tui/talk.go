package tui

import (
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// talk is one conversation as far as it was read from the account.
type talk struct {
	id       string
	messages []*history.Message // oldest first
	whole    bool               // the first message of all is among them
	loaded   bool               // the newest are
	loading  bool
	stuck    bool  // it could not be read
	want     int64 // message that is read back to, to be shown; 0: none
	turn     int   // counts how often all was forgotten: what was asked before is not taken in
	// What events have said while a page was on its way, which may know less; nil: the message is gone.
	heard map[int64]*history.Message

	up      int   // lines between the end of the conversation and the bottom of the view
	chosen  int64 // message that commands are about; 0: none
	fresh   int64 // first that was not read when the conversation was opened; 0: none
	readTo  int64 // up to where it was told that the person has read
	draft   string
	kept    string           // of it, by the account
	looked  bool             // what the account had kept was looked at
	reply   *history.Message // that the draft answers
	edit    *history.Message // that the draft replaces
	writing map[string]time.Time
	// The person was asked about somebody's key: about these messages, or so that he is not asked again while it is held.
	asked map[int64]bool
	holds bool

	drawn map[int64][]string // of messages, by number: cleared when the width or somebody's name changes
}

func newTalk(id string) *talk {
	return &talk{id: id, heard: map[int64]*history.Message{}, writing: map[string]time.Time{}, asked: map[int64]bool{}, drawn: map[int64][]string{}}
}

// forget drops what was read, so that it is read again: much may have happened unheard.
func (t *talk) forget() {
	t.messages, t.whole, t.loaded, t.loading, t.stuck = nil, false, false, false, false
	t.up, t.chosen, t.want, t.readTo = 0, 0, 0, 0
	t.turn++
	clear(t.heard)
	clear(t.writing)
	clear(t.drawn)
}

func bySeq(m *history.Message, seq int64) int {
	switch {
	case m.Seq < seq:
		return -1
	case m.Seq > seq:
		return 1
	}
	return 0
}

// put adds a message or replaces what was known of it.
func (t *talk) put(m *history.Message) {
	i, found := slices.BinarySearchFunc(t.messages, m.Seq, bySeq)
	if found {
		t.messages[i] = m
	} else {
		t.messages = slices.Insert(t.messages, i, m)
	}
	delete(t.drawn, m.Seq)
}

// hear takes what an event says of a message. What belongs to a page that was not read yet comes with it.
func (t *talk) hear(m *history.Message) {
	if t.loading {
		t.heard[m.Seq] = m
	}
	if t.loaded && (t.whole || len(t.messages) > 0 && m.Seq > t.messages[0].Seq || t.find(m.Seq) != nil) {
		t.put(m)
	}
}

// drop takes a message away.
func (t *talk) drop(seq int64) {
	if t.loading {
		t.heard[seq] = nil
	}
	if i, found := slices.BinarySearchFunc(t.messages, seq, bySeq); found {
		t.messages = slices.Delete(t.messages, i, i+1)
	}
	if t.chosen == seq {
		t.chosen = 0
	}
}

// take adds a page: the messages below number before, or with 0 the newest of all, of which limit were wanted.
func (t *talk) take(page []*history.Message, before int64, limit int) {
	if n := len(t.messages); before == 0 && n > 0 && len(page) == limit && page[0].Seq > t.messages[n-1].Seq {
		t.messages, t.whole = nil, false // more may be in between than this page has
	}
	for _, m := range page {
		newer, ok := t.heard[m.Seq]
		switch {
		case !ok:
			t.put(m)
		case newer != nil:
			t.put(newer)
		}
	}
	for seq, m := range t.heard {
		if m != nil && before == 0 && (len(page) == 0 || seq > page[len(page)-1].Seq) {
			t.put(m)
		}
	}
	clear(t.heard)
	if len(page) < limit && (before != 0 || !t.loaded) {
		t.whole = true
	}
}

// trim forgets what is far from the end, so that nothing grows with the days.
func (t *talk) trim() {
	if n := len(t.messages); n > maxKept {
		t.messages, t.whole = slices.Clone(t.messages[n-maxKept/2:]), false
		clear(t.drawn)
	}
}

// maxKept is how many messages are kept while the end is in view.
const maxKept = 1000

func (t *talk) find(seq int64) *history.Message {
	if i, found := slices.BinarySearchFunc(t.messages, seq, bySeq); found {
		return t.messages[i]
	}
	return nil
}

// newest is the last message for which a holds; nil if there is none.
func (t *talk) newest(a func(*history.Message) bool) *history.Message {
	for _, m := range slices.Backward(t.messages) {
		if a(m) {
			return m
		}
	}
	return nil
}

// choose moves the mark by one message, up (-1) or down; below the last one it goes away.
func (t *talk) choose(step int) {
	i := len(t.messages)
	if t.chosen != 0 {
		i, _ = slices.BinarySearchFunc(t.messages, t.chosen, bySeq)
	}
	switch i += step; {
	case i >= len(t.messages):
		t.chosen = 0
	case i >= 0:
		t.chosen = t.messages[i].Seq
	}
}

// unseen is the last message of others that is not read; nil if all are.
func (t *talk) unseen() *history.Message {
	return t.newest(func(m *history.Message) bool { return said(m) && !m.Outgoing && !m.Seen && m.Seq > t.readTo })
}

// said tells what people wrote from what this device has to say.
func said(m *history.Message) bool { return m.Kind == history.Text }
