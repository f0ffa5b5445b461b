package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Bucket is a kind of entry. The numbers are on disk: none is ever given to something else.
type Bucket uint8

// Buckets, and the packages they belong to.
const (
	Own            Bucket = 1  // session: this device's own keys and numbers
	Settings       Bucket = 2  // client
	Sessions       Bucket = 3  // session: ratchet records by device address
	Peers          Bucket = 4  // session: identity keys, trust and device lists by name
	Prekeys        Bucket = 5  // session: one-time prekeys by id
	SignedPrekeys  Bucket = 6  // session
	KyberPrekeys   Bucket = 7  // session
	KyberUses      Bucket = 8  // session: uses of the last-resort Kyber prekey
	SenderKeys     Bucket = 9  // session: our own by group, theirs by group and device
	Contacts       Bucket = 10 // client: names and settings of people
	Conversations  Bucket = 11 // client
	Groups         Bucket = 12 // client
	Transcripts    Bucket = 13 // client: views of groups
	Outbox         Bucket = 14 // client: what is to be sent, in this order
	Receipts       Bucket = 15 // client: receipts that are owed
	Timers         Bucket = 16 // client: messages that disappear
	TranscriptRefs Bucket = 17 // client: which message has which transcript id
	Once           Bucket = 18 // client: what was sent under a name of a caller's
	Pictures       Bucket = 19 // client: of groups
	Introductions  Bucket = 20 // session: what verified contacts have said of somebody's key, by name
	TranscriptCuts Bucket = 21 // client: messages that are no longer in the views of groups, by transcript id, and by author and number
	Early          Bucket = 22 // client: what came about messages of a history that is on its way
)

// kindMessage keeps messages apart from buckets.
const kindMessage = 0

// Tx is a transaction. It ends with the function it was given to.
type Tx struct {
	ctx     context.Context
	tx      *sql.Tx
	known   prepared
	keys    *sealer
	writing bool
	ended   func() error // says that a long reading has lost its purpose
	after   []func()     // see After
}

// After has f called when this Update is committed, and before another begins: who is told of what was changed is told in the order in which it was. It must
// not wait for anything, and not use the store.
func (t *Tx) After(f func()) { t.after = append(t.after, f) }

// maxName bounds names, in bytes.
const maxName = 1024

// Get returns the value of a name; ok says whether there is one.
func (t *Tx) Get(b Bucket, name string) (value []byte, ok bool, err error) {
	k := t.keys.token(byte(b), name)
	var sealed []byte
	err = t.row(queryGet, int(b), k[:]).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store: %w", err)
	}
	got, value, err := t.entry(b, k, sealed)
	if err == nil && got != name {
		err = fmt.Errorf("store: an entry of kind %d has another name than it was asked for by", b)
	}
	return value, err == nil, err
}

// entry opens a sealed name and value.
func (t *Tx) entry(b Bucket, k token, sealed []byte) (name string, value []byte, err error) {
	plain, err := t.keys.open(byte(b), k, sealed)
	if err != nil {
		return "", nil, err
	}
	if len(plain) < 2 || int(binary.BigEndian.Uint16(plain)) > len(plain)-2 {
		return "", nil, fmt.Errorf("store: an entry of kind %d is damaged", b)
	}
	n := int(binary.BigEndian.Uint16(plain))
	return string(plain[2 : 2+n]), plain[2+n:], nil
}

// Put sets the value of a name. A new name goes to the end of the bucket's order, an old one keeps its place.
func (t *Tx) Put(b Bucket, name string, value []byte) error {
	if len(name) > maxName {
		return fmt.Errorf("store: a name of %d bytes, want at most %d", len(name), maxName)
	}
	k := t.keys.token(byte(b), name)
	plain := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(name)+len(value)), uint16(len(name)))
	plain = append(append(plain, name...), value...)
	_, err := t.exec(queryPut, int(b), k[:], t.keys.seal(byte(b), k, plain))
	return err
}

// Delete removes a name, if it is there.
func (t *Tx) Delete(b Bucket, name string) error {
	k := t.keys.token(byte(b), name)
	_, err := t.exec(queryDelete, int(b), k[:])
	return err
}

// Each calls f for every entry of a bucket, in the order in which the names first came. F may change the bucket.
func (t *Tx) Each(b Bucket, f func(name string, value []byte) error) error {
	type row struct{ name, body []byte }
	rows, err := t.rows(`SELECT name, body FROM item WHERE bucket = ? ORDER BY seq`, int(b))
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.name, &r.body); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		all = append(all, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, r := range all {
		if len(r.name) != tokenSize {
			return fmt.Errorf("store: an entry of kind %d is damaged", b)
		}
		name, value, err := t.entry(b, token(r.name), r.body)
		if err != nil {
			return err
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Count returns how many entries a bucket has.
func (t *Tx) Count(b Bucket) (n int, err error) {
	if err = t.row(`SELECT count(*) FROM item WHERE bucket = ?`, int(b)).Scan(&n); err != nil {
		err = fmt.Errorf("store: %w", err)
	}
	return n, err
}

func (t *Tx) row(query string, args ...any) *sql.Row {
	if stmt := t.known.in(t.ctx, t.tx, query); stmt != nil {
		return stmt.QueryRowContext(t.ctx, args...)
	}
	return t.tx.QueryRowContext(t.ctx, query, args...)
}

func (t *Tx) rows(query string, args ...any) (*sql.Rows, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return rows, nil
}

func (t *Tx) exec(query string, args ...any) (sql.Result, error) {
	if !t.writing {
		panic("internal error: a write inside View")
	}
	var r sql.Result
	var err error
	if stmt := t.known.in(t.ctx, t.tx, query); stmt != nil {
		r, err = stmt.ExecContext(t.ctx, args...)
	} else {
		r, err = t.tx.ExecContext(t.ctx, query, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return r, nil
}

// Load reads a value that Save has written; ok says whether there is one.
func Load[T any](t *Tx, b Bucket, name string) (v T, ok bool, err error) {
	raw, ok, err := t.Get(b, name)
	if err != nil || !ok {
		return v, false, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, false, fmt.Errorf("store: an entry of kind %d does not read: %v", b, err)
	}
	return v, true, nil
}

// Save writes a value as JSON, sealed like all others.
func Save[T any](t *Tx, b Bucket, name string, v T) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store: an entry of kind %d: %w", b, err)
	}
	return t.Put(b, name, raw)
}

// All calls f for every value that Save has written into a bucket, as Each does.
func All[T any](t *Tx, b Bucket, f func(name string, v T) error) error {
	return t.Each(b, func(name string, raw []byte) error {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("store: an entry of kind %d does not read: %v", b, err)
		}
		return f(name, v)
	})
}
