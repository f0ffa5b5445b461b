package braid

import (
	"crypto/hmac"
	"crypto/mlkem"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/braid/erasure"
	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// The half of the state machine that owns the epoch's key pair.

// key restores the epoch's key pair.
func (s *State) key() (*mlkem.DecapsulationKey768, error) {
	k, err := mlkem.NewDecapsulationKey768(s.seed[:])
	if err != nil {
		return nil, fmt.Errorf("ml-kem seed: %w", err)
	}
	return k, nil
}

func (s *State) sendOwner(m *wire.SPQR, rand io.Reader) error {
	switch s.phase {
	case ownUnsampled:
		if _, err := io.ReadFull(rand, s.seed[:]); err != nil {
			return fmt.Errorf("random bytes for an ml-kem key: %w", err)
		}
		k, err := s.key()
		if err != nil {
			return err
		}
		h, _ := split.Parts(k.EncapsulationKey())
		s.start(append(h[:], s.auth.headerMAC(s.epoch, h)...))
		s.phase = ownSampled
		s.chunk(m, wire.SPQRHeader)
	case ownSampled:
		s.chunk(m, wire.SPQRHeader)
	case ownHeaderSent:
		s.chunk(m, wire.SPQREk)
	case ownCt1Received:
		s.chunk(m, wire.SPQREkAck)
	case ownEkSent:
		m.Kind = wire.SPQRAck
	}
	return nil
}

func (s *State) receiveOwner(m wire.SPQR) error {
	chunk := erasure.Chunk{Number: m.Chunk, Data: m.Data}
	switch {
	case s.phase == ownSampled && m.Kind == wire.SPQRCt1:
		k, err := s.key()
		if err != nil {
			return err
		}
		_, vector := split.Parts(k.EncapsulationKey())
		s.start(vector)
		s.in = erasure.NewDecoder(split.Ct1Size).Add(chunk)
		s.phase = ownHeaderSent
	case s.phase == ownHeaderSent && m.Kind == wire.SPQRCt1:
		s.in = s.in.Add(chunk)
		if ct1, ok := s.in.Blob(); ok {
			s.ct1, s.in, s.phase = ct1, nil, ownCt1Received
		}
	case s.phase == ownCt1Received && m.Kind == wire.SPQRCt2:
		s.in = erasure.NewDecoder(ct2Blob).Add(chunk)
		s.out, s.next, s.phase = nil, 0, ownEkSent
	case s.phase == ownEkSent && m.Kind == wire.SPQRCt2:
		s.in = s.in.Add(chunk)
		if blob, ok := s.in.Blob(); ok {
			return s.complete(blob[:split.Ct2Size], blob[split.Ct2Size:])
		}
	}
	return nil
}

// complete ends the epoch: the shared secret goes into chain and authenticator, and the roles change.
func (s *State) complete(ct2, mac []byte) error {
	k, err := s.key()
	if err != nil {
		return err
	}
	b, err := k.Decapsulate(append(append([]byte(nil), s.ct1...), ct2...))
	if err != nil {
		return refusal.Because(refusal.InvalidMessage, "ml-kem ciphertext: %v", err)
	}
	var shared keys.Secret
	copy(shared[:], b)
	clear(b)
	secret := epochSecret(shared, s.epoch)
	s.auth.update(s.epoch, secret)
	if !hmac.Equal(s.auth.ciphertextMAC(s.epoch, s.ct1, ct2), mac) {
		return refusal.Because(refusal.InvalidMessage, "spqr ciphertext does not authenticate")
	}
	s.chain.addEpoch(secret)
	clear(s.seed[:])
	s.ct1, s.epoch, s.phase = nil, s.epoch+1, encNoHeader
	s.in = erasure.NewDecoder(headerBlob)
	return nil
}
