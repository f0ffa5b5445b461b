// Package refusal is the vocabulary in which the messenger's pure packages say no.
//
// Callers act on the kind, never on the text: a duplicate is acknowledged and dropped, a missing session is
// answered with a fresh bundle, an untrusted identity is shown to the person. The kinds are those of
// section 3.9 of the wire specification, and Downgrade of section 1. The text is for logs; it names sizes, versions
// and ids, never a key, a plaintext or a whole message.
//
// Everything that arrives over the network may be forged, so a kind tells what the bytes in hand look like, not who made them.
package refusal

import (
	"errors"
	"fmt"
)

// Kind is one reason to refuse. It is itself an error, so errors.Is(err, refusal.Duplicate) works.
type Kind string

const (
	// Duplicate: this message key was used before, or was dropped because too many were skipped. Acknowledge and forget.
	Duplicate Kind = "duplicate message"
	// LegacyVersion: a protocol version nobody should speak any more, or v2 while the v2 switch is off.
	LegacyVersion Kind = "legacy version"
	// UnknownVersion: a version newer than ours.
	UnknownVersion Kind = "unknown version"
	// InvalidMessage: bad MAC, bad padding, bad protobuf, wrong lengths. MAC and padding are never told apart.
	InvalidMessage Kind = "invalid message"
	// InvalidKeyID: the message names a prekey we do not hold: used up, or never ours.
	InvalidKeyID Kind = "invalid key id"
	// InvalidKey: a public key of the wrong type or form, or a signature that does not hold.
	InvalidKey Kind = "invalid key"
	// NoSession: nothing to encrypt or decrypt with; fetch a bundle.
	NoSession Kind = "no session"
	// UntrustedIdentity: the identity key is not the one on record; see UntrustedIdentityError.
	UntrustedIdentity Kind = "untrusted identity"
	// TooFarInFuture: the counter jumps further than a lossy network explains.
	TooFarInFuture Kind = "too far in the future"
	// StaleBundle: a prekey bundle, or a session made from one, of a device that was set up anew since: its registration id is not the one the
	// server names (6.4, status 410). It is for those who fetch bundles and send; judging keys and messages cannot tell.
	StaleBundle Kind = "stale bundle"
	// Downgrade: an older protocol version than this contact is known to speak. The server can strip keys, so a person decides.
	Downgrade Kind = "protocol downgrade"
)

// Error returns the name of the kind.
func (k Kind) Error() string { return string(k) }

// Refused tells whether the kind means "checked and found wrong", as opposed to "cannot tell, something is missing".
func (k Kind) Refused() bool {
	return k != NoSession && k != InvalidKeyID && k != StaleBundle
}

// Error is a kind with its circumstances.
type Error struct {
	Kind   Kind
	Detail string
}

// Because returns an error of kind k; the format says what was wrong with what.
func Because(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap returns the kind, for errors.Is.
func (e *Error) Unwrap() error { return e.Kind }

// Refused reports Kind.Refused.
func (e *Error) Refused() bool { return e.Kind.Refused() }

// UntrustedIdentityError carries what a person needs to decide: whose key changed, and to which key.
// The caller still holds the message, and may replay it after the person has accepted the key.
type UntrustedIdentityError struct {
	Name string   // the contact's name, as the caller gave it
	Key  [32]byte // the new identity key (Curve25519, without type byte)
}

func (e *UntrustedIdentityError) Error() string {
	return fmt.Sprintf("%s: the identity key of %q is not the one on record", UntrustedIdentity, e.Name)
}

// Unwrap returns UntrustedIdentity.
func (e *UntrustedIdentityError) Unwrap() error { return UntrustedIdentity }

// Refused is true.
func (e *UntrustedIdentityError) Refused() bool { return true }

// Of returns the kind of err, or "" when err is nil or not of this package.
func Of(err error) Kind {
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return ""
}
