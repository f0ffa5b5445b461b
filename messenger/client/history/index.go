package history

import (
	"github.com/countersign-project/countersign/messenger/store"
)

// Progress is how far the index of an account's messages is: Done of All segments. What has none yet is searched all the same, slower.
type Progress struct {
	Done int64 `json:"done"`
	All  int64 `json:"all"`
}

// Unindexed returns the newest segment that is complete and has no index; none if all have.
func Unindexed(tx *store.Tx) (segment int64, some bool, p Progress, err error) {
	indexed, complete, err := tx.Segments(indexForm)
	p.All = complete
	segment = -1
	for n := complete - 1; n >= 0; n-- {
		if indexed[n] {
			p.Done++
		} else if segment < 0 {
			segment = n
		}
	}
	return segment, segment >= 0, p, err
}

// Index makes the index of a segment. It takes some hundredths of a second, and what is written is whole or not there.
func Index(tx *store.Tx, segment int64) error {
	var d draft
	err := tx.Forth(segment*store.SegmentSize-1, func(row store.Row) (bool, error) {
		if store.Segment(row.Seq) != segment {
			return false, nil
		}
		text, err := wordsOf(row)
		if err == nil && text != "" {
			d.add(int(row.Seq%store.SegmentSize), text)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	parts := d.parts()
	return tx.IndexSegment(segment, indexForm, &parts)
}

// reword drops the index of a message's segment if the message, which is stored as body now, says something else than before.
func reword(tx *store.Tx, seq int64, body []byte) error {
	segment := store.Segment(seq)
	if has, err := tx.HasIndex(segment); err != nil || !has {
		return err
	}
	row, ok, err := tx.Message(seq)
	if err != nil || !ok {
		return err
	}
	was, err := wordsOf(row)
	if err != nil {
		return err
	}
	is, err := wordsOf(store.Row{Seq: seq, Body: body})
	if err != nil || is == was {
		return err
	}
	return tx.DropIndex(segment)
}
