package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// Row is a stored message: its number, which grows with every message stored, and what was stored.
type Row struct {
	Seq  int64
	Body []byte
}

// AddMessage stores a message of a conversation. Ref is what it is known by to everybody, such as author and time; if there is one by that ref
// already nothing changes, and added is false: this is what keeps a message that comes twice from being shown twice.
func (t *Tx) AddMessage(conversation, ref string, body []byte) (seq int64, added bool, err error) {
	c, r := t.keys.token(kindMessage, "c"+conversation), t.keys.token(kindMessage, "r"+ref)
	res, err := t.exec(queryAdd, c[:], r[:], t.keys.seal(kindMessage, r, body))
	if err != nil {
		return 0, false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return 0, false, err
	}
	seq, err = res.LastInsertId()
	return seq, true, err
}

// Reserve keeps the numbers below first, and first itself, for AddMessageBelow: messages are stored above it from now on. Nothing may be stored yet.
func (t *Tx) Reserve(first int64) error {
	res, err := t.exec(`INSERT INTO sqlite_sequence (name, seq) SELECT 'message', ? WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'message')`, first)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("store: numbers cannot be kept free: there are messages already (%v)", err)
	}
	return nil
}

// AddMessageBelow is AddMessage for what was reserved: the message gets the number seq, which must be free. It has no index yet.
func (t *Tx) AddMessageBelow(seq int64, conversation, ref string, body []byte) (added bool, err error) {
	c, r := t.keys.token(kindMessage, "c"+conversation), t.keys.token(kindMessage, "r"+ref)
	res, err := t.exec(`INSERT INTO message (seq, conversation, ref, body) VALUES (?, ?, ?, ?) ON CONFLICT (ref) DO NOTHING`, seq, c[:], r[:], t.keys.seal(kindMessage, r, body))
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, t.DropIndex(Segment(seq))
}

// Size returns how many messages there are, and how many bytes they have.
func (t *Tx) Size() (messages, bytes int64, err error) {
	if err = t.row(`SELECT count(*), coalesce(sum(length(body)), 0) FROM message`).Scan(&messages, &bytes); err != nil {
		err = fmt.Errorf("store: %w", err)
	}
	return messages, bytes, err
}

// SetMessage replaces what is stored under a number.
func (t *Tx) SetMessage(seq int64, body []byte) error {
	r, _, ok, err := t.message(querySeq, seq)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("store: no message %d", seq)
	}
	_, err = t.exec(querySet, t.keys.seal(kindMessage, r, body), seq)
	return err
}

// MoveMessage stores a message under another conversation and another ref; its number, and so its place among the others, stays. If there is another
// message by that ref already nothing changes, and moved is false.
func (t *Tx) MoveMessage(seq int64, conversation, ref string, body []byte) (moved bool, err error) {
	c, r := t.keys.token(kindMessage, "c"+conversation), t.keys.token(kindMessage, "r"+ref)
	res, err := t.exec(`UPDATE OR IGNORE message SET conversation = ?, ref = ?, body = ? WHERE seq = ?`, c[:], r[:], t.keys.seal(kindMessage, r, body), seq)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// DeleteMessage removes a message, if it is there, and the index that knows its words.
func (t *Tx) DeleteMessage(seq int64) error {
	res, err := t.exec(`DELETE FROM message WHERE seq = ?`, seq)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return t.DropIndex(Segment(seq))
}

// CountMessages returns how many messages there are, in all conversations.
func (t *Tx) CountMessages() (n int, err error) {
	if err = t.row(`SELECT count(*) FROM message`).Scan(&n); err != nil {
		err = fmt.Errorf("store: %w", err)
	}
	return n, err
}

// Message returns a message by its number.
func (t *Tx) Message(seq int64) (Row, bool, error) {
	_, row, ok, err := t.message(querySeq, seq)
	return row, ok, err
}

// MessageByRef returns a message by its ref.
func (t *Tx) MessageByRef(ref string) (Row, bool, error) {
	r := t.keys.token(kindMessage, "r"+ref)
	_, row, ok, err := t.message(queryRef, r[:])
	return row, ok, err
}

func (t *Tx) message(query string, arg any) (ref token, row Row, ok bool, err error) {
	var r, sealed []byte
	err = t.row(query, arg).Scan(&row.Seq, &r, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return ref, row, false, nil
	}
	if err != nil {
		return ref, row, false, fmt.Errorf("store: %w", err)
	}
	row.Body, err = t.keys.openMessage(r, sealed)
	copy(ref[:], r)
	return ref, row, err == nil, err
}

func (s *sealer) openMessage(ref, sealed []byte) ([]byte, error) {
	if len(ref) != tokenSize {
		return nil, errors.New("store: a message is damaged")
	}
	return s.open(kindMessage, token(ref), sealed)
}

// Messages calls f for the messages of a conversation, the newest first, beginning below number before (0: at the newest), until f
// returns false.
func (t *Tx) Messages(conversation string, before int64, f func(Row) (more bool, err error)) error {
	c := t.keys.token(kindMessage, "c"+conversation)
	return t.scan(f, `SELECT seq, ref, body FROM message WHERE conversation = ? AND seq < ? ORDER BY seq DESC`, c[:], below(before))
}

// Later calls f for the messages of a conversation above number after, the oldest first, until f returns false.
func (t *Tx) Later(conversation string, after int64, f func(Row) (more bool, err error)) error {
	c := t.keys.token(kindMessage, "c"+conversation)
	return t.scan(f, `SELECT seq, ref, body FROM message WHERE conversation = ? AND seq > ? ORDER BY seq`, c[:], after)
}

// Scan is Messages over all conversations.
func (t *Tx) Scan(before int64, f func(Row) (more bool, err error)) error {
	return t.scan(f, `SELECT seq, ref, body FROM message WHERE seq < ? ORDER BY seq DESC`, below(before))
}

// Forth is Scan from the oldest message above number after on.
func (t *Tx) Forth(after int64, f func(Row) (more bool, err error)) error {
	return t.scan(f, `SELECT seq, ref, body FROM message WHERE seq > ? ORDER BY seq`, after)
}

func below(before int64) int64 {
	if before <= 0 {
		return 1<<63 - 1
	}
	return before
}

func (t *Tx) scan(f func(Row) (bool, error), query string, args ...any) error {
	rows, err := t.rows(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n%256 == 255 {
			if err := t.ended(); err != nil {
				return err
			}
		}
		var row Row
		var ref, sealed sql.RawBytes
		if err := rows.Scan(&row.Seq, &ref, &sealed); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if row.Body, err = t.keys.openMessage(ref, sealed); err != nil {
			return err
		}
		more, err := f(row)
		if err != nil || !more {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
