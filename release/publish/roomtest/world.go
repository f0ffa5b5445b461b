// Package roomtest builds small signing rooms for tests: five people in four jurisdictions, a publisher,
// a directory, and a clock that stands still. Everything is made from fixed seeds, so that a test that
// fails once fails again.
//
// Its world is the test that uses it; nothing here is part of a program.
package roomtest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/publish"
)

// Key is a private key in memory, as a signer.Signer.
type Key struct{ crypto.Signer }

// Sign signs as signer.Signer says.
func (k Key) Sign(message []byte) ([]byte, error) {
	if _, ok := k.Signer.(ed25519.PrivateKey); ok {
		return k.Signer.Sign(nil, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	return k.Signer.Sign(nil, sum[:], crypto.SHA256) // no randomness: RFC 6979
}

func (k Key) String() string { return "test key " + signer.Fingerprint(k.Public()) }

// Ed25519 makes a key from a name.
func Ed25519(name string) Key {
	seed := sha256.Sum256([]byte(name))
	return Key{ed25519.NewKeyFromSeed(seed[:])}
}

// P256 makes a key from a name.
func P256(name string) Key {
	seed := sha256.Sum256([]byte(name))
	seed[0] = 1 // below the order of the group
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return Key{k}
}

// Member is one of the people, with their keys.
type Member struct {
	genuine.Person
	Auditor, Statement, Root Key
}

// NewMember makes a person whose keys come from their name.
func NewMember(name, organisation, jurisdiction string) Member {
	return Member{
		genuine.Person{Name: name, Organisation: organisation, Jurisdiction: jurisdiction},
		Ed25519(name + " auditor"), P256(name + " statement"), Ed25519(name + " root"),
	}
}

// The members of a new world, by index.
const (
	Ana  = iota // Alpha, PT
	Ben         // Beta, DE
	Cleo        // Gamma, US
	Dai         // Delta, JP
	Eva         // Epsilon, PT: as Ana
)

// World is a room and the people around it.
type World struct {
	T         testing.TB
	Now       time.Time
	People    []Member
	Snapshot  Key
	Timestamp Key
	Expiry    string // the [expiry] table of the distribution file, or ""
	Rule      string // the numbers of channel stable
	Log       string // the [log] table of the distribution file, and what else stands at its end; or ""
	Dir       string
	Room      *publish.Room
	nonce     int
}

// New makes a world in which nothing is published.
func New(t testing.TB) *World {
	w := &World{
		T: t, Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Dir: t.TempDir(),
		Snapshot: Ed25519("snapshot"), Timestamp: Ed25519("timestamp"),
		Rule: "quorum = 3\njurisdictions = 3\norganisations = 3\nrebuilds = 3",
		People: []Member{
			NewMember("Ana Sousa", "Alpha", "PT"), NewMember("Ben Weiss", "Beta", "DE"), NewMember("Cleo Hart", "Gamma", "US"),
			NewMember("Dai Mori", "Delta", "JP"), NewMember("Eva Reis", "Epsilon", "PT"),
		},
	}
	w.Room = w.Open(w.Dir)
	return w
}

// Open returns the room in a directory, with the publisher's keys.
func (w *World) Open(dir string) *publish.Room {
	return &publish.Room{
		Events:     event.Dir(filepath.Join(dir, "events")),
		Repository: &publish.Repository{Dir: filepath.Join(dir, "repository"), Keys: signer.Ring{w.Snapshot, w.Timestamp}},
	}
}

// TOML is the world's distribution file.
func (w *World) TOML() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"Test Messenger\"\nmirrors = [\"https://mirror.example.org/repository\"]\n\n[quorum]\nroot = %d\ntargets = 3\n\n%s\n", len(w.People)/2+1, w.Expiry)
	fmt.Fprintf(&b, "\n[[channel]]\nname = \"stable\"\n%s\n\n[[channel]]\nname = \"beta\"\nquorum = 2\njurisdictions = 2\norganisations = 2\nrebuilds = 2\n", w.Rule)
	fmt.Fprintf(&b, "\n[publisher]\nname = \"Pia Lund\"\norganisation = \"Publisher\"\njurisdiction = \"SE\"\nsnapshot = %q\ntimestamp = %q\n", line(w.Snapshot), line(w.Timestamp))
	for _, p := range w.People {
		fmt.Fprintf(&b, "\n[[person]]\nname = %q\norganisation = %q\njurisdiction = %q\nauditor = %q\nstatement = %q\nroot = %q\n",
			p.Name, p.Organisation, p.Jurisdiction, line(p.Auditor), line(p.Statement), line(p.Root))
	}
	fmt.Fprintf(&b, "\n%s\n", w.Log)
	return []byte(b.String())
}

func line(k Key) string { return signer.FormatPublic(k.Public(), "") }

// Opening is what a new event needs; each call gives other randomness.
func (w *World) Opening() event.Opening {
	w.nonce++
	return event.Opening{Now: w.Now, Rand: w.Rand(fmt.Sprint("event ", w.nonce))}
}

// Rand is an endless stream of bytes made from a name.
func (w *World) Rand(name string) io.Reader { return &stream{seed: name} }

type stream struct {
	seed string
	n    int
	left []byte
}

func (s *stream) Read(b []byte) (int, error) {
	if len(s.left) == 0 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", s.seed, s.n))
		s.left, s.n = sum[:], s.n+1
	}
	n := copy(b, s.left)
	s.left = s.left[n:]
	return n, nil
}

// Distribute publishes version 1 of everything, signed by the first three people, and returns its event.
func (w *World) Distribute() event.ID {
	w.T.Helper()
	id, err := w.Room.Events.OpenDistribution(w.ctx(), w.TOML(), w.Opening())
	w.check(err)
	w.SignAll(id, Ana, Ben, Cleo)
	w.Publish(id)
	return id
}

// Base is what is published now.
func (w *World) Base() event.Base {
	w.T.Helper()
	s, err := w.Room.Repository.Load()
	w.check(err)
	return s.Base
}

// Published is what is published now, in short.
func (w *World) Published() event.Published {
	w.T.Helper()
	s, err := w.Room.Repository.Load()
	w.check(err)
	return s.Published
}

// Publish publishes an event, which must work.
func (w *World) Publish(id event.ID) publish.Result {
	w.T.Helper()
	r, err := w.Room.Repository.Publish(w.ctx(), w.Room.Events, id, w.Now)
	w.check(err)
	return r
}

// Load loads an event, which must work.
func (w *World) Load(id event.ID) *event.Proposal {
	w.T.Helper()
	p, err := event.Load(w.ctx(), w.Room.Events, id)
	w.check(err)
	return p
}

// SignAll lets people sign every role of an event they may sign.
func (w *World) SignAll(id event.ID, members ...int) {
	w.T.Helper()
	p := w.Load(id)
	for _, role := range p.Event.Roles() {
		for _, i := range members {
			key := w.People[i].Auditor
			if role == "root" {
				key = w.People[i].Root
			}
			sigs, err := p.Sign(role, key)
			w.check(err)
			for _, s := range sigs {
				w.check(w.Room.Events.PutSignature(w.ctx(), id, s))
			}
		}
	}
}

func (w *World) ctx() context.Context { return w.T.Context() }

func (w *World) check(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Content turns bytes into what OpenRelease takes.
func Content(b []byte) event.Content {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}
