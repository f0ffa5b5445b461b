package trust

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoTarget says that no loaded role names the path asked for.
var ErrNoTarget = errors.New("no role names this target")

// QuorumError: fewer distinct authorised keys signed than the role needs.
type QuorumError struct {
	Role       string
	Need       int
	Signers    []Key // who did sign, distinct
	Authorised []Key // who may sign
}

func (e *QuorumError) Error() string {
	return fmt.Sprintf("%s: quorum not reached: %d of the %d keys authorised signed%s, %d needed",
		e.Role, len(e.Signers), len(e.Authorised), who(e.Signers), e.Need)
}

// Refused is true: the bytes were checked and found wrong.
func (e *QuorumError) Refused() bool { return true }

// who renders " (ada, ben)" for error texts, or nothing for nobody.
func who(keys []Key) string {
	if len(keys) == 0 {
		return ""
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Holder
		if names[i] == "" {
			names[i] = "key " + k.ID[:min(8, len(k.ID))]
		}
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// ExpiredError: the role is past its date. It smells of age before it smells
// of attack, and waiting for a fresher copy can heal it; so it is not Refused.
type ExpiredError struct {
	Role    string
	Expires time.Time
	Now     time.Time
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("%s: expired on %s, now is %s", e.Role,
		e.Expires.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
}

// RollbackError: the role is older than one already seen.
type RollbackError struct {
	Role string
	Got  int64
	Have int64
}

func (e *RollbackError) Error() string {
	return fmt.Sprintf("%s: version %d offered, but version %d was seen before", e.Role, e.Got, e.Have)
}

// Refused is true: the bytes were checked and found wrong.
func (e *RollbackError) Refused() bool { return true }

// FormatError: the bytes are not metadata as we accept it.
type FormatError struct {
	Role   string
	Where  string // path inside the JSON such as "signed.roles.root.threshold"; "" for the whole
	Reason string
}

func (e *FormatError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("%s: %s", e.Role, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", e.Role, e.Where, e.Reason)
}

// Refused is true: the bytes were checked and found wrong.
func (e *FormatError) Refused() bool { return true }

// MismatchError: the role differs from what the role above says about it.
type MismatchError struct {
	Role string
	What string // "length", "sha256", "sha512", "version", "type", "presence"
	Got  string
	Want string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: %s is %s, want %s", e.Role, e.What, e.Got, e.Want)
}

// Refused is true: the bytes were checked and found wrong.
func (e *MismatchError) Refused() bool { return true }
