package erasure_test

import (
	"bytes"
	"crypto/rand"
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
