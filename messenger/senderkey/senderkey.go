// Package senderkey encrypts to a group once: every member holds the sender's chain key and signature key, so one ciphertext does
// for all (section 4 of the wire specification).
//
// A sender hands its key to each member inside a pairwise message, and signs what it sends, because all members could make
// the MACs. A member can read everything the sender sends until the key is replaced: there is no healing inside a period, so
// the caller replaces the key (a new Sender) when a member or device leaves, when an identity changes, and when Worn says so.
// A server can drop and reorder; it cannot read, forge or make us read twice.
//
// Sender and Receiver change only after the last check. The stored forms hold live keys.
package senderkey

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/countersign-project/countersign/messenger/kdf"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/record"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

// Limits of section 4.
const (
	maxStates  = 5      // of one sender and distribution
	maxSkipped = 2_000  // kept keys of a state
	maxJump    = 25_000 // iterations ahead
	// When to replace a key.
	wornMessages = 1_000
	wornAge      = 14 * 24 * time.Hour
)

const label = "WhisperGroup"

// chain makes one key after the other.
type chain struct {
	iteration uint32
	key       keys.Secret
}

func (c *chain) step() keys.Secret {
	seed, next := kdf.Chain(c.key)
	c.key, c.iteration = next, c.iteration+1
	return seed
}

// messageKeys expands a seed: IV ‖ key.
func messageKeys(seed keys.Secret) (key keys.Secret, iv [16]byte) {
	b := kdf.HKDF(nil, seed[:], label, 48)
	copy(iv[:], b)
	copy(key[:], b[16:])
	clear(b)
	return key, iv
}

// Sender is our own key in one group.
type Sender struct {
	distribution [16]byte
	id           uint32 // of the chain, 31 bit
	chain        chain
	signing      *keys.Private
	made         int64 // Unix seconds
}

// NewSender draws a key for a distribution id, one random UUID per device and group.
func NewSender(distribution [16]byte, now time.Time, random io.Reader) (*Sender, error) {
	var b [4 + 32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("random bytes for a sender key: %w", err)
	}
	s := &Sender{distribution: distribution, id: binary.BigEndian.Uint32(b[:]) >> 1, made: max(0, now.Unix())}
	copy(s.chain.key[:], b[4:])
	clear(b[:])
	var err error
	s.signing, err = keys.Generate(random)
	return s, err
}

// Distribution is what a member needs to read from now on; not what was sent before.
func (s *Sender) Distribution() wire.Distribution {
	return wire.Distribution{Distribution: s.distribution, Chain: s.id, Iteration: s.chain.iteration, ChainKey: s.chain.key, Signing: s.signing.Public()}
}

// Worn tells whether the key has served long enough: 1 000 messages, or 14 days.
func (s *Sender) Worn(now time.Time) bool {
	return s.chain.iteration >= wornMessages || now.Unix()-s.made > int64(wornAge/time.Second)
}

// Encrypt seals a plaintext for the group. The caller stores the Sender before it sends the message.
func (s *Sender) Encrypt(plaintext []byte, random io.Reader) ([]byte, error) {
	if s.chain.iteration == math.MaxUint32 {
		return nil, refusal.Because(refusal.NoSession, "the sender key is used up")
	}
	if len(plaintext) > wire.MaxPlaintext {
		return nil, fmt.Errorf("plaintext of %d bytes, want at most %d: send it as an attachment", len(plaintext), wire.MaxPlaintext)
	}
	next := s.chain
	key, iv := messageKeys(next.step())
	defer key.Wipe()
	m := wire.SenderKey{Distribution: s.distribution, Chain: s.id, Iteration: s.chain.iteration, Ciphertext: kdf.EncryptCBC(key, iv, plaintext)}
	b, err := m.Seal(func(covered []byte) ([wire.SignatureSize]byte, error) {
		sig, err := xeddsa.Sign(s.signing, covered, random)
		return sig, err
	})
	if err != nil {
		return nil, err
	}
	s.chain.key.Wipe()
	s.chain = next
	return b, nil
}

// Stored form of a Sender, version 1: version u8 ‖ distribution 16 ‖ chain id u32 ‖ iteration u32 ‖ chain key 32 ‖ signing key 32 ‖
// made u64 (Unix seconds).
const storeVersion = 1

// Marshal returns the stored form. It holds live keys.
func (s *Sender) Marshal() []byte {
	var w record.Writer
	w.U8(storeVersion)
	w.Fixed(s.distribution[:])
	w.U32(s.id)
	w.U32(s.chain.iteration)
	w.Secret(s.chain.key)
	w.Secret(s.signing.Scalar())
	w.U64(uint64(s.made))
	return w.Bytes()
}

// UnmarshalSender reads a stored form.
func UnmarshalSender(b []byte) (*Sender, error) {
	r := record.NewReader(b)
	if v := r.U8(); v != storeVersion {
		r.Failf("sender key of version %d", v)
	}
	s := &Sender{distribution: [16]byte(r.Fixed(16)), id: r.U32(), chain: chain{r.U32(), r.Secret()}}
	scalar := r.Secret()
	var err error
	if s.signing, err = keys.NewPrivate(scalar); err != nil || s.signing.Scalar() != scalar {
		r.Failf("private key is not clamped")
	}
	made := r.U64()
	if made > 1<<40 {
		r.Failf("sender key made at %d", made)
	}
	s.made = int64(made)
	return s, r.End()
}

// String prints no secret.
func (s *Sender) String() string { return fmt.Sprintf("sender key %d at %d", s.id, s.chain.iteration) }

// Format keeps every verb from printing what is inside.
func (s *Sender) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// DistributionID draws a random UUID (version 4).
func DistributionID(random io.Reader) (id [16]byte, err error) {
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return id, fmt.Errorf("random bytes for a distribution id: %w", err)
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}
