// Package erasure cuts a blob into chunks of 32 bytes of which any enough put it together again, as SPQR sends its keys and
// ciphertexts through a network that drops and reorders (3.10 of the wire specification).
//
// A blob of k·32 bytes is 16 polynomials over GF(2^16) of degree below k: its 2-byte big-endian symbol i is the value of
// polynomial i mod 16 at x = i div 16. Chunk number c is the 16 values at x = c, so the first k chunks are the blob
// itself, and any k different chunks determine it. Chunks are public and unauthenticated by themselves; the message around each has
// a MAC, and what is put together has another.
package erasure

import (
	"encoding/binary"
	"fmt"
)

// ChunkSize is the length of a chunk in bytes: 16 symbols.
const ChunkSize = 32

// Chunk is one numbered piece of a blob.
type Chunk struct {
	Number uint16
	Data   [ChunkSize]byte
}

// symbols are the values of the 16 polynomials at one point.
type symbols [16]uint16

func toSymbols(b []byte) (s symbols) {
	for i := range s {
		s[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return s
}

func (s symbols) append(dst []byte) []byte {
	for _, v := range s {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	return dst
}

// Encoder makes the chunks of one blob. It keeps what later chunks need to be evaluated quickly, so it must not be used by two
// goroutines at once.
type Encoder struct {
	blob    []byte
	points  []point
	weights []uint16
}

// NewEncoder takes a blob whose length is a multiple of 32 and not zero.
func NewEncoder(blob []byte) *Encoder {
	if len(blob) == 0 || len(blob)%ChunkSize != 0 {
		panic(fmt.Sprintf("internal error: erasure blob of %d bytes", len(blob)))
	}
	return &Encoder{blob: blob}
}

// Blob returns the blob, for storage.
func (e *Encoder) Blob() []byte { return e.blob }

// Chunk returns the chunk of that number. Those from len(blob)/32 on cost a polynomial evaluation.
func (e *Encoder) Chunk(number uint16) Chunk {
	c := Chunk{Number: number}
	k := len(e.blob) / ChunkSize
	if int(number) < k {
		copy(c.Data[:], e.blob[ChunkSize*int(number):])
		return c
	}
	if e.points == nil {
		e.points = make([]point, k)
		for i := range e.points {
			e.points[i] = point{uint16(i), toSymbols(e.blob[ChunkSize*i:])}
		}
		e.weights = weights(e.points)
	}
	interpolate(e.points, e.weights, number).append(c.Data[:0])
	return c
}

// Decoder collects chunks of one blob. It is immutable: Add returns another.
type Decoder struct {
	size   int // of the blob in bytes
	points []point
}

// NewDecoder expects a blob of size bytes, a multiple of 32.
func NewDecoder(size int) *Decoder { return &Decoder{size: size} }

// Add returns a decoder that also has chunk c, or d itself if that number is known or nothing more is needed.
func (d *Decoder) Add(c Chunk) *Decoder {
	if d.complete() {
		return d
	}
	for _, p := range d.points {
		if p.x == c.Number {
			return d
		}
	}
	points := make([]point, len(d.points), len(d.points)+1)
	copy(points, d.points)
	return &Decoder{d.size, append(points, point{c.Number, toSymbols(c.Data[:])})}
}

func (d *Decoder) complete() bool { return len(d.points) >= d.size/ChunkSize }

// Blob returns the blob once enough chunks have arrived.
func (d *Decoder) Blob() ([]byte, bool) {
	if !d.complete() {
		return nil, false
	}
	w := weights(d.points)
	blob := make([]byte, 0, d.size)
	for x := range d.size / ChunkSize {
		blob = interpolate(d.points, w, uint16(x)).append(blob)
	}
	return blob, true
}

// Chunks returns what has arrived, in order of arrival, for storage.
func (d *Decoder) Chunks() []Chunk {
	all := make([]Chunk, len(d.points))
	for i, p := range d.points {
		all[i].Number = p.x
		p.y.append(all[i].Data[:0])
	}
	return all
}
