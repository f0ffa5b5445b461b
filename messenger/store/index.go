package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// An index of messages is kept by segments of SegmentSize message numbers, and each segment's in SegmentParts parts, so that a search reads the few
// parts it needs. What is in a part is its writer's affair; here it is sealed. The thief of the file learns which segments have an index,
// and how large each part is, to within 64 bytes: as much as the segment's texts are long and varied. He learns no word of
// any, nor whether two messages share one.
//
// An index is only a help: a segment without one is read message by message. So it is simply dropped when a message of the segment goes, in
// the same transaction, and nothing of a deleted text outlives it there.
const (
	SegmentSize  = 2048
	SegmentParts = 64
)

// kindIndex keeps parts of an index apart from buckets and messages.
const kindIndex = 255

// Segment is the segment of a message number.
func Segment(seq int64) int64 { return seq / SegmentSize }

// Segments returns the segments that have an index of a form, and how many are complete, from number 0: no message will be added to these.
func (t *Tx) Segments(form string) (indexed map[int64]bool, complete int64, err error) {
	var last int64
	if err := t.row(`SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'message'`).Scan(&last); err != nil {
		return nil, 0, fmt.Errorf("store: %w", err)
	}
	rows, err := t.rows(`SELECT segment FROM segment WHERE form = ?`, form)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	indexed = map[int64]bool{}
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, 0, fmt.Errorf("store: %w", err)
		}
		indexed[n] = true
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("store: %w", err)
	}
	return indexed, (last + 1) / SegmentSize, nil
}

// HasIndex tells whether a segment has an index, of whatever form.
func (t *Tx) HasIndex(segment int64) (ok bool, err error) {
	if err = t.row(`SELECT EXISTS (SELECT 1 FROM segment WHERE segment = ?)`, segment).Scan(&ok); err != nil {
		err = fmt.Errorf("store: %w", err)
	}
	return ok, err
}

// IndexSegment stores the index of a segment in place of the one it has. Form says how it was made: another form's is not read.
func (t *Tx) IndexSegment(segment int64, form string, parts *[SegmentParts][]byte) error {
	if err := t.DropIndex(segment); err != nil {
		return err
	}
	for i, part := range parts {
		if _, err := t.exec(`INSERT INTO segment_part (id, body) VALUES (?, ?)`, partID(segment, i), t.keys.seal(kindIndex, t.keys.partPlace(segment, i), part)); err != nil {
			return err
		}
	}
	_, err := t.exec(`INSERT INTO segment (segment, form) VALUES (?, ?)`, segment, form)
	return err
}

// DropIndex removes the index of a segment, if it has one: a message there has another text now.
func (t *Tx) DropIndex(segment int64) error {
	res, err := t.exec(`DELETE FROM segment WHERE segment = ?`, segment)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = t.exec(`DELETE FROM segment_part WHERE id >= ? AND id < ?`, partID(segment, 0), partID(segment+1, 0))
	return err
}

// IndexPart returns a part of the index of a segment that has one.
func (t *Tx) IndexPart(segment int64, part int) ([]byte, error) {
	var sealed []byte
	err := t.row(`SELECT body FROM segment_part WHERE id = ?`, partID(segment, part)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("store: part %d of the index of segment %d is gone", part, segment)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return t.keys.open(kindIndex, t.keys.partPlace(segment, part), sealed)
}

func partID(segment int64, part int) int64 { return segment*SegmentParts + int64(part) }

func (s *sealer) partPlace(segment int64, part int) token {
	return s.token(kindIndex, fmt.Sprint(partID(segment, part)))
}

// Numbers returns the numbers of a conversation's messages from number from on, below number below.
func (t *Tx) Numbers(conversation string, from, below int64) (out []int64, err error) {
	c := t.keys.token(kindMessage, "c"+conversation)
	rows, err := t.rows(`SELECT seq FROM message WHERE conversation = ? AND seq >= ? AND seq < ?`, c[:], from, below)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return out, nil
}

// Ended returns the error of the caller's context, for loops over many calls.
func (t *Tx) Ended() error { return t.ended() }
