package senderkey

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/record"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// Receiver is what we know of one sender device in one group: its newest keys. The zero value is ready. It serves one
// distribution id, or one group of the old layout, which has none; the caller keeps them apart.
type Receiver struct {
	states []state // newest first, at most maxStates
}

// state is one sender key.
type state struct {
	id      uint32
	signing keys.Public
	chain   chain
	skipped []skippedSeed // ascending, at most maxSkipped; never changed in place
}

type skippedSeed struct {
	iteration uint32
	seed      keys.Secret
}

// Accept takes a key that came in a pairwise message of that sender. A key that is known already stays as far as it has come, so that a
// repeated distribution does not make old messages readable again.
func (r *Receiver) Accept(d *wire.Distribution) {
	s := state{id: d.Chain, signing: d.Signing, chain: chain{d.Iteration, d.ChainKey}}
	rest := make([]state, 0, maxStates)
	for _, old := range r.states {
		switch {
		case old.id != s.id:
			rest = append(rest, old)
		case old.signing.Equal(s.signing):
			s = old
		}
	}
	r.states = append([]state{s}, rest[:min(len(rest), maxStates-1)]...)
}

// Decrypt opens a message (section 4): the chain it names, its signature, then its iteration.
func (r *Receiver) Decrypt(body []byte) ([]byte, error) {
	m, err := wire.ParseSenderKey(body)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.states, func(s state) bool { return s.id == m.Chain })
	if i < 0 {
		return nil, refusal.Because(refusal.NoSession, "no sender key %d", m.Chain)
	}
	sig := m.Signature()
	if !xeddsa.Verify(r.states[i].signing, m.Covered(), sig[:]) {
		return nil, kdf.Unauthentic()
	}
	next := r.states[i]
	seed, err := next.take(m.Iteration)
	if err != nil {
		return nil, err
	}
	key, iv := messageKeys(seed)
	defer key.Wipe()
	seed.Wipe()
	plaintext, err := kdf.DecryptCBC(key, iv, m.Ciphertext)
	if err != nil {
		return nil, err
	}
	r.states[i] = next
	return plaintext, nil
}

// take returns the seed of an iteration, once.
func (s *state) take(iteration uint32) (seed keys.Secret, err error) {
	switch {
	case iteration < s.chain.iteration:
		i, ok := slices.BinarySearchFunc(s.skipped, iteration, func(k skippedSeed, n uint32) int { return int(int64(k.iteration) - int64(n)) })
		if !ok {
			return seed, refusal.Because(refusal.Duplicate, "iteration %d was used or dropped", iteration)
		}
		seed = s.skipped[i].seed
		s.skipped = slices.Concat(s.skipped[:i], s.skipped[i+1:])
		return seed, nil
	case iteration-s.chain.iteration > maxJump, iteration == math.MaxUint32: // the last would turn the chain's over to 0
		return seed, refusal.Because(refusal.TooFarInFuture, "iteration %d after %d", iteration, s.chain.iteration)
	case iteration > s.chain.iteration:
		skipped := slices.Clone(s.skipped)
		for s.chain.iteration < iteration {
			n := s.chain.iteration
			seed := s.chain.step()
			if n+maxSkipped >= iteration { // the others would be dropped below
				skipped = append(skipped, skippedSeed{n, seed})
			}
		}
		s.skipped = skipped[max(0, len(skipped)-maxSkipped):]
	}
	return s.chain.step(), nil
}

// Stored form of a Receiver, version 1: version u8 ‖ u32 count, at most 5, newest first, then each: chain id u32 ‖ signing key 32 ‖
// iteration u32 ‖ chain key 32 ‖ u32 count, at most 2000 ‖ count × (iteration u32 ‖ seed 32).

// Marshal returns the stored form. It holds live keys.
func (r *Receiver) Marshal() []byte {
	var w record.Writer
	w.U8(storeVersion)
	w.U32(uint32(len(r.states)))
	for _, s := range r.states {
		w.U32(s.id)
		w.Public(s.signing)
		w.U32(s.chain.iteration)
		w.Secret(s.chain.key)
		w.U32(uint32(len(s.skipped)))
		for _, k := range s.skipped {
			w.U32(k.iteration)
			w.Secret(k.seed)
		}
	}
	return w.Bytes()
}

// UnmarshalReceiver reads a stored form.
func UnmarshalReceiver(b []byte) (*Receiver, error) {
	r := record.NewReader(b)
	if v := r.U8(); v != storeVersion {
		r.Failf("sender keys of version %d", v)
	}
	out := new(Receiver)
	for range r.Count(maxStates) {
		s := state{id: r.U32(), signing: r.Public(), chain: chain{r.U32(), r.Secret()}}
		if slices.ContainsFunc(out.states, func(o state) bool { return o.id == s.id }) {
			r.Failf("sender key %d twice", s.id)
		}
		for i := range r.Count(maxSkipped) {
			k := skippedSeed{r.U32(), r.Secret()}
			if k.iteration >= s.chain.iteration || i > 0 && k.iteration <= s.skipped[i-1].iteration {
				r.Failf("skipped seed %d out of order", k.iteration)
				break
			}
			s.skipped = append(s.skipped, k)
		}
		out.states = append(out.states, s)
	}
	return out, r.End()
}

// String prints no secret.
func (r *Receiver) String() string { return fmt.Sprintf("%d sender keys", len(r.states)) }

// Format keeps every verb from printing what is inside.
func (r *Receiver) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }
