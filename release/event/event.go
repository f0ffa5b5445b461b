// Package event is one proposed change of a distribution while people sign it: a new release in a
// channel, the first version of everything, or renewed and changed roles.
//
// # World
//
// The publisher opens an event; it is a directory named by the SHA-256 of its event.json, the event id.
// Auditors read it (over HTTP or from a stick), rebuild, and answer with signatures and statements, each
// a file of its own named by its key. So merging two copies is a set union: nobody's answer can collide
// with anybody else's, and no answer has to be made while another one waits.
//
//	<id>/event.json                      what is proposed; fixes the length and sha256 of every file below
//	<id>/release.json                    kind release: the manifest
//	<id>/artifacts/linux-amd64/messenger kind release: what was built
//	<id>/source.bundle, <id>/modules.tar kind release: what it was built from (git bundle; GOPROXY layout)
//	<id>/distribution.toml               kinds distribution and roles: people, keys, numbers
//	<id>/base/1.root.json, …             the published metadata this builds on, for people without a network
//	<id>/metadata/<role>.json            the proposed metadata, unsigned; see Derive
//	<id>/signatures/<role>.<keyid>.json  answers
//	<id>/statements/<key>.<payload>.json answers: sigstore bundles
//
// The proposed metadata carries the event id in a signed field, and is a pure function (Derive) of
// event.json and the files it names. Whoever signs derives it again and refuses a byte that differs; so
// a signature for one event is worthless for every other, and the publisher cannot slip in a field.
//
// # Who may change what, and the worst they can do
//
// The publisher may open events and leave them lying; it cannot make one pass, nor change one after its
// id was told. A courier (web server, stick) may withhold or garble; garbled files are refused by hash
// and named. An auditor may add only what their own keys signed. Nothing here decides whether a release
// is good: that is release/genuine, asked by release/publish before a byte is written.
package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
)

// Format is the value of event.json's "format".
const Format = "countersign-event-1"

// Kind says what an event proposes.
type Kind string

// The kinds of event.
const (
	KindDistribution Kind = "distribution" // version 1 of root, targets and every channel, from distribution.toml
	KindRelease      Kind = "release"      // one release in one channel
	KindRoles        Kind = "roles"        // later versions of roles: renewed before they expire, or from a changed distribution.toml
)

// MaxEvent is the largest event.json that is read, in bytes.
const MaxEvent = 256 << 10

// ID is the SHA-256 of an event.json: the name of an event and of its directory.
type ID [sha256.Size]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short is the start of the id, enough for people to tell two events apart, never used to find one.
func (id ID) Short() string { return id.String()[:12] }

// ParseID reads 64 lower case hex digits.
func ParseID(s string) (ID, error) {
	var d genuine.Digest
	if err := d.UnmarshalText([]byte(s)); err != nil {
		return ID{}, fmt.Errorf("event id %q, want 64 lower case hex digits", s)
	}
	return ID(d), nil
}

// IDOf computes the id of an event.json.
func IDOf(eventJSON []byte) ID { return sha256.Sum256(eventJSON) }

// File is what event.json says about one of its files.
type File struct {
	Length int64          `json:"length"` // bytes
	SHA256 genuine.Digest `json:"sha256"`
}

// FileOf describes bytes in hand.
func FileOf(b []byte) File { return File{int64(len(b)), sha256.Sum256(b)} }

// Event is an event.json. Its bytes are canonical: Parse refuses any text Encode would not have written.
type Event struct {
	Format     string               `json:"format"` // "countersign-event-1"
	Kind       Kind                 `json:"kind"`
	Label      string               `json:"label"`      // for people: "1.4.0 stable"; nothing is decided by it
	Made       time.Time            `json:"made"`       // UTC, whole seconds
	Expires    map[string]time.Time `json:"expires"`    // role to its expiry; its keys are the roles proposed
	Nonce      string               `json:"nonce"`      // 32 hex digits, so that staging twice gives two events
	Base       map[string]int64     `json:"base"`       // role to the published version this builds on; empty for kind distribution
	Supersedes string               `json:"supersedes"` // id of the event this one replaces, or ""
	Files      map[string]File      `json:"files"`      // every file but metadata/, signatures/ and statements/
}

// Roles returns the roles the event proposes: root first, then targets, then channels by name.
func (e Event) Roles() []string {
	roles := make([]string, 0, len(e.Expires))
	for r := range e.Expires {
		roles = append(roles, r)
	}
	sort.Slice(roles, func(i, j int) bool {
		a, b := rank(roles[i]), rank(roles[j])
		return a < b || a == b && roles[i] < roles[j]
	})
	return roles
}

func rank(role string) int {
	switch role {
	case "root":
		return 0
	case "targets":
		return 1
	}
	return 2
}

// Version returns the version of a role the event proposes.
func (e Event) Version(role string) int64 { return e.Base[role] + 1 }

// Encode prints the event in its one canonical form.
func (e Event) Encode() ([]byte, error) {
	e.Format = Format
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("event.json: %w", err)
	}
	return canonical(e)
}

// Parse reads an event.json and refuses anything Encode would not have written.
func Parse(b []byte) (Event, error) {
	var e Event
	if err := parseCanonical(b, MaxEvent, &e); err != nil {
		return Event{}, refusef("event.json: %v", err)
	}
	if err := e.check(); err != nil {
		return Event{}, refusef("event.json: %v", err)
	}
	return e, nil
}

// check holds the rules of the fields, in their order.
func (e Event) check() error {
	if e.Format != Format {
		return fmt.Errorf("format %q, want %q", e.Format, Format)
	}
	if !slices.Contains([]Kind{KindDistribution, KindRelease, KindRoles}, e.Kind) {
		return fmt.Errorf("unknown kind %q", e.Kind)
	}
	if len(e.Label) > 200 || !printable(e.Label) {
		return fmt.Errorf("label %q: want at most 200 printable characters", e.Label)
	}
	if !wholeSeconds(e.Made) {
		return fmt.Errorf("made %v, want whole seconds in UTC", e.Made)
	}
	if err := e.checkRoles(); err != nil {
		return err
	}
	if !hexNonce.MatchString(e.Nonce) {
		return fmt.Errorf("nonce %q, want 32 lower case hex digits", e.Nonce)
	}
	if e.Supersedes != "" {
		if _, err := ParseID(e.Supersedes); err != nil {
			return fmt.Errorf("supersedes: %w", err)
		}
	}
	return e.checkFiles()
}

func (e Event) checkRoles() error {
	if len(e.Expires) == 0 {
		return fmt.Errorf("proposes no role")
	}
	for role, at := range e.Expires {
		if !roleName.MatchString(role) || role == "snapshot" || role == "timestamp" {
			return fmt.Errorf("role %q is not one that people sign", role)
		}
		if !wholeSeconds(at) || !at.After(e.Made) {
			return fmt.Errorf("role %q expires %v, want whole seconds in UTC after it was made", role, at)
		}
	}
	for role, v := range e.Base {
		if !roleName.MatchString(role) || v < 1 {
			return fmt.Errorf("base role %q has version %d", role, v)
		}
	}
	_, root := e.Expires["root"]
	_, targets := e.Expires["targets"]
	switch {
	case e.Kind == KindRelease && (len(e.Expires) != 1 || root || targets):
		return fmt.Errorf("a release proposes one channel and nothing else")
	case e.Kind == KindDistribution && (!root || !targets || len(e.Base) != 0):
		return fmt.Errorf("a distribution proposes root and targets and has no base")
	case e.Kind != KindDistribution && (e.Base["root"] == 0 || e.Base["targets"] == 0):
		return fmt.Errorf("base names no version of root and targets")
	}
	return nil
}

// canonical prints v as our formats are written: two spaces, one newline at the end, no HTML escapes.
func canonical(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// parseCanonical reads v and refuses any text canonical(v) would not print. Unknown and repeated fields,
// other spellings and trailing bytes all fail this one comparison.
func parseCanonical(b []byte, limit int, v any) error {
	if len(b) > limit {
		return fmt.Errorf("%d bytes, at most %d allowed", len(b), limit)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if err == io.EOF {
			return fmt.Errorf("empty")
		}
		return err
	}
	again, err := canonical(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("not in canonical form")
	}
	return nil
}

func wholeSeconds(t time.Time) bool {
	return !t.IsZero() && t.Location() == time.UTC && t.Equal(t.Truncate(time.Second))
}
