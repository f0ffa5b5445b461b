package erasure_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	mrand "math/rand/v2"
	"testing"

	"github.com/countersign-project/countersign/messenger/braid/erasure"
)

func TestAnyEnoughChunksDo(t *testing.T) {
	r := mrand.New(mrand.NewPCG(1, 2))
	for _, size := range []int{96, 160, 960, 1152} {
		blob := make([]byte, size)
		rand.Read(blob)
		for range 20 {
			d := erasure.NewDecoder(size)
			numbers := r.Perm(65536)[:size/32]
			for i, n := range numbers {
				if _, ok := d.Blob(); ok {
					t.Fatal("complete too early")
				}
				c := erasure.NewEncoder(blob).Chunk(uint16(n))
				before := d
				d = d.Add(c)
				if len(before.Chunks()) != i || len(d.Chunks()) != i+1 || d.Chunks()[i] != c {
					t.Fatal("the decoder is not immutable, or loses a chunk")
				}
				if d.Add(c) != d {
					t.Fatal("a chunk counts twice")
				}
			}
			got, ok := d.Blob()
			if !ok || !bytes.Equal(got, blob) {
				t.Fatalf("%d bytes from %v: wrong", size, numbers)
			}
			if d.Add(erasure.NewEncoder(blob).Chunk(65535)) != d {
				t.Error("a complete decoder still grows")
			}
		}
	}
}

// Any chunks at all, honest or not, make a blob of the right size when there are enough of them, and that blob's encoder agrees with them.
func FuzzDecoder(f *testing.F) {
	f.Add(make([]byte, 3*34), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		k := 1 + int(size)%36
		d := erasure.NewDecoder(k * erasure.ChunkSize)
		for len(b) >= 2+erasure.ChunkSize {
			d = d.Add(erasure.Chunk{Number: binary.BigEndian.Uint16(b), Data: [erasure.ChunkSize]byte(b[2:])})
			b = b[2+erasure.ChunkSize:]
		}
		blob, ok := d.Blob()
		if ok != (len(d.Chunks()) == k) || ok && len(blob) != k*erasure.ChunkSize {
			t.Fatalf("%d chunks of %d: %v, %d bytes", len(d.Chunks()), k, ok, len(blob))
		}
		for _, c := range d.Chunks() {
			if ok && erasure.NewEncoder(blob).Chunk(c.Number) != c {
				t.Fatal("the blob does not belong to its chunks")
			}
		}
	})
}

func TestFirstChunksAreTheBlob(t *testing.T) {
	blob := make([]byte, 96)
	rand.Read(blob)
	var out []byte
	for n := range uint16(3) {
		c := erasure.NewEncoder(blob).Chunk(n)
		out = append(out, c.Data[:]...)
	}
	if !bytes.Equal(out, blob) {
		t.Error("not systematic")
	}
}

func BenchmarkEncodeBeyondTheBlob(b *testing.B) {
	blob := make([]byte, 1152)
	rand.Read(blob)
	e := erasure.NewEncoder(blob)
	for b.Loop() {
		e.Chunk(40)
	}
}
