// Package transcript finds out whether all members of a group have seen the same conversation (section 12 of the wire
// specification).
//
// Each message names, by hash, the newest messages its author has seen. A server that delivers selectively, reorders or splits
// the group leaves gaps that the next message of anyone shows; an author who tells two members two different things under one
// number is found out as soon as either is cited to the other. Nothing is signed: what members prove to each other proves
// nothing to a third party.
//
// A hash in a message is also a receipt: it is only ever sent inside the group. The nonce keeps one who was left out from
// guessing a short text by its hash.
//
// Transcript is the view of one device on one group. It keeps hashes, numbers and names, never a text, so deleted
// and expired messages stay consistent; the newest only, so that it does not grow with the group's age (Window): what was cut is found in an Archive, and
// who has acknowledged it is summed up. It does no I/O of its own, and messages are authenticated by the pairwise session, or the sender key, they came in.
package transcript

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/refusal"
)

// MaxParents is the most parents a message may name.
const MaxParents = 8

// ID is the hash of a message as it was meant: not of its ciphertext, nor of its padding.
type ID [32]byte

// String returns the first eight bytes in hexadecimal, for logs.
func (id ID) String() string { return hex.EncodeToString(id[:8]) }

// Author is one device of a member since one installation. Counters count per author.
type Author struct {
	Member  string // E.164 or name, as in the group's member list
	Device  uint32
	Install uint64 // drawn at installation; a reinstalled device starts another
}

// Message is what the hash covers.
type Message struct {
	Group       []byte
	Author      Author
	Counter     uint64 // of the author in this group, from 1
	Timestamp   uint64 // milliseconds since 1970
	Nonce       [16]byte
	Body        string
	Attachments [][32]byte // attachment.Pointer.Commitment of each: key, digest and size, so that all members open the same file
	Flags       uint32
	Parents     []ID     // the author's own previous message first, then the heads it knows
	Membership  [32]byte // MembershipHash of the members the author sends to
}

// label separates these hashes from all others.
const label = "TC1"

// ID computes the hash: SHA-256("TC1" ‖ the fields in order), numbers as 8 bytes big-endian, everything of variable length
// with its length as 8 bytes before it.
func (m *Message) ID() ID {
	var b []byte
	number := func(n uint64) { b = binary.BigEndian.AppendUint64(b, n) }
	bytes := func(s []byte) { number(uint64(len(s))); b = append(b, s...) }
	b = append(b, label...)
	bytes(m.Group)
	bytes([]byte(m.Author.Member))
	number(uint64(m.Author.Device))
	number(m.Author.Install)
	number(m.Counter)
	number(m.Timestamp)
	b = append(b, m.Nonce[:]...)
	bytes([]byte(m.Body))
	number(uint64(len(m.Attachments)))
	for _, d := range m.Attachments {
		b = append(b, d[:]...)
	}
	number(uint64(m.Flags))
	number(uint64(len(m.Parents)))
	for _, p := range m.Parents {
		b = append(b, p[:]...)
	}
	b = append(b, m.Membership[:]...)
	return sha256.Sum256(b)
}

// check refuses what no honest author sends.
func (m *Message) check() error {
	switch {
	case m.Author.Member == "" || len(m.Author.Member) > maxName:
		return refusal.Because(refusal.InvalidMessage, "transcript: author's name of %d bytes, want 1 to %d", len(m.Author.Member), maxName)
	case m.Counter == 0:
		return refusal.Because(refusal.InvalidMessage, "transcript: counter 0")
	case m.Counter > 1 && len(m.Parents) == 0:
		return refusal.Because(refusal.InvalidMessage, "transcript: message %d of its author without a parent", m.Counter)
	case len(m.Parents) > MaxParents:
		return refusal.Because(refusal.InvalidMessage, "transcript: %d parents, want at most %d", len(m.Parents), MaxParents)
	}
	for i, p := range m.Parents {
		if slices.Contains(m.Parents[:i], p) {
			return refusal.Because(refusal.InvalidMessage, "transcript: parent %s twice", p)
		}
	}
	return nil
}

// MembershipHash is SHA-256 over the sorted, length-prefixed names of all members, sender included.
func MembershipHash(members []string) [32]byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, strings.Compare)
	var b []byte
	for _, m := range slices.Compact(sorted) {
		b = binary.BigEndian.AppendUint64(b, uint64(len(m)))
		b = append(b, m...)
	}
	return sha256.Sum256(b)
}
