package history

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/store"
)

// Search returns the newest messages whose text, captions or file names hold all words of a query, whatever the case and the accents, in one conversation
// or (empty) in all, below number before (0: from the newest). A word is found inside a longer one, too.
//
// Most messages are passed over by the index of their segment (package store), which names those that can hold the words; these are opened and looked
// at. The newest messages, and those of segments without an index, or with one that does not read, are all looked at. So the answer never depends on
// the index.
func Search(tx *store.Tx, query, conversation string, before int64, limit int) ([]*Message, error) {
	words := strings.Fields(fold(query))
	if len(words) == 0 || limit <= 0 {
		return nil, nil
	}
	indexed, complete, err := tx.Segments(indexForm)
	if err != nil {
		return nil, err
	}
	s := &search{tx: tx, words: words, conversation: conversation, limit: limit, before: before}
	if s.before <= 0 {
		s.before = 1<<63 - 1
	}
	for n := min(complete, store.Segment(s.before)); n >= 0 && len(s.out) < limit; n-- {
		if err := tx.Ended(); err != nil {
			return nil, err
		}
		if err := s.segment(n, indexed[n]); err != nil {
			return nil, err
		}
	}
	return s.out, nil
}

// search is one under way.
type search struct {
	tx           *store.Tx
	words        []string
	conversation string
	before       int64
	limit        int
	out          []*Message
}

// segment looks at one segment's messages. An index that does not read is as good as none.
func (s *search) segment(n int64, indexed bool) error {
	if indexed {
		if can, err := s.candidates(n); err == nil {
			return s.some(n, &can)
		}
	}
	return s.all(n)
}

// all looks at every message of a segment. The last one has no end: it takes in what is newer.
func (s *search) all(segment int64) error {
	from := segment * store.SegmentSize
	below := min(s.before, from+store.SegmentSize)
	look := func(row store.Row) (bool, error) {
		if row.Seq < from {
			return false, nil
		}
		err := s.look(row)
		return len(s.out) < s.limit, err
	}
	if s.conversation != "" {
		return s.tx.Messages(s.conversation, below, look)
	}
	return s.tx.Scan(below, look)
}

// candidates are the messages of a segment that can hold the words, as its index has them.
func (s *search) candidates(segment int64) (can set, err error) {
	for i := range can {
		can[i] = ^uint64(0)
	}
	for _, w := range s.words {
		if err := s.narrow(segment, []rune(w), &can); err != nil {
			return can, err
		}
	}
	return can, nil
}

// some looks at some messages of a segment.
func (s *search) some(segment int64, can *set) error {
	from := segment * store.SegmentSize
	if s.conversation != "" && can.count() > 0 {
		list, err := s.tx.Numbers(s.conversation, from, from+store.SegmentSize)
		if err != nil {
			return err
		}
		var there set
		for _, n := range list {
			there.add(int(n - from))
		}
		can.and(&there)
	}
	for n := store.SegmentSize - 1; n >= 0 && len(s.out) < s.limit; n-- {
		if !can.has(n) || from+int64(n) >= s.before {
			continue
		}
		row, ok, err := s.tx.Message(from + int64(n))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := s.look(row); err != nil {
			return err
		}
	}
	return nil
}

// narrow takes those messages out that cannot hold a word: each gram of it must be there. A word of one character may go on with any second
// one, so all parts are read for it.
func (s *search) narrow(segment int64, word []rune, can *set) error {
	for i := 0; i == 0 || i+3 <= len(word); i++ {
		if can.count() == 0 {
			return nil
		}
		g := word[i:min(i+3, len(word))]
		first, last := 0, store.SegmentParts
		if len(g) > 1 {
			first = partOf(g[0], g[1])
			last = first + 1
		}
		var found set
		for p := first; p < last; p++ {
			part, err := s.tx.IndexPart(segment, p)
			if err != nil {
				return err
			}
			if err := find(part, g, &found); err != nil {
				return err
			}
		}
		can.and(&found)
	}
	return nil
}

// look keeps a message that holds all words.
func (s *search) look(row store.Row) error {
	text, err := wordsOf(row)
	if err != nil || text == "" {
		return err
	}
	for _, word := range s.words {
		if !strings.Contains(text, word) {
			return nil
		}
	}
	m, err := parse(row, true, nil)
	if err == nil {
		s.out = append(s.out, m)
	}
	return err
}

// said is of a message what can be searched for: less than all, which is faster to read.
type said struct {
	Kind        Kind   `json:"kind"`
	Body        string `json:"body"`
	Attachments []struct {
		FileName string `json:"fileName"`
		Caption  string `json:"caption"`
	} `json:"attachments"`
}

// wordsOf is what a stored message says, folded; empty for notices.
func wordsOf(row store.Row) (string, error) {
	var m said
	if err := json.Unmarshal(row.Body, &m); err != nil {
		return "", fmt.Errorf("stored message %d does not read: %v", row.Seq, err)
	}
	if m.Kind != Text {
		return "", nil
	}
	text := m.Body
	for _, a := range m.Attachments {
		text += "\n" + a.FileName + "\n" + a.Caption
	}
	return fold(text), nil
}
