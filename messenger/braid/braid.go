// Package braid is SPQR, the post-quantum ratchet that runs beside the Double Ratchet and salts its message keys (3.10 of
// the wire specification).
//
// Each message carries a few bytes of an ML-KEM-768 exchange that takes some seventy messages to complete; when it does, both
// sides mix the shared secret into their chains, and whoever had stolen the state before, quantum computer or not, is locked out.
// One side owns the key pair of an epoch, the other encapsulates to it; then the roles change.
//
// The messages are authenticated by the message around them, and what they add up to once more by the authenticator. A
// network that drops, repeats and reorders only slows an epoch down.
//
// A State is a value: Send and Receive return the next one and leave the old one as it was, so that the caller commits when the
// message's MAC has been checked, and not before.
package braid

import (
	"fmt"
	"io"
	"slices"

	"github.com/countersign-project/countersign/messenger/braid/erasure"
	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Lengths of the blobs that are sent in chunks.
const (
	headerBlob = split.HeaderSize + macSize
	ct2Blob    = split.Ct2Size + macSize
)

// phase is where this side stands in the exchange of the current epoch. The numbers are stored.
type phase uint8

const (
	// The owner of the epoch's key pair.
	ownUnsampled   phase = 1 // no keys yet
	ownSampled     phase = 2 // sends header chunks
	ownHeaderSent  phase = 3 // sends ek chunks, collects ct1
	ownCt1Received phase = 4 // sends ek chunks with the acknowledgement
	ownEkSent      phase = 5 // sends the acknowledgement, collects ct2
	// The other side.
	encNoHeader       phase = 6  // collects the header
	encHeaderReceived phase = 7  // will encapsulate when it next sends
	encCt1Sampled     phase = 8  // sends ct1 chunks, collects ek
	encEkReceived     phase = 9  // sends ct1 chunks until they are acknowledged
	encAcknowledged   phase = 10 // ct1 is there; collects the rest of ek
	encCt2Sampled     phase = 11 // sends ct2 chunks until the next epoch begins
)

// State is one side of the ratchet. The zero value is not usable.
type State struct {
	initiator bool
	epoch     uint64 // of the exchange, from 1; the chain is one behind until it completes
	phase     phase
	waiting   bool // we offered SPQR (index 0) and have no answer yet
	heard     bool // something with a key was received
	auth      authenticator
	chain     chain

	seed   [64]byte // own key pair: ownSampled to ownEkSent
	out    *erasure.Encoder
	next   uint16           // number of the next chunk of out
	in     *erasure.Decoder // what is being collected
	ct1    []byte           // received (ownCt1Received, ownEkSent) or sent (encCt1Sampled to encAcknowledged)
	header split.Header     // encHeaderReceived to encAcknowledged
	encaps split.Encapsulation
	ct2    []byte // ct2 ‖ MAC, made early: encEkReceived
}

// New starts the ratchet from the handshake's key. The session's initiator owns the first key pair. With offer, an
// initiator sends messages without keys until the peer has answered with one, for peers that may not know SPQR.
func New(auth keys.Secret, initiator, offer bool) *State {
	s := &State{initiator: initiator, epoch: 1, phase: encNoHeader, waiting: initiator && offer,
		auth: newAuthenticator(auth), chain: newChain(auth, initiator)}
	if initiator {
		s.phase = ownUnsampled
	} else {
		s.in = erasure.NewDecoder(headerBlob)
	}
	return s
}

// Epoch returns the number of completed exchanges that this side's sending depends on.
func (s *State) Epoch() uint64 { return s.epoch - 1 }

// Waiting tells whether SPQR was offered and not answered yet. Only then may the peer's first answer do without it.
func (s *State) Waiting() bool { return s.waiting }

// Heard tells whether a message with a key was ever received: from then on, one without is a downgrade.
func (s *State) Heard() bool { return s.heard }

// Send returns the next message, the key that salts the message's keys (nil while only offered), and the next state.
func (s *State) Send(rand io.Reader) (wire.SPQR, []byte, *State, error) {
	next := s.successor()
	m := wire.SPQR{Epoch: s.epoch}
	if err := next.send(&m, rand); err != nil {
		return m, nil, nil, err
	}
	if next.waiting {
		return m, nil, next, nil // index 0
	}
	index, key, err := next.chain.sendKey(m.Epoch - 1)
	if err != nil {
		return m, nil, nil, err
	}
	m.Index = index
	return m, key[:], next, nil
}

// Receive takes a message in and returns the key that salts the message's keys (nil if the peer only offers) and the next
// state, to be committed when the MAC has been checked.
func (s *State) Receive(m wire.SPQR) ([]byte, *State, error) {
	next := s.successor()
	if err := next.receive(m); err != nil {
		return nil, nil, err
	}
	if m.Index == 0 && m.Epoch == 1 && !s.heard && !s.initiator {
		return nil, next, nil
	}
	key, err := next.chain.recvKey(m.Epoch-1, m.Index)
	if err != nil {
		return nil, nil, err
	}
	next.heard, next.waiting = true, false
	return key[:], next, nil
}

// Steps returns how many chain steps Receive would make for a message, so that the caller can bound the work for one that is not authentic.
func (s *State) Steps(m wire.SPQR) uint32 {
	i, err := s.chain.at(m.Epoch - 1)
	if err != nil {
		return 0
	}
	have := s.chain.links[i].recv.counter
	return max(m.Index, have) - have
}

// Kept counts the keys kept for late messages.
func (s *State) Kept() (n int) {
	for _, l := range s.chain.links {
		n += len(l.recv.skipped)
	}
	return n
}

// Forget returns the state without the keys kept for late messages. Wipe the old one.
func (s *State) Forget() *State {
	next := s.successor()
	for i := range next.chain.links {
		next.chain.links[i].recv.skipped = nil
	}
	return next
}

// successor is a copy that can be changed. Secrets in it are its own, but for the skipped keys, which both may hold.
func (s *State) successor() *State {
	next := *s
	next.chain.links = append(make([]link, 0, maxLinks+1), s.chain.links...)
	return &next
}

// chunk takes the next chunk to send.
func (s *State) chunk(m *wire.SPQR, kind uint8) {
	c := s.out.Chunk(s.next)
	m.Kind, m.Chunk, m.Data = kind, c.Number, c.Data
	s.next++ // after 65 535 they are sent again from the start
}

func (s *State) start(out []byte) {
	s.out, s.next = erasure.NewEncoder(out), 0
}

// Wipe overwrites the secrets this state does not share with its successor, which is nil if there is none.
func (s *State) Wipe(next *State) {
	s.auth.root.Wipe()
	s.auth.mac.Wipe()
	s.chain.root.Wipe()
	for i := range s.chain.links {
		d := &s.chain.links[i].recv
		s.chain.links[i].send.next.Wipe()
		d.next.Wipe()
		if next == nil || !slices.ContainsFunc(next.chain.links, func(l link) bool { return l.recv.sharesSkipped(d) }) {
			clear(d.skipped)
		}
	}
	clear(s.seed[:])
	s.encaps.Wipe()
}

// Format keeps every verb from printing what is inside.
func (s *State) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "SPQR in epoch %d", s.epoch) }

func (p phase) owner() bool { return p <= ownEkSent }

func outOfRange(got, have uint64) error {
	return refusal.Because(refusal.InvalidMessage, "spqr epoch %d, have %d", got, have)
}
