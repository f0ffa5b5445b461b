package keys

import (
	"crypto/subtle"
	"fmt"
)

// Secret is 32 secret bytes: a shared secret, a root or chain key, a seed. It never prints itself.
type Secret [32]byte

// String returns nothing, so that a careless log line leaks nothing.
func (Secret) String() string { return "" }

// GoString returns nothing.
func (Secret) GoString() string { return "" }

// Format prints nothing, whatever the verb.
func (Secret) Format(fmt.State, rune) {}

// Equal compares in constant time.
func (s Secret) Equal(t Secret) bool { return subtle.ConstantTimeCompare(s[:], t[:]) == 1 }

// Wipe overwrites the secret.
func (s *Secret) Wipe() { clear(s[:]) }

// SecretBytes are secret bytes of another length: an attachment's key, a profile key, a sender key on its way. They never print themselves.
type SecretBytes []byte

// String returns nothing.
func (SecretBytes) String() string { return "" }

// Format prints nothing, whatever the verb.
func (SecretBytes) Format(fmt.State, rune) {}
