package braid

import (
	"crypto/hmac"
	"io"

	"github.com/countersign-project/countersign/messenger/braid/erasure"
	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// The half of the state machine that encapsulates to the owner's key.

func (s *State) sendOther(m *wire.SPQR, rand io.Reader) error {
	switch s.phase {
	case encNoHeader, encAcknowledged:
		m.Kind = wire.SPQRNone
	case encHeaderReceived:
		shared, ct1, e, err := split.Encapsulate(s.header, rand)
		if err != nil {
			return err
		}
		s.encaps, s.ct1 = e, ct1
		// The secret counts at once, although the owner cannot know it yet: this message still uses the old epoch.
		secret := epochSecret(shared, s.epoch)
		s.auth.update(s.epoch, secret)
		s.chain.addEpoch(secret)
		s.start(ct1)
		s.in = erasure.NewDecoder(split.VectorSize)
		s.phase = encCt1Sampled
		s.chunk(m, wire.SPQRCt1)
	case encCt1Sampled, encEkReceived:
		s.chunk(m, wire.SPQRCt1)
	case encCt2Sampled:
		s.chunk(m, wire.SPQRCt2)
	}
	return nil
}

func (s *State) receiveOther(m wire.SPQR) error {
	chunk := erasure.Chunk{Number: m.Chunk, Data: m.Data}
	ack := m.Kind == wire.SPQREkAck || m.Kind == wire.SPQRAck
	ek := m.Kind == wire.SPQREk || m.Kind == wire.SPQREkAck
	switch {
	case s.phase == encNoHeader && m.Kind == wire.SPQRHeader:
		s.in = s.in.Add(chunk)
		if blob, ok := s.in.Blob(); ok {
			return s.headerComplete(blob)
		}
	case s.phase == encCt1Sampled && ek:
		s.in = s.in.Add(chunk)
		vector, ok := s.in.Blob()
		switch {
		case ok:
			if err := s.vectorComplete(vector); err != nil {
				return err
			}
			if ack {
				s.sendCt2()
			}
		case ack:
			s.out, s.next, s.phase = nil, 0, encAcknowledged
		}
	case s.phase == encEkReceived && ack:
		s.sendCt2()
	case s.phase == encAcknowledged && ek:
		s.in = s.in.Add(chunk)
		if vector, ok := s.in.Blob(); ok {
			if err := s.vectorComplete(vector); err != nil {
				return err
			}
			s.sendCt2()
		}
	}
	return nil
}

func (s *State) headerComplete(blob []byte) error {
	copy(s.header[:], blob)
	if !hmac.Equal(s.auth.headerMAC(s.epoch, s.header), blob[split.HeaderSize:]) {
		return refusal.Because(refusal.InvalidMessage, "spqr header does not authenticate")
	}
	s.in, s.phase = nil, encHeaderReceived
	return nil
}

// vectorComplete makes the rest of the ciphertext at once, so that the encapsulation's secrets can go.
func (s *State) vectorComplete(vector []byte) error {
	ct2, err := s.encaps.Finish(s.header, vector)
	if err != nil {
		return err
	}
	s.ct2 = append(ct2, s.auth.ciphertextMAC(s.epoch, s.ct1, ct2)...)
	s.encaps.Wipe()
	s.in, s.ct1, s.header, s.phase = nil, nil, split.Header{}, encEkReceived
	return nil
}

func (s *State) sendCt2() {
	s.start(s.ct2)
	s.ct2, s.phase = nil, encCt2Sampled
}

// send fills in a message and moves on.
func (s *State) send(m *wire.SPQR, rand io.Reader) error {
	if s.phase.owner() {
		return s.sendOwner(m, rand)
	}
	return s.sendOther(m, rand)
}

// receive takes in the chunk. Chunks of an earlier epoch are late and useless; of a later one there can be none, except
// that the owner's first of the next epoch tells us that ours is complete.
func (s *State) receive(m wire.SPQR) error {
	switch {
	case m.Epoch < s.epoch:
		return nil
	case m.Epoch == s.epoch+1 && s.phase == encCt2Sampled:
		s.epoch, s.phase, s.out, s.next = m.Epoch, ownUnsampled, nil, 0
		return nil
	case m.Epoch > s.epoch:
		return outOfRange(m.Epoch, s.epoch)
	case s.phase.owner():
		return s.receiveOwner(m)
	}
	return s.receiveOther(m)
}
