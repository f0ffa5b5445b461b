package ratchet

import (
	"math"
	"slices"

	"github.com/countersign-project/countersign/messenger/braid"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// session is one Double Ratchet between two devices (3.7). Its methods return a successor and leave it as it was.
type session struct {
	version       uint8
	responder     bool // they sent the first message
	local, remote keys.Public
	localID       uint32 // registration ids
	remoteID      uint32
	offer         [32]byte // responder: digest of the offer that started it, to know a repetition
	root          keys.Secret
	own           *keys.Private // ratchet pair
	sending       chain
	previous      uint32
	receiving     []received // oldest first, at most maxReceiving
	pending       *pending   // initiator, until an answer has been decrypted
	pq            *braid.State
}

// chain is a symmetric chain: the key that makes message number index, and all later ones.
type chain struct {
	key   keys.Secret
	index uint32
}

// received is a receiving chain, known by the peer's ratchet key.
type received struct {
	their keys.Public
	chain
	skipped []skippedSeed // ascending, at most maxSkipped; never changed in place
}

// skippedSeed is kept for a message that was overtaken.
type skippedSeed struct {
	index uint32
	seed  keys.Secret
}

// pending is what every message repeats until the session is answered.
type pending struct {
	offer   handshake.Offer
	created int64 // Unix seconds
}

// level says what the session gives.
func (s *session) level() handshake.Level {
	if s.version == wire.V4 && s.pq != nil {
		return handshake.LevelV4SPQR
	}
	return handshake.Level(s.version)
}

// successor is a copy that can be changed.
func (s *session) successor() *session {
	next := *s
	next.receiving = slices.Clone(s.receiving)
	return &next
}

// wipe overwrites the secrets that a committed successor does not share. The successor of a session that is dropped is an empty one.
func (s *session) wipe(next *session) {
	s.root.Wipe()
	s.sending.key.Wipe()
	for i := range s.receiving {
		r := &s.receiving[i]
		r.key.Wipe()
		if !slices.ContainsFunc(next.receiving, r.sharesSkipped) {
			clear(r.skipped)
		}
	}
	if s.own != next.own {
		s.own.Wipe()
	}
	if s.pq != nil && s.pq != next.pq {
		s.pq.Wipe(next.pq)
	}
}

// kept counts what the session has for late messages.
func (s *session) kept() (n int) {
	for _, r := range s.receiving {
		n += len(r.skipped)
	}
	if s.pq != nil {
		n += s.pq.Kept()
	}
	return n
}

// forget is the session without what it has for late messages.
func (s *session) forget() *session {
	next := s.successor()
	for i := range next.receiving {
		next.receiving[i].skipped = nil
	}
	if s.pq != nil {
		next.pq = s.pq.Forget()
	}
	return next
}

// sharesSkipped tells whether two states of a chain hold the same skipped seeds in the same memory.
func (r *received) sharesSkipped(o received) bool {
	return len(r.skipped) > 0 && len(o.skipped) > 0 && &r.skipped[0] == &o.skipped[0]
}

// archive turns a session into one that can decrypt only: an unanswered offer is dropped (3.7).
func (s *session) archive() *session {
	next := *s
	next.pending = nil
	return &next
}

// work bounds the chain steps that one message may cost us over all sessions it is tried with: nothing of it is authentic yet when they are
// made, and a peer can have forty archived sessions with us. The first session tried has its whole jump.
type work struct {
	first bool
	left  uint32 // for all others together
}

// newWork leaves the others one full jump of both ratchets.
func newWork() *work { return &work{first: true, left: 2 * maxJump} }

// may tells whether a jump within its own limit may be made, and counts it.
func (w *work) may(steps, limit uint32) bool {
	if steps > limit || !w.first && steps > w.left {
		return false
	}
	if !w.first {
		w.left -= steps
	}
	return true
}

// seedFor finds the seed of a message (3.4, step 2), advancing the receiving chain or taking a skipped seed. Fresh says that
// the peer's ratchet key is new; the answering half of the step is left to turn, until the message has authenticated.
func (s *session) seedFor(m *wire.Signal, w *work) (seed keys.Secret, fresh bool, err error) {
	i := slices.IndexFunc(s.receiving, func(r received) bool { return r.their.Equal(m.RatchetKey) })
	if fresh = i < 0; fresh {
		if err := s.receive(m.RatchetKey); err != nil {
			return seed, fresh, err
		}
		i = len(s.receiving) - 1
	}
	jump := uint32(maxJump)
	if s.local.Equal(s.remote) {
		jump = maxJumpSelf
	}
	r := &s.receiving[i]
	// The last index of all would turn the chain's over to 0.
	if m.Counter == math.MaxUint32 || m.Counter > r.index && !w.may(m.Counter-r.index, jump) {
		return seed, fresh, refusal.Because(refusal.TooFarInFuture, "counter %d after %d", m.Counter, r.index)
	}
	seed, err = r.take(m.Counter)
	return seed, fresh, err
}

// take returns the seed of message number index, once; how far it may be ahead is for seedFor to say. Those passed over are kept; if there are
// more than maxSkipped the oldest go.
func (r *received) take(index uint32) (seed keys.Secret, err error) {
	if index < r.index {
		i, ok := slices.BinarySearchFunc(r.skipped, index, func(s skippedSeed, index uint32) int {
			return int(int64(s.index) - int64(index))
		})
		if !ok {
			return seed, refusal.Because(refusal.Duplicate, "counter %d was used or dropped", index)
		}
		seed = r.skipped[i].seed
		r.skipped = slices.Concat(r.skipped[:i], r.skipped[i+1:])
		return seed, nil
	}
	if index > r.index {
		skipped := slices.Clone(r.skipped)
		for r.index < index {
			s := skippedSeed{index: r.index}
			s.seed = r.step()
			if r.index+maxSkipped >= index { // the others would be dropped below
				skipped = append(skipped, s)
			}
		}
		r.skipped = skipped[max(0, len(skipped)-maxSkipped):]
	}
	return r.step(), nil
}
