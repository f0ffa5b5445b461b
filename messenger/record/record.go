// Package record is how the messenger's states are written down: a flat sequence of fixed-size numbers and length-prefixed
// bytes, big-endian, with nothing optional, so that one state has exactly one form and every other form is refused.
//
// Records hold live keys. They are only ever written inside the encrypted store; a reader that finds one malformed has found
// a damaged disk or somebody else's hand, never a message to be lenient about.
package record

import (
	"encoding/binary"
	"fmt"

	"github.com/countersign-project/countersign/messenger/keys"
)

// Writer appends fields. The zero value is ready.
type Writer struct{ b []byte }

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.b }

// U8, U32 and U64 write numbers, big-endian.
func (w *Writer) U8(v uint8)   { w.b = append(w.b, v) }
func (w *Writer) U32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *Writer) U64(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }

// Bool writes 0 or 1.
func (w *Writer) Bool(v bool) {
	if v {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// Fixed writes bytes whose number the reader knows.
func (w *Writer) Fixed(b []byte) { w.b = append(w.b, b...) }

// Secret writes 32 bytes.
func (w *Writer) Secret(s keys.Secret) { w.b = append(w.b, s[:]...) }

// Public writes 32 bytes.
func (w *Writer) Public(p keys.Public) { w.b = append(w.b, p[:]...) }

// Var writes a 4-byte length and the bytes.
func (w *Writer) Var(b []byte) {
	w.U32(uint32(len(b)))
	w.Fixed(b)
}

// Reader takes fields. The first thing that does not fit sets an error; everything after it reads as zero.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Failf sets the error, unless there is one.
func (r *Reader) Failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("stored record: "+format, args...)
		r.b = nil
	}
}

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// End returns the first error, or one if bytes are left over.
func (r *Reader) End() error {
	if len(r.b) > 0 {
		r.Failf("%d bytes too many", len(r.b))
	}
	return r.err
}

// Fixed takes n bytes, which belong to the caller.
func (r *Reader) Fixed(n int) []byte {
	if len(r.b) < n {
		r.Failf("got %d bytes, want %d", len(r.b), n)
		return make([]byte, n)
	}
	out := append([]byte(nil), r.b[:n]...)
	r.b = r.b[n:]
	return out
}

// U8, U32 and U64 take numbers.
func (r *Reader) U8() uint8   { return r.Fixed(1)[0] }
func (r *Reader) U32() uint32 { return binary.BigEndian.Uint32(r.Fixed(4)) }
func (r *Reader) U64() uint64 { return binary.BigEndian.Uint64(r.Fixed(8)) }

// Bool takes 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	if v > 1 {
		r.Failf("got %d for yes or no", v)
	}
	return v == 1
}

// Secret takes 32 bytes.
func (r *Reader) Secret() (s keys.Secret) {
	copy(s[:], r.Fixed(len(s)))
	return s
}

// Public takes 32 bytes.
func (r *Reader) Public() (p keys.Public) {
	copy(p[:], r.Fixed(len(p)))
	return p
}

// Var takes a length of at most most, and the bytes. No bytes come back as nil.
func (r *Reader) Var(most int) []byte {
	n := r.Count(most)
	if n == 0 {
		return nil
	}
	return r.Fixed(n)
}

// Count takes a 4-byte number of at most most.
func (r *Reader) Count(most int) int {
	n := r.U32()
	if int64(n) > int64(most) {
		r.Failf("got a count of %d, want at most %d", n, most)
		return 0
	}
	return int(n)
}
