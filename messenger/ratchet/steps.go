package ratchet

import (
	"io"
	"math"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// step returns the seed of the current message and moves on.
func (c *chain) step() keys.Secret {
	seed, next := kdf.Chain(c.key)
	c.key, c.index = next, c.index+1
	return seed
}

// receive is the first half of a ratchet step (3.3): a receiving chain for their new key.
func (s *session) receive(their keys.Public) error {
	agreement, err := s.own.Agree(their)
	if err != nil {
		return err
	}
	r := received{their: their}
	s.root, r.key = kdf.Root(s.version, s.root, agreement)
	agreement.Wipe()
	s.receiving = append(s.receiving, r)
	if len(s.receiving) > maxReceiving {
		s.receiving = s.receiving[1:]
	}
	return nil
}

// turn is the second half: a new pair of ours, and a sending chain from it.
func (s *session) turn(their keys.Public, rand io.Reader) error {
	own, err := keys.Generate(rand)
	if err != nil {
		return err
	}
	s.previous = s.sending.index
	if s.previous > 0 {
		s.previous--
	}
	s.own = own
	return s.send(their)
}

// send derives a sending chain from our pair and theirs.
func (s *session) send(their keys.Public) error {
	agreement, err := s.own.Agree(their)
	if err != nil {
		return err
	}
	s.sending = chain{}
	s.root, s.sending.key = kdf.Root(s.version, s.root, agreement)
	agreement.Wipe()
	return nil
}

// salt takes the SPQR part of a message in (3.10). First says that this message starts the session: only then, or as the
// answer to a mere offer, may it be missing.
func (s *session) salt(m *wire.Signal, w *work, first bool) ([]byte, error) {
	switch {
	case s.pq == nil && len(m.PQ) > 0:
		return nil, refusal.Because(refusal.InvalidMessage, "spqr message in a session without SPQR")
	case s.pq == nil:
		return nil, nil
	case len(m.PQ) == 0 && (first && s.responder || s.pq.Waiting()):
		s.pq = nil
		return nil, nil
	case len(m.PQ) == 0:
		return nil, refusal.Because(refusal.Downgrade, "message without SPQR in a session with it")
	}
	p, err := wire.ParseSPQR(m.PQ)
	if err != nil {
		return nil, err
	}
	if n := s.pq.Steps(p); !w.may(n, maxJump) {
		return nil, refusal.Because(refusal.TooFarInFuture, "spqr key %d is %d steps ahead", p.Index, n)
	}
	key, next, err := s.pq.Receive(p)
	if refusal.Of(err) == refusal.Duplicate {
		// The counter was new, so this is no duplicate: it is a message of another session, or a forged one.
		return nil, refusal.Because(refusal.InvalidMessage, "%v under a new counter", err)
	}
	if err != nil {
		return nil, err
	}
	s.pq = next
	return key, nil
}

// decrypt opens a message and returns the session's successor (3.4, steps 1 to 3).
func (s *session) decrypt(m *wire.Signal, w *work, first bool, policy handshake.Policy, best handshake.Level, rand io.Reader) (_ []byte, _ *session, err error) {
	if m.Version() != s.version {
		return nil, nil, refusal.Because(refusal.InvalidMessage, "message of version %d in a session of version %d", m.Version(), s.version)
	}
	if s.version == wire.V2 && !policy.V2 {
		return nil, nil, refusal.Because(refusal.LegacyVersion, "version 2 is switched off")
	}
	next := s.successor()
	defer func() {
		if err != nil {
			next.wipe(s)
		}
	}()
	seed, fresh, err := next.seedFor(m, w)
	if err != nil {
		return nil, nil, err
	}
	salt, err := next.salt(m, w, first)
	if err != nil {
		return nil, nil, err
	}
	k := kdf.MessageKeys(s.version, seed, salt)
	defer k.Wipe()
	seed.Wipe()
	clear(salt)
	if !k.CheckTag(s.version, s.remote, s.local, m.Covered(), m.MAC()) {
		return nil, nil, kdf.Unauthentic()
	}
	plaintext, err := k.Decrypt(s.version, m.Counter, m.Ciphertext)
	if err != nil {
		return nil, nil, err
	}
	// Authentic from here on. What is left can only fail for lack of randomness, or for policy.
	if first || s.level() != next.level() {
		if err := policy.AcceptLevel(next.level(), best); err != nil {
			return nil, nil, err
		}
	}
	if fresh {
		if err := next.turn(m.RatchetKey, rand); err != nil {
			return nil, nil, err
		}
	}
	next.pending = nil
	return plaintext, next, nil
}

// encrypt seals a message and returns the session's successor (3.5).
func (s *session) encrypt(plaintext []byte, rand io.Reader) (Message, *session, error) {
	if s.sending.index == math.MaxUint32 {
		return Message{}, nil, refusal.Because(refusal.NoSession, "the sending chain is used up")
	}
	next := s.successor()
	m := wire.Signal{VersionByte: wire.VersionByte(s.version), RatchetKey: s.own.Public(), Counter: s.sending.index, Previous: s.previous}
	var salt []byte
	if s.pq != nil {
		p, key, pq, err := s.pq.Send(rand)
		if err != nil {
			return Message{}, nil, err
		}
		m.PQ, salt, next.pq = p.Append(nil), key, pq
	}
	seed := next.sending.step()
	k := kdf.MessageKeys(s.version, seed, salt)
	defer k.Wipe()
	seed.Wipe()
	clear(salt)
	m.Ciphertext = k.Encrypt(s.version, m.Counter, plaintext)
	out := Message{Kind: Whisper, RegistrationID: s.remoteID}
	out.Body = m.Seal(func(covered []byte) [wire.MACSize]byte { return k.Tag(s.version, s.local, s.remote, covered) })
	if p := s.pending; p != nil {
		outer := wire.PreKey{VersionByte: m.VersionByte, RegistrationID: s.localID, PreKeyID: p.offer.PreKeyID, OneTime: p.offer.OneTime,
			SignedPreKeyID: p.offer.SignedID, KyberPreKeyID: p.offer.KyberID, Kyber: p.offer.Kyber, BaseKey: p.offer.Base, Identity: s.local}
		out.Kind, out.Body = PreKey, outer.Encode(out.Body)
	}
	return out, next, nil
}
