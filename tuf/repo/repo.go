// Package repo authors TUF metadata: root, targets, channels, snapshot and timestamp, on go-tuf's
// metadata engine. It is pure. Bytes and a stamp come in, bytes go out; the same input gives the same
// bytes on every machine, so that each auditor derives a proposal anew and compares it.
//
// The parties: root holders and auditors sign root, targets and channels on their own machines; the
// publisher signs snapshot and timestamp online. Nobody's private key comes near this package: it gives
// the bytes to sign (Payload) and puts finished signatures in their place (Attach).
//
// The format is TUF 1.0.31 with consistent snapshots, sha256 only, and these fields of our own inside
// "signed", which TUF clients keep but do not read:
//
//	x-countersign-made    in every role: when it was made, RFC 3339, UTC, whole seconds
//	x-countersign-event   in root, targets and channels: id of the event it was signed for, 64 hex digits
//
// and in key objects x-countersign-holder, -organisation and -jurisdiction (ISO 3166 alpha-2). A key id
// is the sha256 of the key object's canonical JSON with these fields, so a key under another name is
// another key id; what counts as one key or one person is decided by Layout.Check and by the readers.
//
// Who may change what: whoever calls this can propose anything; only the quorum's signatures make it
// count. The worst a bug here can do is to let people sign something other than what they were shown,
// which is why Payload refuses metadata that different readers would serialise differently.
package repo

import (
	"crypto"
	"fmt"
	"regexp"
	"time"
)

// Names of our fields in signed metadata and in key objects.
const (
	fieldMade         = "x-countersign-made"
	fieldEvent        = "x-countersign-event"
	fieldHolder       = "x-countersign-holder"
	fieldOrganisation = "x-countersign-organisation"
	fieldJurisdiction = "x-countersign-jurisdiction"
)

// MaxMetadata is the largest metadata file that is authored or read here, in bytes. It is go-tuf's
// limit for targets, the largest role.
const MaxMetadata = 5_000_000

// Person is who answers for a key.
type Person struct {
	Name         string // as it is shown to users, such as "Ana Sousa"; one name is one person
	Organisation string // may be empty for the publisher's online keys
	Jurisdiction string // ISO 3166 alpha-2, upper case; may be empty for the publisher's online keys
}

// Holder is a person with one of their public keys: ed25519.PublicKey, or *ecdsa.PublicKey on P-256.
type Holder struct {
	Person
	Public crypto.PublicKey
}

// RoleKeys says who signs a role and how many of them must.
type RoleKeys struct {
	Holders []Holder
	Quorum  int // 1 … len(Holders)
}

// Channel is a delegated role, such as "stable", that names the releases under stable/.
type Channel struct {
	Name string
	RoleKeys
}

// Layout is a whole distribution's roles and keys.
type Layout struct {
	Root, Targets, Snapshot, Timestamp RoleKeys
	Channels                           []Channel
}

// Stamp is what changes with every version of a role.
type Stamp struct {
	Version int64     // from 1
	Made    time.Time // cut to whole seconds, written in UTC
	Expires time.Time // after Made; cut to whole seconds, written in UTC
	Event   string    // 64 lower-case hex digits, or empty; always empty for snapshot and timestamp
}

// File is one target.
type File struct {
	Path   string // slash separated: "policy.json", "stable/1.4.0/linux-amd64/messenger"
	Length int64  // bytes
	SHA256 [32]byte
	Custom map[string]string // may be nil; values are strings since JSON numbers differ between readers
}

var eventID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check refuses a stamp that would make metadata other readers choke on.
func (s Stamp) check(role string, event bool) error {
	switch {
	case s.Version < 1:
		return &MetadataError{role, fmt.Sprintf("version %d, want at least 1", s.Version)}
	case s.Made.IsZero():
		return &MetadataError{role, "no time of making"}
	case !seconds(s.Expires).After(seconds(s.Made)):
		return &MetadataError{role, fmt.Sprintf("expires %s, not after it was made, %s", timeText(s.Expires), timeText(s.Made))}
	case s.Expires.UTC().Year() > 9999:
		return &MetadataError{role, fmt.Sprintf("expires in the year %d", s.Expires.UTC().Year())}
	case !event && s.Event != "":
		return &MetadataError{role, "belongs to no event"}
	case event && s.Event != "" && !eventID.MatchString(s.Event):
		return &MetadataError{role, fmt.Sprintf("event %q, want 64 lower-case hex digits", s.Event)}
	}
	return nil
}

// fields returns our own signed fields.
func (s Stamp) fields() map[string]any {
	m := map[string]any{fieldMade: timeText(s.Made)}
	if s.Event != "" {
		m[fieldEvent] = s.Event
	}
	return m
}

// seconds cuts a time to what TUF metadata can carry: python-tuf refuses fractions and offsets, and
// go-tuf writes both without complaint.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func timeText(t time.Time) string { return seconds(t).Format(time.RFC3339) }

// parseTime reads exactly what timeText writes.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err == nil && timeText(t) != s {
		err = fmt.Errorf("%q is not in whole UTC seconds", s)
	}
	return t, err
}

// MetadataError says that metadata, or what it was to be made from, is not acceptable.
type MetadataError struct {
	Role   string // "root", "targets", "channel", "snapshot", "timestamp" or "metadata" where not known
	Reason string
}

func (e *MetadataError) Error() string { return e.Role + ": " + e.Reason }

// Refused is true: the bytes were in hand and wrong.
func (e *MetadataError) Refused() bool { return true }

func refusef(role, format string, args ...any) error {
	return &MetadataError{role, fmt.Sprintf(format, args...)}
}
