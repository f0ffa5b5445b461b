package braid

import (
	"github.com/countersign-project/countersign/messenger/braid/erasure"
	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/record"
)

// Stored form, in the terms of package record:
//
//	role         u8     1 initiator, 0 responder
//	epoch        u64    of the exchange, from 1
//	phase        u8     as the constants
//	waiting      bool   offered, no answer yet
//	heard        bool
//	auth         2 × 32 root, MAC key
//	chain root   32
//	chain epoch  u64
//	links        u32 count, 1 to 3, then for each, sending before receiving:
//	             counter u32 ‖ next 32 ‖ u32 count ‖ count × (index u32 ‖ key 32)
//
// and by phase:
//
//	2, 3, 4, 5   ML-KEM seed, 64
//	2, 3, 4, 8, 9, 11
//	             the blob being sent, of the length the phase has, and u16-in-u32 number of its next chunk
//	3, 5, 6, 8, 10
//	             chunks collected: u32 count ‖ count × (number u32 ‖ 32)
//	4, 5, 10     ct1, 960 (in phase 8 it is the blob being sent)
//	7, 8, 10     header, 64
//	8, 10        encapsulation, 64
//	9            ct2 ‖ MAC, 160

// outSize returns the length of the blob a phase sends, or 0.
func (p phase) outSize() int {
	switch p {
	case ownSampled:
		return headerBlob
	case ownHeaderSent, ownCt1Received:
		return split.VectorSize
	case encCt1Sampled, encEkReceived:
		return split.Ct1Size
	case encCt2Sampled:
		return ct2Blob
	}
	return 0
}

// inSize returns the length of the blob a phase collects, or 0.
func (p phase) inSize() int {
	switch p {
	case ownHeaderSent:
		return split.Ct1Size
	case ownEkSent, encNoHeader:
		if p == encNoHeader {
			return headerBlob
		}
		return ct2Blob
	case encCt1Sampled, encAcknowledged:
		return split.VectorSize
	}
	return 0
}

func (p phase) hasSeed() bool   { return p >= ownSampled && p <= ownEkSent }
func (p phase) hasCt1() bool    { return p == ownCt1Received || p == ownEkSent || p == encAcknowledged }
func (p phase) hasHeader() bool { return p == encHeaderReceived || p.hasEncaps() }
func (p phase) hasEncaps() bool { return p == encCt1Sampled || p == encAcknowledged }

// Write appends the stored form.
func (s *State) Write(w *record.Writer) {
	w.Bool(s.initiator)
	w.U64(s.epoch)
	w.U8(uint8(s.phase))
	w.Bool(s.waiting)
	w.Bool(s.heard)
	w.Secret(s.auth.root)
	w.Secret(s.auth.mac)
	s.chain.write(w)
	if s.phase.hasSeed() {
		w.Fixed(s.seed[:])
	}
	if s.phase.outSize() > 0 {
		w.Fixed(s.out.Blob())
		w.U32(uint32(s.next))
	}
	if s.phase.inSize() > 0 {
		chunks := s.in.Chunks()
		w.U32(uint32(len(chunks)))
		for _, c := range chunks {
			w.U32(uint32(c.Number))
			w.Fixed(c.Data[:])
		}
	}
	if s.phase.hasCt1() {
		w.Fixed(s.ct1)
	}
	if s.phase.hasHeader() {
		w.Fixed(s.header[:])
	}
	if s.phase.hasEncaps() {
		w.Fixed(s.encaps.Bytes())
	}
	if s.phase == encEkReceived {
		w.Fixed(s.ct2)
	}
}

// Read takes the stored form. What does not fit is reported by the reader's Err.
func Read(r *record.Reader) *State {
	s := &State{initiator: r.Bool(), epoch: r.U64(), phase: phase(r.U8()), waiting: r.Bool(), heard: r.Bool()}
	if s.epoch == 0 || s.phase < ownUnsampled || s.phase > encCt2Sampled || s.waiting && (!s.initiator || s.heard) {
		r.Failf("spqr epoch %d, phase %d", s.epoch, s.phase)
	}
	s.auth.root, s.auth.mac = r.Secret(), r.Secret()
	s.chain = readChain(r, s.initiator)
	// The chain is one behind the exchange, except where the secret already counts.
	behind := uint64(1)
	if s.phase >= encCt1Sampled {
		behind = 0
	}
	if s.chain.epoch != s.epoch-behind {
		r.Failf("spqr epoch %d in phase %d with a chain of %d", s.epoch, s.phase, s.chain.epoch)
	}
	if s.phase.hasSeed() {
		copy(s.seed[:], r.Fixed(len(s.seed)))
	}
	if n := s.phase.outSize(); n > 0 {
		s.out = erasure.NewEncoder(r.Fixed(n))
		s.next = uint16(r.Count(65535))
	}
	if n := s.phase.inSize(); n > 0 {
		s.readIn(r, n)
	}
	if s.phase.hasCt1() {
		s.ct1 = r.Fixed(split.Ct1Size)
	}
	if s.phase.hasHeader() {
		copy(s.header[:], r.Fixed(len(s.header)))
	}
	if s.phase.hasEncaps() {
		var err error
		if s.encaps, err = split.ParseEncapsulation(r.Fixed(split.EncapsulationSize)); err != nil {
			r.Failf("%v", err)
		}
	}
	switch s.phase {
	case encCt1Sampled:
		s.ct1 = s.out.Blob()
	case encEkReceived:
		s.ct2 = r.Fixed(ct2Blob)
	}
	return s
}

// readIn takes the chunks collected so far: fewer than would complete the blob, and no number twice.
func (s *State) readIn(r *record.Reader, size int) {
	s.in = erasure.NewDecoder(size)
	for i := range r.Count(size/erasure.ChunkSize - 1) {
		c := erasure.Chunk{Number: uint16(r.Count(65535))}
		copy(c.Data[:], r.Fixed(erasure.ChunkSize))
		s.in = s.in.Add(c)
		if len(s.in.Chunks()) != i+1 {
			r.Failf("spqr chunk %d twice", c.Number)
			return
		}
	}
}
