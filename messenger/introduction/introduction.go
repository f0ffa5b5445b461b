// Package introduction is a person's signed word about the keys of two others (5): "of these two, whom I have both verified, the first has this key and the
// second has that one". Alice gives it to Bob so that he knows Carol's key from somebody other than the server, and to Carol about Bob.
//
// The parties: the introducer, who signs with his identity key; the recipient, to whom it is said; and the other, about whom. The server only carries
// it, inside an encrypted message. It proves no more than that the introducer said so: whoever holds his key can say anything, and what he says may be out of date.
// So it counts for those only who have verified him, and it is never more than his word.
//
// Both keys are named, so that it can be held against another key of the other's later, and is of no use to anybody but the recipient. A time
// is in it, so that an old one does not come back after a new one. Addresses are as the introducer's server has them.
//
// The signed bytes, integers big-endian: "CSIN1" ‖ time 8, milliseconds since 1970 ‖ recipient ‖ other, where a person is address ‖ key, each of them
// its length in bytes 2 ‖ the bytes; a key is serialised, 33 bytes. What is signed is "Countersign introduction" ‖ 0 ‖ those bytes. There is one encoding of a
// statement: Parse refuses others.
package introduction

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/xeddsa"
)

const (
	magic   = "CSIN1"
	context = "Countersign introduction\x00"
	// MaxAddress bounds an address in bytes: a number of up to 32 digits, an "@", and a server's name of up to 63.
	MaxAddress = 100
	// MaxSize bounds a statement in bytes.
	MaxSize = len(magic) + 8 + 2*(2+MaxAddress+2+33)
)

// Person is an address with its identity key.
type Person struct {
	Address string // 1 to MaxAddress bytes
	Key     keys.Public
}

// Statement is what is signed.
type Statement struct {
	Time      uint64 // milliseconds since 1970, not 0
	Recipient Person
	Other     Person // of another key
}

// Encode serialises s.
func (s Statement) Encode() []byte {
	b := append(make([]byte, 0, MaxSize), magic...)
	b = binary.BigEndian.AppendUint64(b, s.Time)
	for _, p := range []Person{s.Recipient, s.Other} {
		for _, part := range [][]byte{[]byte(p.Address), p.Key.Bytes()} {
			b = binary.BigEndian.AppendUint16(b, uint16(len(part)))
			b = append(b, part...)
		}
	}
	return b
}

// Sign returns the encoded statement and the introducer's signature over it.
func (s Statement) Sign(introducer *keys.Private, rand io.Reader) (statement []byte, sig xeddsa.Signature, err error) {
	statement = s.Encode()
	if _, err := Parse(statement); err != nil {
		return nil, sig, err
	}
	sig, err = xeddsa.Sign(introducer, append([]byte(context), statement...), rand)
	return statement, sig, err
}

// Open checks the introducer's signature, and then reads the statement.
func Open(introducer keys.Public, statement, sig []byte) (Statement, error) {
	if len(statement) > MaxSize || !xeddsa.Verify(introducer, append([]byte(context), statement...), sig) {
		return Statement{}, refusal.Because(refusal.InvalidKey, "the introduction is not signed by the introducer's identity key")
	}
	return Parse(statement)
}

// Parse reads the one encoding of a statement. It proves nothing: Open does.
func Parse(b []byte) (s Statement, err error) {
	if len(b) > MaxSize {
		return s, refusal.Because(refusal.InvalidMessage, "introduction: got %d bytes, want at most %d", len(b), MaxSize)
	}
	if len(b) < len(magic)+8 || !bytes.HasPrefix(b, []byte(magic)) {
		return s, refusal.Because(refusal.InvalidMessage, "introduction: no statement of the form CSIN1")
	}
	s.Time = binary.BigEndian.Uint64(b[len(magic):])
	if s.Time == 0 {
		return s, refusal.Because(refusal.InvalidMessage, "introduction: it has no time")
	}
	rest := b[len(magic)+8:]
	for _, p := range []*Person{&s.Recipient, &s.Other} {
		if rest, err = parsePerson(p, rest); err != nil {
			return Statement{}, err
		}
	}
	if len(rest) > 0 {
		return Statement{}, refusal.Because(refusal.InvalidMessage, "introduction: %d bytes behind its end", len(rest))
	}
	if s.Recipient.Key.Equal(s.Other.Key) {
		return Statement{}, refusal.Because(refusal.InvalidMessage, "introduction: both people have one key")
	}
	return s, nil
}

func parsePerson(p *Person, b []byte) (rest []byte, err error) {
	address, b, ok := cut(b)
	if !ok || len(address) == 0 || len(address) > MaxAddress {
		return nil, refusal.Because(refusal.InvalidMessage, "introduction: got an address of %d bytes, want 1 to %d", len(address), MaxAddress)
	}
	key, rest, ok := cut(b)
	if !ok {
		return nil, refusal.Because(refusal.InvalidMessage, "introduction: it is cut off")
	}
	if len(key) > keys.PublicSize { // which ParsePublic allows
		return nil, refusal.Because(refusal.InvalidMessage, "introduction: got a key of %d bytes, want %d", len(key), keys.PublicSize)
	}
	p.Address = string(address)
	p.Key, err = keys.ParsePublic(key)
	return rest, err
}

// cut takes off a part with its length before it.
func cut(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) > len(b)-2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:n], b[n:], true
}
