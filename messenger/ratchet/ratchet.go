// Package ratchet keeps the sessions with one device of a contact and encrypts and decrypts with them: the Double Ratchet of v2, v3
// and v4, with SPQR beside it in v4.
//
// The parties: us, with an identity key and prekeys; the device at the other end; and a server between, which may drop,
// delay, repeat, reorder, forge and reflect messages, and hand out whatever bundle it likes. It must never make us
// accept what the peer did not send, lose what the peer sends later, or fall back to an older protocol unseen.
//
// A Record is all there is to know about one address. Its methods compute on the side and change the Record once, after MAC,
// padding and identity have been checked; after an error it is, byte for byte, what it was. There is no I/O: prekeys, time,
// randomness and the identity on record come in as arguments, and Marshal goes out. The caller must have stored the new Record
// before it sends a message or acknowledges one. Whoever reads a stored Record reads the messages to come until both
// sides have turned the ratchet; whoever restores an old one makes a chain key be used twice, which the peer answers with "duplicate".
//
// A Record is for one goroutine at a time. Numbers in comments are sections of the wire specification.
package ratchet

import (
	"io"
	"time"

	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// Limits of 3.6.
const (
	maxSkipped    = 2_000
	maxJump       = 25_000
	maxReceiving  = 5
	maxArchived   = 40
	maxUnanswered = 30 * 24 * time.Hour
	// maxKept bounds what the archived sessions of one record keep for late messages, together and of both ratchets: the limits above allow
	// a hostile peer some twenty megabytes, to be written with every message. Honest ones stay far below.
	maxKept = 25_000
	// maxJumpSelf is for sessions with ourselves (Setting.Self), which other clients do not limit at all. The counter is not authentic yet when
	// the steps are made, so without a limit one forged message would cost an hour.
	maxJumpSelf = 1_000_000
)

// Kind of a message, with the numbers of the libraries (3.1). The transport has numbers of its own (7.3).
type Kind uint8

// Kinds.
const (
	Whisper Kind = 2 // wire.ParseSignal
	PreKey  Kind = 3 // wire.ParsePreKey
)

// Message is ready to be sent.
type Message struct {
	Kind           Kind
	Body           []byte
	RegistrationID uint32 // of the device it is for
}

// Setting is what a call takes from the world.
type Setting struct {
	Identity       *keys.Private // ours
	RegistrationID uint32        // ours, 14 bit

	Peer         string      // the contact's name, for errors
	PeerIdentity keys.Public // the identity key on record, if Known
	Known        bool
	// Self says that the peer is another device of ours. It must then have our identity key, and nobody else may: a server that hands
	// out our own keys as a contact's could reflect to us what we write to him.
	Self bool
	// AcceptChange says that the person has accepted, or policy accepts, an identity key other than the one on record (3.8).
	AcceptChange bool

	Policy handshake.Policy
	Now    time.Time // for the age of unanswered sessions
	Rand   io.Reader // a cryptographic source
}

// checkIdentity refuses a key that is not the one on record, unless the change is accepted (3.8); and our own as anybody else's.
func (w *Setting) checkIdentity(key keys.Public) error {
	switch ours := key.Equal(w.Identity.Public()); {
	case ours && !w.Self:
		return refusal.Because(refusal.InvalidKey, "the identity key of %q is our own", w.Peer)
	case !ours && w.Self:
		return &refusal.UntrustedIdentityError{Name: w.Peer, Key: key}
	}
	if w.Known && !w.AcceptChange && !key.Equal(w.PeerIdentity) {
		return &refusal.UntrustedIdentityError{Name: w.Peer, Key: key}
	}
	return nil
}

// Opened is a decrypted message and what the caller has to do about it.
type Opened struct {
	Plaintext []byte
	// Identity is the key the message was authenticated with. Store it; if it is not the one on record, tell the person, and
	// Archive the sessions of the contact's other devices.
	Identity keys.Public
	// Started says that a session was started by this message. Delete the one-time prekey (unless it is the last-resort one), and remember
	// the use of a last-resort Kyber prekey: (kyber id, signed prekey id, base key).
	Started bool
	// Level is what the session gives.
	Level handshake.Level
}
